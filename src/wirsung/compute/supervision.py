"""Local workers under supervision: a worker that dies, hangs or swells takes only its own case with it.

Each worker is a process of its own with a pipe of its own and at most one case, so a death says which case
was at fault, nobody else's case is lost, and never more tasks are drawn than there are workers.

A case that loses its worker is tried once more, after all others. Where the kernel or a person killed the
worker, most likely for want of memory, the second try has the machine to itself. Then it is quarantined.
"""

import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from multiprocessing import connection
from typing import Any, Generic, TypeVar

from wirsung.compute.limits import UNLIMITED, Limits
from wirsung.compute.outcome import Outcome, quarantined, unforeseen
from wirsung.compute.recruit import Entry, Recruit
from wirsung.compute.worker import ANYWHERE
from wirsung.errors import WirsungError

T = TypeVar("T")
R = TypeVar("R")

_HEARTBEAT_S = 5.0
"""How often workers are looked at that say nothing; a dead one is noticed at once in all common cases."""
_MEMORY_CHECK_S = 0.25
_FALSE_STARTS = 3
_GRACE_S = 2.0


def supervise(
    function: Callable[[T], R],
    tasks: Iterable[tuple[str, T]],
    *,
    workers: int,
    threads: int = 1,
    limits: Limits = UNLIMITED,
    places: Sequence[Mapping[str, str]] = (),
) -> Generator[Outcome[R]]:
    """Call `function` on each task in up to `workers` processes; outcomes come as the cases end.

    Args:
        function: Picklable.
        tasks: Case and argument; drawn one by one as workers become free.
        workers: Processes, at least 1.
        threads: Threads that NumPy and its like may use in each worker, where the environment says nothing.
        limits: Of each case and each worker.
        places: What the environment says of one worker alone, such as its GPU; one a worker. Who takes the
            place of a worker that died, takes this place.

    Raises:
        WirsungError: Worker processes can't be started.
    """
    crew: _Crew[R] = _Crew(function, iter(tasks), places or [ANYWHERE] * max(1, workers), threads, limits)
    try:
        yield from crew.outcomes()
    finally:
        crew.dismiss()


class _Crew(Generic[R]):
    """The workers, the cases in their hands and the cases that wait for a second try."""

    def __init__(
        self,
        function: Callable[[Any], R],
        tasks: Iterator[tuple[str, Any]],
        places: Sequence[Mapping[str, str]],
        threads: int,
        limits: Limits,
    ) -> None:
        self._packed_function = pickle.dumps(function)
        self._fresh = tasks
        self._handed_back: deque[Entry] = deque()
        """Of workers that died before they began: nobody's fault."""
        self._again: deque[Entry] = deque()
        self._again_alone: deque[Entry] = deque()
        self._places, self._threads, self._limits = places, threads, limits
        self._recruits: list[Recruit] = []
        self._leaving: list[Recruit] = []
        self._spoke: deque[Recruit] = deque()
        """Whose answer lies in the pipe."""
        self._said: deque[Outcome[R]] = deque()
        self._false_starts = 0

    def outcomes(self) -> Iterator[Outcome[R]]:
        while True:
            self._hand_out()
            while self._said:
                yield self._said.popleft()
            if not self._busy():
                return
            self._listen()

    def dismiss(self) -> None:
        """End all workers: those at work by SIGTERM, so that they remove half files, then by SIGKILL."""
        everyone = [*self._recruits, *self._leaving]
        try:
            for recruit in everyone:
                recruit.dismiss()
            deadline = time.monotonic() + _GRACE_S
            for recruit in everyone:
                recruit.join(deadline - time.monotonic())
        finally:
            for recruit in everyone:
                recruit.discard()
            self._recruits, self._leaving = [], []

    def _busy(self) -> list[Recruit]:
        return [recruit for recruit in self._recruits if recruit.entry is not None]

    def _hand_out(self) -> None:
        """Give a case to each worker that has none, and hire workers while there are cases for them."""
        idle = [recruit for recruit in self._recruits if recruit.entry is None]
        while idle or len(self._recruits) < len(self._places):
            entry = self._next_entry()
            if entry is None:
                return
            while idle and not idle[-1].give(entry):  # it died while it had nothing to do
                dead = idle.pop()
                self._recruits.remove(dead)
                dead.discard()
            if idle:
                idle.pop()
            else:
                self._recruits.append(self._hire(entry))
            if entry.alone:
                self._send_home(idle)  # what they hold, such as a model, is what this case may lack
                return

    def _send_home(self, idle: list[Recruit]) -> None:
        for recruit in idle:
            self._recruits.remove(recruit)
            recruit.dismiss()
            self._leaving.append(recruit)

    def _hire(self, entry: Entry) -> Recruit:
        taken = [recruit.place for recruit in self._recruits]
        place = next(place for place in self._places if taken.count(place) < self._places.count(place))
        try:
            return Recruit(self._packed_function, self._threads, entry, place)
        except OSError as error:
            msg = f"No worker process can be started ({error.strerror}). Try fewer workers."
            raise WirsungError(msg) from error

    def _next_entry(self) -> Entry | None:
        if any(recruit.entry is not None and recruit.entry.alone for recruit in self._recruits):
            return None
        if self._handed_back:
            return self._handed_back.popleft()
        for case, task in self._fresh:
            try:
                return Entry(case, pickle.dumps(task))
            except Exception as error:  # pickling runs foreign code
                self._said.append(Outcome(case, "failed", unforeseen(error)))
        if self._again:
            return self._again.popleft()
        if self._again_alone and not self._busy():
            return self._again_alone.popleft()
        return None

    def _listen(self) -> None:
        """Hear one worker, so that its outcome is out before the next case is drawn for the next worker."""
        if not self._spoke:
            self._wait()
        if self._spoke:
            self._hear(self._spoke.popleft())

    def _wait(self) -> None:
        """Wait until a worker speaks, dies or exceeds a limit, and act on all but what it says."""
        busy = self._busy()
        spoke = connection.wait([recruit.pipe for recruit in busy], self._patience_s(busy))
        now = time.monotonic()
        for recruit in busy:
            if recruit.pipe in spoke:
                self._spoke.append(recruit)
            else:
                self._look_at(recruit, now)
        for recruit in [recruit for recruit in self._leaving if not recruit.is_alive()]:
            recruit.discard()
            self._leaving.remove(recruit)

    def _patience_s(self, busy: list[Recruit]) -> float:
        patience = _MEMORY_CHECK_S if self._limits.memory_gb else _HEARTBEAT_S
        if self._limits.timeout_s:
            now = time.monotonic()
            patience = min(patience, *(self._limits.timeout_s - recruit.busy_s(now) for recruit in busy))
        return max(patience, 0.0)

    def _hear(self, recruit: Recruit) -> None:
        try:
            answer = recruit.pipe.recv_bytes()
        except (EOFError, OSError):
            self._bury(recruit)
            return
        if not recruit.ready:
            self._false_starts = 0
            recruit.begin()
            return
        entry = recruit.finish()
        try:
            self._said.append(pickle.loads(answer))
        except Exception as error:  # unpickling runs foreign code
            self._said.append(Outcome(entry.case, "failed", unforeseen(error)))
        if self._limits.recycle_after and recruit.served >= self._limits.recycle_after:
            self._recruits.remove(recruit)
            recruit.dismiss()
            self._leaving.append(recruit)

    def _look_at(self, recruit: Recruit, now: float) -> None:
        """End a worker that exceeds a limit, or is dead though its pipe is open (its children hold it)."""
        timeout_s, memory_gb = self._limits.timeout_s, self._limits.memory_gb
        if recruit.ready and timeout_s and recruit.busy_s(now) >= timeout_s:
            self._bury(recruit, f"it took longer than {timeout_s:g} s")
        elif recruit.ready and memory_gb and recruit.memory_gb() > memory_gb:
            self._bury(recruit, f"it took more than {memory_gb:g} GB of memory")
        elif not recruit.is_alive() and not recruit.pipe.poll():
            self._bury(recruit)

    def _bury(self, recruit: Recruit, cause: str = "") -> None:
        """Remove the worker; its case is tried again, or quarantined where that was the second try."""
        self._recruits.remove(recruit)
        duration_s = recruit.busy_s(time.monotonic())
        # One that hung up is about to end by itself, and its own exit code says why.
        exit_code = recruit.discard(0.0 if cause else _GRACE_S)
        entry = recruit.finish()
        if not recruit.ready:
            self._note_false_start(exit_code)
            self._handed_back.append(entry)
            return
        is_killed = not cause and exit_code == -signal.SIGKILL
        cause = cause or _cause(exit_code)
        if entry.first_cause:
            message = quarantined(entry.first_cause, cause)
            self._said.append(Outcome(entry.case, "failed", message, duration_s=duration_s))
        else:
            queue = self._again_alone if is_killed else self._again
            queue.append(Entry(entry.case, entry.packed_task, cause, alone=is_killed))

    def _note_false_start(self, exit_code: int) -> None:
        self._false_starts += 1
        if self._false_starts >= _FALSE_STARTS:
            msg = (
                f"Worker processes end as they start ({_cause(exit_code)}). "
                "Free some memory, or work in this process with --workers 1."
            )
            raise WirsungError(msg)


def _cause(exit_code: int) -> str:
    if exit_code == -signal.SIGKILL:
        return "its worker was killed, most likely for want of memory"
    if exit_code < 0:
        return f"its worker was ended by {signal.Signals(-exit_code).name}"
    return f"its worker ended with exit code {exit_code}"
