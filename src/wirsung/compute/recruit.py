"""One worker process as its supervisor sees it: the pipe to it and the case in its hands."""

import os
import pickle
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from wirsung.compute.worker import ANYWHERE, FAREWELL, serve


@dataclass(frozen=True)
class Entry:
    """A case on its way through the workers."""

    case: str
    packed_task: bytes
    first_cause: str = ""
    """What took the worker of the first try; empty where this is the first."""
    alone: bool = False
    """Nothing else may run beside it."""


class Recruit:
    """A worker from start to end; the case it is hired for reaches it once it says that it is ready."""

    def __init__(
        self, packed_function: bytes, threads: int, entry: Entry, place: Mapping[str, str] = ANYWHERE
    ) -> None:
        # spawn: a forked child may inherit locks of threads that torch or BLAS started.
        context = get_context("spawn")
        self.pipe, far_end = context.Pipe()
        # daemon: where even our own end goes wrong, multiprocessing ends it with this process.
        arguments = (far_end, packed_function, threads, dict(place))
        self._process = context.Process(target=serve, args=arguments, daemon=True)
        self.place = place
        self.entry: Entry | None = entry
        self.ready = False
        self.served = 0
        self._began = time.monotonic()
        try:
            with _interrupts_held():
                self._process.start()
        except BaseException:
            self.pipe.close()
            raise
        finally:
            far_end.close()

    def begin(self) -> None:
        """Hand over the first case; called when the worker said that it is ready."""
        self.ready = True
        if self.entry is not None:
            self.give(self.entry)

    def give(self, entry: Entry) -> bool:
        """Hand over a case; False where the worker is dead."""
        try:
            self.pipe.send_bytes(pickle.dumps((entry.case, entry.packed_task, bool(entry.first_cause))))
        except OSError:
            return False
        self.entry, self._began = entry, time.monotonic()
        return True

    def finish(self) -> Entry:
        """Take the case out of its hands."""
        if self.entry is None:
            msg = "a worker without a case can't finish one"
            raise RuntimeError(msg)
        entry, self.entry = self.entry, None
        self.served += 1
        return entry

    def busy_s(self, now: float) -> float:
        """Seconds since it began its case, or since its start."""
        return now - self._began if self.ready else 0.0

    def memory_gb(self) -> float:
        """Memory that it holds in GB (10^9 bytes), 0 where it is gone."""
        return resident_bytes(self._process.pid) / 1e9

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    def dismiss(self) -> None:
        """Ask it to go: at once where it is at work, else politely."""
        try:
            if self.entry is None:
                self.pipe.send_bytes(FAREWELL)
            else:
                self._process.terminate()
        except OSError:
            pass  # it is gone already

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        self._process.join(max(timeout_s, 0.0))

    def discard(self, grace_s: float = 0.0) -> int:
        """End it if it still runs after `grace_s`, free what it held, and say how it ended.

        Returns:
            The exit code; the negative number of a signal.
        """
        if self.pipe.closed:
            return 0
        self.pipe.close()
        self._process.join(grace_s)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        exit_code = self._process.exitcode or 0
        self._process.close()
        return exit_code


def resident_bytes(pid: int | None) -> int:
    """Memory of a process that is in RAM, in bytes; 0 where it is gone or the system does not tell."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """A process started within does not see Ctrl-C until it asks to, as it would print a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
