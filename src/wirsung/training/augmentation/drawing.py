"""The decisions for one sample, drawn before a voxel is read, from one generator on the CPU."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from wirsung.training.augmentation import recipe as nnunet
from wirsung.training.augmentation.recipe import Recipe

Range = tuple[float, float]
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Draw:
    """What happens to one sample; nothing, unless it says so."""

    angles_rad: tuple[float, ...] | None = None
    """About z, y and x; of a flat recipe only the last of its two counts."""
    scale: float | None = None
    """Of all axes that move; above 1 things become smaller."""
    noise_sd: float | None = None
    """In the image's own units; the same for all channels."""
    noise_seed: int = 0
    blur_voxels: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    """Of the channels that are blurred: the standard deviation along each axis."""
    brightness: Mapping[int, float] = field(default_factory=dict)
    """Of the channels that change: the factor."""
    contrast: Mapping[int, float] = field(default_factory=dict)
    resolution: Mapping[int, float] = field(default_factory=dict)
    """Of the channels that are coarsened: the fraction of the voxels kept along an axis."""
    gamma_inverted: Mapping[int, float] = field(default_factory=dict)
    gamma: Mapping[int, float] = field(default_factory=dict)
    mirrored: tuple[int, ...] = ()
    """Axes."""

    @property
    def moved(self) -> bool:
        """Whether the patch is rotated or scaled, and so interpolated."""
        return self.angles_rad is not None or self.scale is not None

    def matrix(self, axes: int) -> NDArray[np.float64]:
        """From the patch's offsets from its centre to the crop's, in voxels.

        Args:
            axes: 3, or 2 within a slice.

        Example:
            >>> Draw(scale=0.5).matrix(2).tolist()
            [[0.5, 0.0], [0.0, 0.5]]
            >>> Draw(angles_rad=(0.0, math.pi / 2)).matrix(2).round(9).tolist()
            [[0.0, -1.0], [1.0, 0.0]]
        """
        turned = np.eye(axes)
        if self.angles_rad is not None and axes == 2:
            turned = _turn(self.angles_rad[-1], 2, (0, 1))
        elif self.angles_rad is not None:
            first, second, third = self.angles_rad
            turned = _turn(third, 3, (0, 1)) @ _turn(second, 3, (2, 0)) @ _turn(first, 3, (1, 2))
        return turned * (1.0 if self.scale is None else self.scale)


def draw(recipe: Recipe, channels: int, generator: torch.Generator) -> Draw:
    """Decide on one sample as nnU-Net's default transforms would.

    Args:
        recipe: Of the training.
        channels: Of the image.
        generator: On the CPU; the same state draws the same.
    """
    if recipe.still:
        return Draw()
    dice = _Dice(channels, generator)
    turned, scaled = dice.happens(nnunet.ROTATION), dice.happens(nnunet.SCALING)
    angles = dice.many((-recipe.rotation_rad, recipe.rotation_rad), recipe.moving)
    scale = dice.uniform(nnunet.SCALES)
    noisy, noise_sd = dice.happens(nnunet.NOISE), dice.uniform(nnunet.NOISE_SD)

    def factors(often: float, bounds: Range) -> dict[int, float]:
        return dice.per_channel(often, 1, lambda: dice.around_one(bounds))

    return Draw(
        angles_rad=angles if turned else None,
        scale=scale if scaled else None,
        noise_sd=noise_sd if noisy else None,
        noise_seed=int(dice.number() * 2**53),
        blur_voxels=dice.per_channel(
            nnunet.BLUR, nnunet.BLUR_CHANNEL, lambda: dice.many(nnunet.BLUR_VOXELS, len(recipe.patch))
        ),
        brightness=factors(nnunet.BRIGHTNESS, nnunet.BRIGHTNESS_FACTORS),
        contrast=factors(nnunet.CONTRAST, nnunet.CONTRAST_FACTORS),
        resolution=dice.per_channel(
            nnunet.RESOLUTION, nnunet.RESOLUTION_CHANNEL, lambda: dice.uniform(nnunet.RESOLUTION_FRACTIONS)
        ),
        gamma_inverted=factors(nnunet.GAMMA_INVERTED, nnunet.GAMMA_EXPONENTS),
        gamma=factors(nnunet.GAMMA, nnunet.GAMMA_EXPONENTS),
        mirrored=tuple(axis for axis in recipe.mirror_axes if dice.happens(nnunet.MIRRORING)),
    )


class _Dice:
    """Uniform numbers from 0 to 1 for one sample, drawn at once, which is faster than one by one."""

    def __init__(self, channels: int, generator: torch.Generator) -> None:
        # More than a sample can ask for: 18 at most, and 18 a channel.
        count = 24 + 20 * channels
        self._channels = channels
        self._numbers = iter(torch.rand(count, dtype=torch.float64, generator=generator).tolist())

    def number(self) -> float:
        return float(next(self._numbers))

    def happens(self, often: float) -> bool:
        return self.number() < often

    def uniform(self, bounds: Range) -> float:
        low, high = bounds
        return low + (high - low) * self.number()

    def many(self, bounds: Range, count: int) -> tuple[float, ...]:
        return tuple(self.uniform(bounds) for _ in range(count))

    def around_one(self, bounds: Range) -> float:
        """Below 1 as often as above, whatever the bounds."""
        low, high = bounds
        return self.uniform((low, 1) if self.happens(0.5) else (1, high))

    def per_channel(self, often: float, each: float, value: Callable[[], _Value]) -> dict[int, _Value]:
        """Whether it happens, and then to each channel with its own chance."""
        if not self.happens(often):
            return {}
        return {channel: value() for channel in range(self._channels) if self.happens(each)}


def _turn(angle_rad: float, size: int, plane: tuple[int, int]) -> NDArray[np.float64]:
    """A turn from the first axis of the plane towards the second."""
    first, second = plane
    matrix = np.eye(size)
    matrix[first, first] = matrix[second, second] = math.cos(angle_rad)
    matrix[first, second], matrix[second, first] = -math.sin(angle_rad), math.sin(angle_rad)
    return matrix
