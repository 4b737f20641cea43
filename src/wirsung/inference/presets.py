"""Presets: how much accuracy is given for speed; docs/concepts/presets.md tells what each costs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from wirsung.models.plans import Shape, Spacing

PresetName = Literal["exact", "balanced", "fast"]
Steps = tuple[float, float, float]
"""How far tiles are apart at most along z, y and x, as fractions of the patch."""

SMALLEST_STEP = 0.5
"""nnU-Net's own, and so that of `exact`; no preset lays tiles closer."""


@dataclass(frozen=True)
class Region:
    """How the part of the image is found that is worth full resolution."""

    factor: int
    """How much coarser the first pass is along each axis."""
    margin_mm: float
    """What is added around all that the first pass found."""
    needs_every_class: bool
    """Whether the whole image is predicted where a class was not found that is no part of another."""


@dataclass(frozen=True)
class Preset:
    """What a preset does."""

    largest_step: float
    """How far tiles are apart at most, as a fraction of the patch."""
    context_mm: float = 0.0
    """Every voxel lies at least so far inside one of its tiles; tiles are laid closer until that holds."""
    skips_air: bool = False
    """Whether tiles outside the body are background, where the model's training data say so."""
    region: Region | None = None
    """None to predict the whole image."""

    def with_step(self, step: float | None) -> "Preset":
        """The same with tiles as far apart as somebody chose; None for as the preset says."""
        return self if step is None else replace(self, largest_step=step, context_mm=0.0)

    def steps(self, patch: Shape, spacing_mm: Spacing) -> Steps:
        """How far tiles are apart for a model, along each axis.

        Tiles that are the fraction s of a patch of size P apart leave each voxel at least P (1 - s) / 2
        inside one of them, which must not be less than `context_mm`.

        Args:
            patch: The shape that the network was trained on.
            spacing_mm: Of its voxels.

        Example:
            >>> preset = Preset(0.75, context_mm=24.0)
            >>> preset.steps((64, 64, 32), (3.0, 2.0, 2.5))  # 192, 128 and 80 mm
            (0.75, 0.625, 0.5)
        """
        z, y, x = (self._step(size * one_mm) for size, one_mm in zip(patch, spacing_mm, strict=True))
        return z, y, x

    def _step(self, tile_mm: float) -> float:
        return min(self.largest_step, max(SMALLEST_STEP, 1 - 2 * self.context_mm / tile_mm))


PRESETS: Mapping[PresetName, Preset] = MappingProxyType(
    {
        "exact": Preset(SMALLEST_STEP),
        "balanced": Preset(0.75, 24.0, True, Region(2, 30.0, needs_every_class=True)),
        "fast": Preset(0.9, 8.0, True, Region(2, 20.0, needs_every_class=False)),
    }
)
