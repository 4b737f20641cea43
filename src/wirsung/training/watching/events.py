"""What a training tells its watchers: each step, each epoch, how it began and ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wirsung.training.trainer import Trainer


@dataclass(frozen=True)
class Step:
    """One training batch that was learnt."""

    epoch: int
    """From 0."""
    iteration: int
    """Within the epoch, from 0."""
    loss: float
    learning_rate: float
    duration_s: float
    cases: tuple[str, ...]
    """Ids of the batch's cases."""


@dataclass(frozen=True)
class Epoch:
    """One epoch that ended."""

    epoch: int
    """From 0."""
    loss: float
    """Mean over the epoch's training batches."""
    validation_loss: float
    pseudo_dice: Mapping[str, float]
    """Class name to 0..1, over patches of validation cases; NaN where no patch held the class."""
    learning_rate: float
    duration_s: float


class Watcher(Protocol):
    """Is told how a training goes, and must leave it as it was: weights, random numbers and all."""

    def started(self, trainer: "Trainer") -> None:
        """The trainer is initialised, and resumed where there was a checkpoint."""

    def step(self, event: Step) -> None:
        """A training batch was learnt."""

    def epoch(self, trainer: "Trainer", event: Epoch) -> None:
        """An epoch ended, its validation included; the trainer still counts it as the current one."""

    def ended(self, trainer: "Trainer", reason: str) -> None:
        """Nothing more will be learnt in this call.

        Args:
            trainer: The trainer.
            reason: "finished", "max-hours", "interrupted" or "failed".
        """
