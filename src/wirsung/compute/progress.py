"""How far a stage is: a bar in a terminal, a line every half minute in a log, and always a last line."""

import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from wirsung.compute.outcome import Outcome

_LOG_EVERY_S = 30.0


class CaseProgress:
    """Counts outcomes and shows them on standard error while its `with` block runs.

    Args:
        description: What is being done, such as "Scoring".
        total: The number of cases; None where nobody knows.
        clock: Seconds, from any start.
        console: Where to show it.
    """

    def __init__(
        self,
        description: str,
        total: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        console: Console | None = None,
    ) -> None:
        self._description, _, noun = description.partition("/")
        self._noun = noun or "case"
        self._total, self._clock = total, clock
        self._console = console or Console(stderr=True)
        self._counts: Counter[str] = Counter()
        self._began = self._said = clock()
        self._bar = _bar(self._console) if self._console.is_terminal else None

    def __enter__(self) -> Self:
        self._began = self._said = self._clock()
        if self._bar is not None:
            self._bar.start()
            self._bar.add_task(self._description, total=self._total, told="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        else:
            self._say(self.summary(is_whole=kind is None))

    def count(self, outcome: Outcome[Any]) -> None:
        """Count one more case."""
        self._counts[outcome.status] += 1
        now = self._clock()
        if self._bar is not None:
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=self._counts.total(), told=self.told())
        elif now - self._said >= _LOG_EVERY_S:
            self._said = now
            self._say(self.told())

    def told(self) -> str:
        """How far it is, such as `1,204 of 36,390 cases, 310 cases/min, 2 h 5 min left, 12 failed`."""
        of_total = f" of {self._total:,}" if self._total is not None else ""
        parts = [f"{self._counts.total():,}{of_total} {self._noun}s"]
        rate = self.cases_per_minute()
        if rate > 0:
            parts.append(f"{_three_digits(rate)} {self._noun}s/min")
            if self._total is not None and self._total > self._counts.total():
                left_s = (self._total - self._counts.total()) / rate * 60
                parts.append(f"{duration(left_s)} left")
        parts.append(f"{self._counts['failed']:,} failed")
        return ", ".join(parts)

    def cases_per_minute(self) -> float:
        """Cases worked on per minute; skipped ones count only where there are no others."""
        elapsed_s = self._clock() - self._began
        worked = self._counts["done"] + self._counts["failed"] or self._counts["skipped"]
        return worked / elapsed_s * 60 if elapsed_s > 0 else 0.0

    def summary(self, *, is_whole: bool) -> str:
        """The last line of a log."""
        said = [
            f"{self._counts[name]:,} {name}" for name in ("done", "skipped", "failed") if self._counts[name]
        ]
        end = "" if is_whole else "ended early, "
        total = f"{self._counts.total():,} {self._noun}{'s' * (self._counts.total() != 1)}"
        counts = f": {', '.join(said)}" if said else ""
        return f"{end}{total} in {duration(self._clock() - self._began)}{counts}"

    def _say(self, text: str) -> None:
        self._console.print(f"{self._description}: {text}", markup=False, highlight=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """A duration in the two largest units that matter.

    Example:
        >>> duration(42.4), duration(190), duration(7500), duration(200_000)
        ('42 s', '3 min 10 s', '2 h 5 min', '2 d 7 h')
    """
    whole = round(seconds)
    for size, unit, part, part_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {part_unit}"
    return f"{whole} s"


def _three_digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
    )
    return Progress(*columns, console=console)
