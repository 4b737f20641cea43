"""One number a case that says how suspect it is of a pancreatic lesion, for the ROC.

Both numbers come from the lesion's probability within the predicted pancreas, grown by a margin, so that a
bright spot of the liver can't raise them. Where no pancreas was predicted they come from the whole image.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from wirsung.imaging.arrays import Mask, Voxels
from wirsung.imaging.volume import Volume
from wirsung.models.nonzero import box_of

MARGIN_MM = 10.0
"""How far the pancreas is grown: the outline of a lesion that bulges out of it lies within."""
TOP_ML = 0.1
"""The volume whose most probable voxels are averaged: a ball of 6 mm, about the smallest lesion one reads."""
_A_LITTLE_MORE = 1 + 1e-9
"""A voxel whose distance is the margin itself counts, whatever the last bit says."""
_MANY = 20_000
"""The distance of so many bright voxels is asked one by one, which is sooner done than that of all."""


@dataclass(frozen=True)
class LesionScore:
    """How suspect a case is."""

    maximum: float
    """The highest probability of any voxel, 0 to 1; it hangs on one voxel."""
    top_mean: float
    """The mean of the `top_voxels` highest, 0 to 1; steadier, and low for tiny lesions."""
    top_voxels: int
    """As many as TOP_ML holds, at least 1, at most as many as there are."""
    region: Literal["pancreas", "image"]
    """Where the voxels were sought: near the pancreas, or everywhere because none was found."""

    def as_json(self) -> dict[str, Any]:
        """For `predictions.json`."""
        return {
            "maximum": round(self.maximum, 6),
            "top_mean": round(self.top_mean, 6),
            "top_voxels": self.top_voxels,
            "region": self.region,
        }


def lesion_score(
    probability: Volume, pancreas: Mask, *, margin_mm: float = MARGIN_MM, top_ml: float = TOP_ML
) -> LesionScore:
    """The case's lesion score.

    Args:
        probability: Of the lesion, 0 to 1.
        pancreas: The predicted pancreas with everything in it, on the same grid.
        margin_mm: Voxels whose centre lies at most so far from that of a pancreas voxel count.
        top_ml: The volume of the voxels that are averaged.

    Example:
        Voxels of 0.05 ml, so that 2 of them are averaged; the third from the pancreas lies too far away.

        >>> said = Volume(np.array([0.2, 0.8, 0.4, 0.9]).reshape(4, 1, 1), np.diag([5.0, 5.0, 2.0, 1.0]))
        >>> score = lesion_score(said, np.array([True, False, False, False]).reshape(4, 1, 1))
        >>> score.maximum, round(score.top_mean, 3), score.top_voxels
        (0.8, 0.6, 2)
    """
    if not pancreas.any():
        return _of(probability.voxels.ravel(order="K"), _count(probability, top_ml), "image")
    box, spacing_mm = _box(pancreas, probability.spacing_mm, margin_mm), probability.spacing_mm
    values, inside, count = probability.voxels[box], pancreas[box], _count(probability, top_ml)
    around = _bright_around(values, inside, spacing_mm, margin_mm, count)
    if around is None:
        away_mm = ndimage.distance_transform_edt(~inside, sampling=spacing_mm)
        return _of(values[away_mm <= margin_mm * _A_LITTLE_MORE], count, "pancreas")
    return _of(np.concatenate((values[inside], around)), count, "pancreas")


def _count(volume: Volume, top_ml: float) -> int:
    """How many voxels are averaged, where there are so many."""
    # Rounded first: 0.1 ml of voxels of 0.05 ml are 2, whatever the last bit of the division says.
    return max(1, math.ceil(round(top_ml * 1000 / volume.voxel_volume_mm3, 6)))


def _of(values: Voxels, wanted: int, region: Literal["pancreas", "image"]) -> LesionScore:
    count = min(wanted, values.size)
    top = np.partition(values, values.size - count)[values.size - count :]
    return LesionScore(float(top.max()), float(top.mean(dtype=np.float64)), count, region)


def _bright_around(
    values: Voxels, inside: Mask, spacing_mm: tuple[float, float, float], margin_mm: float, count: int
) -> Voxels | None:
    """The voxels of the margin that can be among the highest; None where too many may be to ask each."""
    own = values[inside]
    if own.size <= count:
        return None
    bright = np.argwhere((values > _highest(own, count)) & ~inside)
    cut = -math.inf
    if len(bright) > _MANY:
        of_bright = values[tuple(bright.T)]
        cut = _highest(of_bright, _MANY)
        bright = bright[of_bright >= cut]
    if len(bright) > 2 * _MANY:
        return None
    limit_mm = margin_mm * _A_LITTLE_MORE
    tree = cKDTree(np.argwhere(inside) * spacing_mm)
    away_mm, _ = tree.query(bright * spacing_mm, distance_upper_bound=2 * limit_mm)
    near: Voxels = values[tuple(bright[away_mm <= limit_mm].T)]
    # Those below the cut were not asked: none of them may be among the highest.
    return near if _highest(np.concatenate((own, near)), count) >= cut else None


def _highest(values: Voxels, count: int) -> float:
    """The lowest of so many highest values."""
    return float(np.partition(values, values.size - count)[values.size - count])


def _box(mask: Mask, spacing_mm: tuple[float, float, float], margin_mm: float) -> tuple[slice, ...]:
    """What holds every voxel within the margin of the mask."""
    reach = [math.ceil(margin_mm / side) for side in spacing_mm]
    return tuple(
        slice(max(0, first - more), min(stop + more, side))
        for (first, stop), more, side in zip(box_of(mask), reach, mask.shape, strict=True)
    )
