"""How far one file is: a bar in a terminal, a line every half minute in a log."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from wirsung.datasets.fetching.download import Watch

_SAY_EVERY_S = 30.0


class ByteProgress(Watch):
    """Shows on standard error how many bytes of one thing are there, while its `with` block runs.

    Args:
        told: What is done, such as "a.zip".
        total_bytes: Of the whole; None where nobody knows.
        console: Where to show it.
        clock: Seconds, from any start.
    """

    def __init__(
        self,
        told: str,
        total_bytes: int | None = None,
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._told, self._total, self._clock = told, total_bytes, clock
        self._console = console or Console(stderr=True)
        self._said = clock()
        self._bar = _bar(self._console) if self._console.is_terminal else None

    def __enter__(self) -> Self:
        self._said = self._clock()
        if self._bar is not None:
            self._bar.start()
            self._bar.add_task(self._told, total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, done_bytes: int, total_bytes: int | None = None) -> None:
        """Say how many bytes are there now; it may be fewer than before."""
        self._total = total_bytes or self._total
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done_bytes, total=self._total)
            return
        now = self._clock()
        if now - self._said >= _SAY_EVERY_S:
            self._said = now
            of_total = f" of {self._total:,}" if self._total else ""
            self.say(f"{done_bytes:,}{of_total} bytes")

    def say(self, text: str) -> None:
        """Print a line, above the bar where there is one."""
        line = f"{self._told}: {text}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)
