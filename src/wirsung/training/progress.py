"""The progress bar of training: epoch, loss, pseudo-Dice, time left."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class TrainingBar:
    """One line on standard error that moves with every batch."""

    def __init__(self, epochs: int, iterations: int, first_epoch: int, first_iteration: int = 0) -> None:
        columns = (
            TextColumn("train"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._epochs = epochs
        self._task = self._progress.add_task(
            f"epoch {min(first_epoch + 1, epochs)}/{epochs}",
            total=epochs * iterations,
            completed=first_epoch * iterations + first_iteration,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def batch(self) -> None:
        """One more batch is learnt."""
        self._progress.advance(self._task)

    def epoch(self, done: int, loss: float, pseudo_dice: float) -> None:
        """An epoch ended.

        Args:
            done: Epochs so far.
            loss: Mean over the epoch's training batches.
            pseudo_dice: Of validation patches, 0 to 1.
        """
        following = min(done + 1, self._epochs)
        text = f"epoch {following}/{self._epochs}, loss {loss:.3f}, pseudo-Dice {pseudo_dice:.3f}"
        self._progress.update(self._task, description=text)
