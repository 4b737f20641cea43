"""Mirroring."""

from collections.abc import Sequence

import torch


def mirror(arrays: Sequence[torch.Tensor], axes: Sequence[int]) -> None:
    """Flip arrays (c, z, y, x) along axes that are counted without the channel, in place."""
    if axes:
        for array in arrays:
            array.copy_(array.flip([axis + 1 for axis in axes]))
