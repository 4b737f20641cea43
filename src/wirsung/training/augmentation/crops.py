"""Which part of nnU-Net's enlarged crop a sample needs, so that no more is read.

nnU-Net reads the enlarged crop for every sample and takes the middle of it where the sample is neither
rotated nor scaled. What lies outside it is 0 (background) for a rotated patch whose corners reach farther, so
the part is cut at its border too, and the outcome is the same.
"""

import math
from dataclasses import dataclass

import numpy as np

from wirsung.training.augmentation.drawing import Draw
from wirsung.training.augmentation.recipe import Recipe


@dataclass(frozen=True)
class Part:
    """A box inside the enlarged crop."""

    start: tuple[int, ...]
    size: tuple[int, ...]

    @property
    def slices(self) -> tuple[slice, ...]:
        """For an array whose last axes are the enlarged crop's."""
        return tuple(slice(start, start + size) for start, size in zip(self.start, self.size, strict=True))


def part(recipe: Recipe, draw: Draw) -> Part:
    """What must be read for a draw: the middle patch, or all that the moved patch reaches.

    Example:
        >>> recipe = Recipe(patch=(128, 128, 128), enlarged=(205, 205, 205))
        >>> part(recipe, Draw()).size, part(recipe, Draw(scale=0.7)).start
        ((128, 128, 128), (56, 56, 56))
    """
    if not draw.moved:
        middle = zip(recipe.enlarged, recipe.patch, strict=True)
        return Part(tuple(large // 2 - small // 2 for large, small in middle), recipe.patch)
    fixed = len(recipe.patch) - recipe.moving
    start, stop = [0] * fixed, list(recipe.enlarged[:fixed])
    reach = np.abs(draw.matrix(recipe.moving)) @ [(size - 1) / 2 for size in recipe.patch[fixed:]]
    for large, radius in zip(recipe.enlarged[fixed:], reach, strict=True):
        # A voxel more on each side than interpolation needs: positions are rounded.
        middle_voxel = (large - 1) / 2
        start.append(max(0, math.floor(middle_voxel - radius) - 1))
        stop.append(min(large, math.ceil(middle_voxel + radius) + 2))
    return Part(tuple(start), tuple(last - first for first, last in zip(start, stop, strict=True)))
