"""What nnU-Net v2.8 draws and how often, and what a training adds to it: patch, axes, targets."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

ROTATION, SCALING = 0.2, 0.2
"""How often a sample is rotated, and how often scaled, 0 to 1."""
SCALES = (0.7, 1.4)
"""Above 1 things become smaller."""
NOISE, NOISE_SD = 0.1, (0.0, 0.1)
"""nnU-Net calls the second its variance, but draws with it as the standard deviation."""
BLUR, BLUR_CHANNEL, BLUR_VOXELS = 0.2, 0.5, (0.5, 1.0)
"""The last is the Gaussian's standard deviation along each axis."""
BRIGHTNESS, BRIGHTNESS_FACTORS = 0.15, (0.75, 1.25)
CONTRAST, CONTRAST_FACTORS = 0.15, (0.75, 1.25)
RESOLUTION, RESOLUTION_CHANNEL, RESOLUTION_FRACTIONS = 0.25, 0.5, (0.5, 1.0)
GAMMA_INVERTED, GAMMA, GAMMA_EXPONENTS = 0.1, 0.3, (0.7, 1.5)
MIRRORING = 0.5
"""For each allowed axis."""

OUTSIDE = -1
"""The label of voxels that lie outside the crop or outside what was measured."""


@dataclass(frozen=True)
class Recipe:
    """What one training's augmentation needs to know; arrays are (z, y, x) in the plan's axis order."""

    patch: tuple[int, ...]
    """Voxels of what the network sees."""
    enlarged: tuple[int, ...]
    """Voxels of what nnU-Net reads, so that a rotated patch has corners; at least the patch."""
    rotation_rad: float = math.radians(30)
    """Angles are uniform from minus this to this."""
    flat: bool = False
    """Rotate and scale within slices only (nnU-Net's dummy 2D), for patches of few thick slices."""
    mirror_axes: tuple[int, ...] = ()
    """Of z, y, x as 0, 1, 2."""
    masked_channels: tuple[int, ...] = ()
    """Set to 0 outside what was measured: those that were normalised within it only."""
    regions: tuple[tuple[int, ...], ...] | None = None
    """Label values of each region where the network learns regions, the ignored label last."""
    scales: tuple[tuple[float, ...], ...] | None = None
    """Of the targets that deep supervision wants, as fractions of the patch; None is without it."""
    still: bool = False
    """Whether nothing is drawn, as in validation."""

    @classmethod
    def unchanged(
        cls,
        patch: Sequence[int],
        scales: Sequence[Sequence[float]] | None,
        regions: Sequence[Sequence[int]] | None,
    ) -> Self:
        """For validation, where nothing is drawn."""
        return cls(whole(patch), whole(patch), regions=_regions(regions), scales=_scales(scales), still=True)

    @classmethod
    def of(
        cls,
        patch: Sequence[int],
        configured: tuple[Sequence[float], bool, Sequence[int], Sequence[int] | None],
        masked: Sequence[bool] = (),
        scales: Sequence[Sequence[float]] | None = None,
        regions: Sequence[Sequence[int]] | None = None,
    ) -> Self:
        """From what nnU-Net's trainer configures.

        Args:
            patch: Voxels of the plan's patch.
            configured: Rotation range in radians, whether flat, voxels of the enlarged crop and the axes that
                may be mirrored, as `configure_rotation_dummyDA_mirroring_and_inital_patch_size` answers.
            masked: For each channel whether it was normalised within the nonzero mask only.
            scales: nnU-Net's deep supervision scales.
            regions: Label values of each region, the ignored label last.
        """
        rotation, flat, enlarged, axes = configured
        return cls(
            whole(patch),
            whole(enlarged),
            float(max(rotation)),
            bool(flat),
            whole(axes or ()),
            tuple(channel for channel, is_masked in enumerate(masked) if is_masked),
            _regions(regions),
            _scales(scales),
        )

    @property
    def moving(self) -> int:
        """How many of the last axes are rotated and scaled: 2 or 3."""
        return len(self.patch) - int(self.flat)


def whole(numbers: Sequence[int]) -> tuple[int, ...]:
    """As Python's own integers; NumPy's are not understood everywhere."""
    return tuple(int(number) for number in numbers)


def _regions(regions: Sequence[Sequence[int]] | None) -> tuple[tuple[int, ...], ...] | None:
    return None if regions is None else tuple(whole(labels) for labels in regions)


def _scales(scales: Sequence[Sequence[float]] | None) -> tuple[tuple[float, ...], ...] | None:
    return None if scales is None else tuple(tuple(map(float, scale)) for scale in scales)
