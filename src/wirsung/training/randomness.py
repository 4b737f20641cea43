"""Random numbers by count instead of by state: what a batch draws depends on its number alone.

So a training that goes on in the middle of an epoch draws what the unbroken one would have drawn, whichever
process loads the batch, and a checkpoint holds no state of a generator.
"""

import random
from enum import IntEnum

import numpy as np
import torch


class Stream(IntEnum):
    """What random numbers are for; streams never meet."""

    TRAINING = 0
    """The patches of a training batch and their augmentation."""
    VALIDATION = 1
    """The patches of a validation batch."""
    LEARNING = 2
    """What the network itself draws in a step, such as dropout."""


def seed_words(seed: int, stream: Stream, number: int, rank: int = 0) -> list[int]:
    """Four words of 32 bits that differ wherever one of the arguments does.

    Args:
        seed: Of the training.
        stream: What is drawn.
        number: Of the batch, counted over all epochs from 0.
        rank: Of the process, where several share a batch.

    Example:
        >>> seed_words(0, Stream.TRAINING, 7) == seed_words(0, Stream.TRAINING, 7)
        True
        >>> seed_words(0, Stream.TRAINING, 7) == seed_words(0, Stream.TRAINING, 7, rank=1)
        False
    """
    return [int(word) for word in np.random.SeedSequence([seed, stream, number, rank]).generate_state(4)]


def seed_everything(words: list[int]) -> None:
    """Seed the generators that nnU-Net draws from: Python's, numpy's and torch's."""
    whole = sum(word << (32 * index) for index, word in enumerate(words))
    random.seed(whole)
    np.random.seed(words)  # noqa: NPY002 - what nnU-Net's loader draws from
    torch.manual_seed(whole % 2**63)


def generator_of(words: list[int], device: torch.device) -> torch.Generator:
    """A generator of its own for those words, on that device."""
    whole = sum(word << (32 * index) for index, word in enumerate(words))
    return torch.Generator(device).manual_seed(whole % 2**63)
