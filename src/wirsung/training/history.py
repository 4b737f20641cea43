"""The course of a finished training, as `history.json` has it."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

from wirsung.training.watching.best import BestSoFar

_KEPT = ("train_losses", "val_losses", "mean_fg_dice", "lrs")


class Log(Protocol):
    """nnU-Net's, which keeps a value for each epoch."""

    def get_value(self, key: str, step: int | None) -> Any:  # noqa: ANN401 - of every kind
        """The value of an epoch, or of every one."""


def history_of(log: Log, best: BestSoFar) -> dict[str, Any]:
    """Losses, pseudo-Dice and learning rate of each epoch, and which was the best by which class's score."""
    course = {key: _numbers(log.get_value(key, step=None)) for key in _KEPT}
    return {"schema": 1, **course, "best": None if best.best is None else asdict(best.best)}


def _numbers(values: Sequence[Any]) -> list[float | None]:
    """For JSON, which has no NaN."""
    return [float(value) if math.isfinite(value) else None for value in values]
