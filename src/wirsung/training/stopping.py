"""When a training stops before its end: its hours are over, or somebody asked it to."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Literal

Reason = Literal["max-hours", "interrupted"]

_MARGIN = 2.0
"""How many times the longest thing so far must still fit in."""


class TrainingStopped(Exception):  # noqa: N818 - no error: the training can go on
    """The training stopped before its end, and a checkpoint holds all of it.

    Args:
        reason: Why.
        epoch: In which the training goes on, from 0.
        iteration: Batches of this epoch that are learnt already.
        received: The signal that asked for it, if one did.
    """

    def __init__(self, reason: Reason, epoch: int, iteration: int, received: int | None = None) -> None:
        super().__init__(reason, epoch, iteration, received)
        self.reason: Reason = reason
        self.epoch = epoch
        self.iteration = iteration
        self.received = received


@dataclass
class Clock:
    """What is left of a training's hours, and how old its last checkpoint is.

    Example:
        >>> clock = Clock(deadline_s=100.0, now=lambda: 90.0)
        >>> clock.is_over()
        False
        >>> clock.took(6.0)  # two of those would not fit any more
        >>> clock.is_over()
        True
    """

    deadline_s: float | None = None
    """On the clock of `now`; None is never."""
    checkpoint_s: float = 600.0
    """How old a checkpoint may become."""
    now: Callable[[], float] = time.monotonic
    longest_s: float = 0.0
    _saved_s: float | None = field(default=None, repr=False)

    def took(self, duration_s: float) -> None:
        """A step, an epoch's end or a checkpoint took so long, and the next may take as long again."""
        self.longest_s = max(self.longest_s, duration_s)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Note how long the block took."""
        started = self.now()
        yield
        self.took(self.now() - started)

    def is_over(self) -> bool:
        """Whether another step and the checkpoint after it might come too late."""
        return self.deadline_s is not None and self.now() + _MARGIN * self.longest_s >= self.deadline_s

    def saved(self) -> None:
        """A checkpoint was written, or the training begins."""
        self._saved_s = self.now()

    def is_checkpoint_due(self) -> bool:
        """Whether the last checkpoint is too old."""
        return self._saved_s is not None and self.now() - self._saved_s >= self.checkpoint_s


@dataclass
class Signals:
    """Whether somebody asked by Ctrl-C or SIGTERM to stop."""

    is_patient: bool = False
    """Whether even the second time is waited for; else the process ends at once then."""
    received: int | None = None
    """The first signal."""
    _before: dict[signal.Signals, Any] = field(default_factory=dict)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Take the signals for the time of the block; only the main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        kinds = (signal.SIGINT, signal.SIGTERM)
        self._before = {kind: signal.signal(kind, self._receive) for kind in kinds}
        try:
            yield
        finally:
            self._restore()

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.received = self.received or number
        if not self.is_patient:
            self._restore()

    def _restore(self) -> None:
        for kind, handler in self._before.items():
            signal.signal(kind, handler)
