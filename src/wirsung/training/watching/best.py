"""Which weights were the best so far: those that found the lesion, not those with the best mean.

Over 28 classes the mean hides the one that matters. Its lesion may stay at 0 while the organs lift the mean
to 0.67, and a lesion that is found at last may cost the organs more than it adds. So the lesion's own
pseudo-Dice decides where the classes have a lesion that validation patches hold; else that of the pancreas,
else the mean.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from wirsung.training.watching.events import Epoch

MEAN = "mean"
"""The name of the score that is the mean over the classes."""

_SMOOTHING = 0.9
"""nnU-Net's: a tenth of each epoch enters the moving average."""


@dataclass(frozen=True)
class Best:
    """The moving averages of one epoch, by which epochs are compared."""

    epoch: int
    """From 0."""
    of: str
    """The class whose score it is, or `mean`."""
    score: float
    """0..1."""
    mean: float
    """Over the classes, 0..1; decides between equal scores, as while no lesion is found yet."""


@dataclass(frozen=True)
class BestSoFar:
    """The moving averages up to now, and the best of them.

    Example:
        >>> so_far = BestSoFar(("pancreatic_lesion", "pancreas"))
        >>> organs = Epoch(0, 1.0, 1.0, {"pancreas": 0.8, "pancreatic_lesion": 0.0}, 0.01, 1.0)
        >>> lesion = Epoch(1, 1.0, 1.0, {"pancreas": 0.2, "pancreatic_lesion": 0.1}, 0.01, 1.0)
        >>> so_far.updated(organs).best.epoch, so_far.updated(organs).updated(lesion).best.epoch
        (0, 1)
    """

    leading: Sequence[str] = ()
    """The classes that decide, the most important first, as `leading_classes` tells them."""
    averages: Mapping[str, float] = field(default_factory=dict)
    """Class, or `mean`, to the moving average of its pseudo-Dice; none where it was never defined."""
    last: Best | None = None
    best: Best | None = None

    @property
    def improved(self) -> bool:
        """Whether the last epoch is the best one."""
        return self.best is not None and self.best == self.last

    def updated(self, event: Epoch) -> "BestSoFar":
        """With one more epoch; what it left undefined keeps its average."""
        averages = dict(self.averages)
        for name in (*self.leading, MEAN):
            value = score_of(event) if name == MEAN else event.pseudo_dice.get(name, math.nan)
            if not math.isnan(value):
                before = averages.get(name, value)
                averages[name] = _SMOOTHING * before + (1 - _SMOOTHING) * value
        decisive = next((name for name in (*self.leading, MEAN) if name in averages), None)
        if decisive is None:
            return BestSoFar(self.leading, averages, None, self.best)
        last = Best(event.epoch, decisive, averages[decisive], averages.get(MEAN, 0.0))
        better = self.best is None or self._key(last) > self._key(self.best)
        return BestSoFar(self.leading, averages, last, last if better else self.best)

    def _key(self, item: Best) -> tuple[int, float, float]:
        """What epochs are ordered by; a score of the lesion is above any of the pancreas."""
        order = (*self.leading, MEAN)
        return -order.index(item.of), item.score, item.mean

    def as_json(self) -> dict[str, Any]:
        """For a checkpoint and the record: no types but JSON's."""
        return {**asdict(self), "leading": list(self.leading), "averages": dict(self.averages)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """From `as_json`."""
        last, best = (Best(**content[key]) if content[key] else None for key in ("last", "best"))
        return cls(tuple(content["leading"]), dict(content["averages"]), last, best)


def score_of(event: Epoch, classes: Sequence[str] = ()) -> float:
    """The pseudo-Dice of the first of the classes that the epoch defined, else the mean; NaN where none is.

    Example:
        >>> event = Epoch(0, 1.0, 1.0, {"liver": 0.75, "pancreas": 0.25}, 0.01, 1.0)
        >>> score_of(event, ("pancreatic_lesion", "pancreas")), score_of(event, ())
        (0.25, 0.5)
    """
    for name in classes:
        if not math.isnan(event.pseudo_dice.get(name, math.nan)):
            return event.pseudo_dice[name]
    defined = [value for value in event.pseudo_dice.values() if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def leading_classes(table: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the lesion's class and of the pancreas's, where `dataset.json` has them, in this order.

    Example:
        >>> leading_classes({"labels": {"background": 0, "pancreas": 1, "liver": 2}})
        ('pancreas',)
        >>> labels = {"background": 0, "pancreas": 1, "cancer": 2}
        >>> leading_classes({"labels": labels, "structures": {"cancer": ["pancreatic_lesion"]}})
        ('cancer', 'pancreas')
    """
    found = (_class_of(table, item) for item in ("pancreatic_lesion", "pancreas"))
    return tuple(name for name in found if name is not None)


def lesion_class(table: Mapping[str, Any]) -> str | None:
    """The name of the class that stands for the lesion of the pancreas in `dataset.json`, if one does."""
    return _class_of(table, "pancreatic_lesion")


def _class_of(table: Mapping[str, Any], structure: str) -> str | None:
    """The class of that structure alone; where the table names no structures, the class of that name."""
    stands_for = {str(name): [str(name)] for name in table["labels"]} | dict(table.get("structures", {}))
    return next((name for name, of in stands_for.items() if list(of) == [structure]), None)
