"""Distances between the boundaries of two masks, in mm, and the metrics that follow.

A boundary voxel is a voxel of the mask with at least one of its six neighbours outside; what lies beyond the
volume is outside. A distance goes from voxel centre to voxel centre, exact in float64. Other tools measure
between surface elements of a mesh; docs/concepts/metrics.md says by how much the numbers differ.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from wirsung.imaging.arrays import Mask

Distances = NDArray[np.float64]

# The header's float32 spacing makes 3 x 0.8 exceed 2.4 in the last bits: a tie is what is this near to one.
_TIE = 1e-6


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """From each boundary voxel of one mask to the nearest of the other, mm; both non-empty."""

    reference_to_prediction_mm: Distances
    prediction_to_reference_mm: Distances

    def nsd(self, tolerance_mm: float, *, strict: bool) -> float:
        """Normalised surface distance: the fraction of both boundaries near the other one, pooled, 0 to 1.

        Args:
            tolerance_mm: How far is near.
            strict: Near is `<` the tolerance, as in PanTS, rather than `<=`. Distances within a millionth of
                the tolerance count as equal to it.

        Source:
            PanTS (Li et al., 2025), appendix B.4.2, equation 2.
        """
        bound = tolerance_mm * (1 - _TIE if strict else 1 + _TIE)
        near = 0
        for distances in self._both:
            near += int(np.count_nonzero(distances < bound if strict else distances <= bound))
        return near / sum(distances.size for distances in self._both)

    @property
    def hd(self) -> float:
        """Hausdorff distance: the largest distance in either direction, mm."""
        return float(max(distances.max() for distances in self._both))

    @property
    def hd95(self) -> float:
        """The larger of the two directions' 95th percentiles, linearly interpolated, mm."""
        return float(max(np.percentile(distances, 95) for distances in self._both))

    @property
    def assd(self) -> float:
        """Average symmetric surface distance: the mean over both boundaries pooled, mm."""
        total = sum(float(distances.sum()) for distances in self._both)
        return total / sum(distances.size for distances in self._both)

    @property
    def _both(self) -> tuple[Distances, Distances]:
        return self.reference_to_prediction_mm, self.prediction_to_reference_mm


def surface_distances(
    reference: Mask, prediction: Mask, spacing_mm: tuple[float, float, float]
) -> SurfaceDistances:
    """The distances between the boundaries of two non-empty masks of one shape.

    Args:
        reference: Axes i j k.
        prediction: As the reference.
        spacing_mm: Along i, j and k, in that order.

    Example:
        Two single voxels, two steps apart along an axis with 1.5 mm spacing:

        >>> one, other = np.zeros((1, 1, 3), bool), np.zeros((1, 1, 3), bool)
        >>> one[0, 0, 0] = other[0, 0, 2] = True
        >>> surface_distances(one, other, (1.0, 1.0, 1.5)).hd
        3.0
    """
    box = ndimage.find_objects((reference | prediction).view(np.uint8))[0]
    reference_boundary = boundary(reference[box])
    prediction_boundary = boundary(prediction[box])
    return SurfaceDistances(
        _nearest(reference_boundary, prediction_boundary, spacing_mm),
        _nearest(prediction_boundary, reference_boundary, spacing_mm),
    )


def boundary(mask: Mask) -> Mask:
    """The voxels of the mask with a 6-neighbour outside it or beyond the array.

    A box around the mask may be cut out before: what it cuts off is background.

    Example:
        >>> int(boundary(np.ones((3, 3, 3), dtype=bool)).sum())
        26
    """
    padded = np.pad(mask, 1)
    inner = padded[1:-1, 1:-1, 1:-1].copy()
    for axis in range(3):
        for start in (0, 2):
            window = [slice(1, -1)] * 3
            window[axis] = slice(start, start + mask.shape[axis])
            inner &= padded[tuple(window)]
    return mask & ~inner


def _nearest(sources: Mask, targets: Mask, spacing_mm: tuple[float, float, float]) -> Distances:
    """The distance from each source voxel to the nearest target voxel, in the order of the array."""
    transform = ndimage.distance_transform_edt(~targets, sampling=spacing_mm)
    return np.asarray(transform[sources], dtype=np.float64)
