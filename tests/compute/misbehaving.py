"""What the cases of these tests do; a module of its own, so that worker processes can import it."""

import os
import signal
import subprocess
import time
from pathlib import Path

from wirsung.compute.cases import Skip
from wirsung.compute.outcome import is_second_try
from wirsung.errors import ImageError


def square(number):
    return number * number


def process_id(_task):
    return os.getpid()


def act(task):
    """Do what the word says; a number is squared."""
    word, *rest = str(task).split(":", 1)
    return _ACTS[word](*rest) if word in _ACTS else square(int(word))


def _note(path):
    """Add a line, so that the test sees how often and where a case began."""
    with Path(path).open("a", encoding="ascii") as file:
        file.write(f"{os.getpid()}\n")


def _die_once(path):
    first = not Path(path).exists()
    _note(path)
    if first:
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def _die_once_and_tell(path):
    """Die at the first try; at the second say which of the two it is, and where this worker is."""
    first = not Path(path).exists()
    _note(path)
    if first:
        os.kill(os.getpid(), signal.SIGSEGV)
    return is_second_try(), os.environ["PLACE"]


def _die_once_and_wait_to_be_alone(path):
    """Be killed at the first try; at the second wait until this is the only worker left."""
    first = not Path(path).exists()
    _note(path)
    if first:
        os.kill(os.getpid(), signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        words = ["ps", "-ww", "-o", "args=", "--ppid", str(os.getppid())]
        found = subprocess.run(words, capture_output=True, text=True)
        if sum("spawn_main" in line for line in found.stdout.splitlines()) == 1:
            return "alone"
        time.sleep(0.02)
    return "others stay"


def _kill_then_exit(path):
    first = not Path(path).exists()
    _note(path)
    if first:
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(5)


def _fail(_=""):
    msg = "ct.nii.gz is no image."
    raise ImageError(msg)


def _skip(_=""):
    value = "was there"
    raise Skip(value)


def _wait_for(path):
    while not Path(path).exists():
        time.sleep(0.01)
    return "seen"


def _sleep_noted(path):
    try:
        _note(path)
        time.sleep(60)
    finally:
        Path(path + ".left").touch()


def _nap_noted(path):
    _note(path)
    time.sleep(0.2)
    return os.getpid()


def _swell(_=""):
    hoard = []
    while True:
        hoard.append(b"x" * 20_000_000)
        time.sleep(0.02)


_ACTS = {
    "exit": lambda code: os._exit(int(code)),
    "kill": lambda _="": os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda _="": os.kill(os.getpid(), signal.SIGSEGV),
    "note-and-kill": lambda path: (_note(path), os.kill(os.getpid(), signal.SIGKILL)),
    "note": lambda path: (_note(path), "noted")[1],
    "die-once": _die_once,
    "die-once-and-tell": _die_once_and_tell,
    "die-once-and-wait-to-be-alone": _die_once_and_wait_to_be_alone,
    "is-second-try": lambda _="": is_second_try(),
    "place": lambda _="": os.environ["PLACE"],
    "kill-then-exit": _kill_then_exit,
    "hang": lambda _="": time.sleep(600),
    "sleep-noted": _sleep_noted,
    "nap-noted": _nap_noted,
    "swell": _swell,
    "fail": _fail,
    "skip": _skip,
    "raise": lambda text: int("x" + text),
    "leave": lambda _="": (_ for _ in ()).throw(SystemExit(3)),
    "unpicklable": lambda _="": lambda: None,
    "wait-for": _wait_for,
    "threads": lambda _="": os.environ.get("OMP_NUM_THREADS"),
    "pid": lambda _="": os.getpid(),
}
