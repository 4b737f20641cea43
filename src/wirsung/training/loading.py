"""Batches by number: the same whoever loads them, in this process or in others, from whichever one on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch.utils.data import DataLoader, Dataset

from wirsung.training.randomness import Stream, seed_everything, seed_words

Batch = dict[str, Any]


class Source(Protocol):
    """What draws a batch from the global random numbers, such as nnU-Net's loader."""

    def generate_train_batch(self) -> Batch:
        """One batch: `data`, `target` and the `keys` of its cases."""


@dataclass(frozen=True)
class NumberedBatches(Dataset[Batch]):
    """The batches of a training, each made when it is asked for."""

    source: Source
    seed: int
    stream: Stream
    rank: int = 0

    def __getitem__(self, number: int) -> Batch:
        seed_everything(seed_words(self.seed, self.stream, number, self.rank))
        return self.source.generate_train_batch()


class BatchLoader:
    """The batch that the training asks for by `wanted`, made ahead by other processes where there are any.

    Args:
        batches: Every batch by its number.
        wanted: The number of the next batch.
        workers: Processes that make batches ahead; 0 makes each one here when it is wanted.
        pin: Whether they are put where a GPU fetches them faster.
    """

    def __init__(
        self, batches: NumberedBatches, wanted: Callable[[], int], workers: int, *, pin: bool
    ) -> None:
        self._batches = batches
        self._wanted = wanted
        self._workers = workers
        self._pin = pin
        self._coming: Iterator[Batch] | None = None
        self._next = -1

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        number = self._wanted()
        if self._workers == 0:
            return self._batches[number]
        if self._coming is None or self._next != number:
            self._coming = self._from(number)
        self._next = number + 1
        return next(self._coming)

    def close(self) -> None:
        """End the processes."""
        self._coming = None

    def _from(self, number: int) -> Iterator[Batch]:
        loader = DataLoader(
            self._batches,
            batch_size=None,
            sampler=_Counting(number),
            num_workers=self._workers,
            collate_fn=_as_it_is,
            pin_memory=self._pin,
            generator=torch.Generator(),  # else the seed of the processes would be drawn from ours
        )
        return iter(loader)


@dataclass(frozen=True)
class _Counting:
    """The numbers from one on, without end."""

    first: int

    def __iter__(self) -> Iterator[int]:
        number = self.first
        while True:
            yield number
            number += 1

    def __len__(self) -> int:
        return 2**31


def _as_it_is(batch: Any) -> Any:  # noqa: ANN401 - what torch hands over
    return batch
