"""Distances between the boundaries of two masks, in mm.

A boundary voxel is a voxel of the mask with at least one of its six neighbours outside; what lies beyond the
volume is outside. A distance goes from voxel centre to voxel centre, exact in float64. Other tools measure
between surface elements of a mesh, which `surfel_distances` does; docs/concepts/metrics.md says by how much
the numbers differ. `label_pair` tells how the distances are found.
"""

import numpy as np

from wirsung.evaluation.label_pair import LabelPair
from wirsung.evaluation.surface_metrics import SurfaceDistances, SurfelDistances
from wirsung.imaging.arrays import Mask

__all__ = ["SurfaceDistances", "SurfelDistances", "boundary", "surface_distances", "surfel_distances"]


def surface_distances(
    reference: Mask, prediction: Mask, spacing_mm: tuple[float, float, float]
) -> SurfaceDistances:
    """The distances between the boundaries of two non-empty masks of one shape.

    Args:
        reference: Axes i j k.
        prediction: As the reference.
        spacing_mm: Along i, j and k, in that order.

    Returns:
        The distances of the boundary voxels in the order of the array, the last axis running fastest.

    Example:
        Two single voxels, two steps apart along an axis with 1.5 mm spacing:

        >>> one, other = np.zeros((1, 1, 3), bool), np.zeros((1, 1, 3), bool)
        >>> one[0, 0, 0] = other[0, 0, 2] = True
        >>> surface_distances(one, other, (1.0, 1.0, 1.5)).hd
        3.0
    """
    return _pair(reference, prediction, spacing_mm).distances([1], [1])


def surfel_distances(
    reference: Mask, prediction: Mask, spacing_mm: tuple[float, float, float]
) -> SurfelDistances:
    """The distances between the surface elements of two non-empty masks of one shape; as `surface_distances`.

    Example:
        A single voxel has eight surface elements, one at each corner; each cuts off a corner of its cube.

        >>> one = np.ones((1, 1, 1), bool)
        >>> surfel_distances(one, one, (1.0, 1.0, 1.0)).reference_areas_mm2.round(3).tolist()
        [0.217, 0.217, 0.217, 0.217, 0.217, 0.217, 0.217, 0.217]
    """
    return _pair(reference, prediction, spacing_mm).surfel_distances([1], [1])


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


def _pair(reference: Mask, prediction: Mask, spacing_mm: tuple[float, float, float]) -> LabelPair:
    one, other = (np.ascontiguousarray(mask).view(np.uint8) for mask in (reference, prediction))
    return LabelPair(one, other, spacing_mm)
