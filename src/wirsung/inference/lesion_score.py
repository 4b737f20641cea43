"""One number a case that says how suspect it is of a pancreatic lesion, for the ROC.

Both numbers come from the lesion's probability within the predicted pancreas, grown by a margin, so that a
bright spot of the liver can't raise them. Where no pancreas was predicted they come from the whole image.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from wirsung.imaging.arrays import Mask, Voxels
from wirsung.imaging.volume import Volume

MARGIN_MM = 10.0
"""How far the pancreas is grown: the outline of a lesion that bulges out of it lies within."""
TOP_ML = 0.1
"""The volume whose most probable voxels are averaged: a ball of 6 mm, about the smallest lesion one reads."""


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
        return _of(probability.voxels.ravel(order="K"), probability, top_ml, "image")
    box, near = _grown(pancreas, probability.spacing_mm, margin_mm)
    return _of(probability.voxels[box][near], probability, top_ml, "pancreas")


def _of(values: Voxels, volume: Volume, top_ml: float, region: Literal["pancreas", "image"]) -> LesionScore:
    # Rounded first: 0.1 ml of voxels of 0.05 ml are 2, whatever the last bit of the division says.
    wanted = math.ceil(round(top_ml * 1000 / volume.voxel_volume_mm3, 6))
    count = min(max(1, wanted), values.size)
    top = np.partition(values, values.size - count)[values.size - count :]
    return LesionScore(float(top.max()), float(top.mean(dtype=np.float64)), count, region)


def _grown(
    mask: Mask, spacing_mm: tuple[float, float, float], margin_mm: float
) -> tuple[tuple[slice, slice, slice], Mask]:
    """A box, and the voxels in it that lie within the margin of the mask."""
    sides = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        filled = np.flatnonzero(mask.any(axis=others))
        reach = math.ceil(margin_mm / spacing_mm[axis])
        last = min(int(filled[-1]) + reach + 1, mask.shape[axis])
        sides.append(slice(max(0, int(filled[0]) - reach), last))
    box = (sides[0], sides[1], sides[2])
    away_mm = ndimage.distance_transform_edt(~mask[box], sampling=spacing_mm)
    return box, away_mm <= margin_mm * (1 + 1e-9)
