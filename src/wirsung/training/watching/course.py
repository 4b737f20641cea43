"""What a training's page tells of its course: a row an epoch, and how long the rest may take."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from wirsung.training.watching.events import Epoch, Step
from wirsung.training.watching.journal import Entry

FEWEST = 2
"""Epochs that make a curve."""

_RECENT = 5
"""Epochs whose mean says how long the next ones take."""


@dataclass
class Course:
    """The epochs so far, and the steps of the one that runs.

    Example:
        >>> course = Course(epochs=3, iterations=2)
        >>> course.add(Epoch(0, 0.5, 0.6, {"pancreas": 0.2}, 0.01, 60.0))
        >>> course.add(Step(1, 0, 0.4, 0.01, 20.0, ("a",)))
        >>> course.left_s(since_epoch_s=30.0)
        90.0
    """

    epochs: int
    """Of the whole training."""
    iterations: int
    """Batches an epoch."""
    rows: list[Epoch] = field(default_factory=list)
    """The epochs that ended."""
    steps: list[Step] = field(default_factory=list)
    """Of the epoch that runs."""
    step_s: list[float] = field(default_factory=list)
    """Of each epoch that ended, the median duration of a step; NaN where it is not known."""
    first_losses: list[float] = field(default_factory=list)
    """Of the batches of the first two epochs, which make no curve yet."""

    @classmethod
    def of(cls, entries: Sequence[Entry], epochs: int, iterations: int) -> "Course":
        """From a journal."""
        course = cls(epochs, iterations)
        for entry in entries:
            course.add(entry.event)
        return course

    def add(self, event: Step | Epoch) -> None:
        """One more."""
        if isinstance(event, Step):
            self.steps.append(event)
            if len(self.rows) < FEWEST:
                self.first_losses.append(event.loss)
            return
        self.rows.append(event)
        self.step_s.append(median(step.duration_s for step in self.steps) if self.steps else math.nan)
        self.steps = []

    @property
    def done(self) -> int:
        """Epochs that ended, those that no journal knows of included."""
        return self.rows[-1].epoch + 1 if self.rows else 0

    def left_s(self, since_epoch_s: float) -> float:
        """Seconds to the end, at the pace of the last epochs; NaN before there is any pace.

        Args:
            since_epoch_s: Since the running epoch began.
        """
        recent = [row.duration_s for row in self.rows[-_RECENT:]]
        if not recent:
            if not self.steps:
                return math.nan
            pace = self.iterations * since_epoch_s / len(self.steps)
        else:
            pace = fmean(recent)
        return max(0.0, (self.epochs - self.done) * pace - min(since_epoch_s, pace))

    def dice(self, name: str) -> list[float]:
        """The pseudo-Dice of a class by epoch; NaN where it is not defined."""
        return [row.pseudo_dice.get(name, math.nan) for row in self.rows]

    def mean_dice(self) -> list[float]:
        """Over the classes that an epoch defined."""
        return [_mean(row.pseudo_dice) for row in self.rows]

    def across(self) -> list[int]:
        """The epochs, counted from 1."""
        return [row.epoch + 1 for row in self.rows]


def _mean(scores: Mapping[str, float]) -> float:
    defined = [value for value in scores.values() if not math.isnan(value)]
    return fmean(defined) if defined else math.nan


def words_of(duration_s: float) -> str:
    """A duration in words.

    Example:
        >>> words_of(42), words_of(600), words_of(5 * 3600 + 120), words_of(60 * 3600), words_of(math.nan)
        ('42 s', '10 min', '5 h 2 min', '2 d 12 h', '–')
    """
    if math.isnan(duration_s):
        return "–"
    minutes, hours = round(duration_s / 60), round(duration_s / 3600)
    if duration_s < 90:
        return f"{duration_s:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"
