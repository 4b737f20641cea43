"""Batches by number, loaded here or by other processes."""

import random

import numpy as np
import pytest
import torch

from wirsung.training.loading import BatchLoader, NumberedBatches
from wirsung.training.randomness import Stream


class Draws:
    """A source that draws from all three generators, as nnU-Net's loader does."""

    def generate_train_batch(self):
        drawn = torch.tensor([random.random(), np.random.random(), float(torch.rand(()))])  # noqa: NPY002
        return {"data": drawn, "keys": np.array(["p0", "p1"])}


class Count:
    """The batch that a training wants."""

    def __init__(self, first):
        self.number = first

    def __call__(self):
        return self.number


def taken(workers, numbers, rank=0):
    count = Count(numbers[0])
    batches = NumberedBatches(Draws(), 5, Stream.TRAINING, rank)
    loader = BatchLoader(batches, count, workers, pin=False)
    found = []
    for count.number in numbers:
        found.append(next(loader))
    loader.close()
    assert all(list(batch["keys"]) == ["p0", "p1"] for batch in found)
    return torch.stack([batch["data"] for batch in found])


def test_a_batch_depends_on_its_number_alone():
    whole = taken(0, range(6))
    assert torch.equal(whole[3:], taken(0, range(3, 6)))
    assert len({tuple(row.tolist()) for row in whole}) == 6
    assert not torch.equal(whole, taken(0, range(6), rank=1))


@pytest.mark.parametrize("workers", [1, 2])
def test_other_processes_load_the_very_same_batches_in_the_same_order(workers):
    assert torch.equal(taken(workers, range(7)), taken(0, range(7)))


def test_another_batch_than_the_one_prepared_can_be_wanted():
    assert torch.equal(taken(1, [4, 5, 0, 1]), taken(0, [4, 5, 0, 1]))
