"""Whether two grids are one: every comparison is a distance in mm between matching corners.

The corners are the eight outer ones of the whole grid, half a voxel outside the outermost voxel centres, so
that a difference in spacing, direction or origin shows where it is largest.
"""

from itertools import product

import numpy as np

from wirsung.errors import GeometryError
from wirsung.imaging.arrays import Affine
from wirsung.imaging.orientation import axis_codes, reindex
from wirsung.imaging.volume import Volume


def grid_corners_mm(shape: tuple[int, int, int], affine: Affine) -> np.ndarray:
    """The eight outer corners of a grid in RAS+ mm, shape (8, 3).

    Example:
        >>> grid_corners_mm((2, 2, 2), np.eye(4)).min(), grid_corners_mm((2, 2, 2), np.eye(4)).max()
        (np.float64(-0.5), np.float64(1.5))
    """
    indices = np.array(list(product(*((-0.5, count - 0.5) for count in shape))))
    return np.asarray(indices @ affine[:3, :3].T + affine[:3, 3])


def corner_distance_mm(reference: Volume, prediction: Volume) -> float:
    """The largest distance in mm between matching grid corners; infinite where the shapes differ.

    Example:
        >>> here = Volume(np.zeros((4, 4, 4)), np.eye(4))
        >>> moved = np.eye(4)
        >>> moved[:3, 3] = 3, 4, 0
        >>> there = Volume(np.zeros((4, 4, 4)), moved)
        >>> corner_distance_mm(here, there)
        5.0
    """
    if reference.shape != prediction.shape:
        return float("inf")
    first = grid_corners_mm(reference.shape, reference.affine)
    second = grid_corners_mm(prediction.shape, prediction.affine)
    return float(np.linalg.norm(first - second, axis=1).max())


def check_same_grid(
    reference: Volume, prediction: Volume, *, case: str, names: tuple[str, str], tolerance_mm: float = 0.01
) -> None:
    """Pass where both volumes lie on one grid.

    Args:
        reference: The volume whose grid counts.
        prediction: The volume that must lie on it.
        case: For the message.
        names: The file of the reference, then the other's, for the message.
        tolerance_mm: Largest distance allowed at any corner.

    Raises:
        GeometryError: They don't; the message gives the distance in mm.
    """
    distance_mm = corner_distance_mm(reference, prediction)
    if distance_mm <= tolerance_mm:
        return
    if _reindexed(prediction, reference, tolerance_mm) is not None:
        codes = axis_codes(prediction.affine), axis_codes(reference.affine)
        hint = f"Only the order of its axes differs ({codes[0]} for {codes[1]}): re-index it, don't resample."
    else:
        hint = f"Resample {names[1]} onto the grid of {names[0]}, or mend its affine."
    msg = f"Case {case}: {_difference(reference, prediction, names, distance_mm)} {hint}"
    raise GeometryError(msg)


def same_grid_as(
    volume: Volume, reference: Volume, *, case: str, names: tuple[str, str], tolerance_mm: float = 0.01
) -> Volume:
    """The volume on exactly the reference's grid: as it is, or with its axes flipped and permuted.

    Args:
        volume: Where it covers the same voxels, none of its values change.
        reference: The volume whose grid counts.
        case: For the message.
        names: The file of the reference, then the other's, for the message.
        tolerance_mm: Largest distance allowed at any corner.

    Raises:
        GeometryError: It needs more than re-indexing; the message gives the distance in mm.
    """
    found = volume
    if corner_distance_mm(reference, volume) > tolerance_mm:
        reindexed = _reindexed(volume, reference, tolerance_mm)
        if reindexed is None:
            check_same_grid(reference, volume, case=case, names=names, tolerance_mm=tolerance_mm)
        else:
            found = reindexed
    return reference.with_voxels(found.voxels)


def _reindexed(volume: Volume, reference: Volume, tolerance_mm: float) -> Volume | None:
    """The volume with its axes in the reference's order, or None where that is not the only difference."""
    steps = np.linalg.solve(reference.affine[:3, :3], volume.affine[:3, :3])
    signs = np.rint(steps)
    if not np.array_equal(np.sort(np.abs(signs), axis=0), [[0, 0, 0], [0, 0, 0], [1, 1, 1]]):
        return None
    if np.linalg.matrix_rank(signs) < 3:
        return None
    axes = tuple(int(axis) for axis in np.abs(signs).argmax(axis=1))
    flips = tuple(bool(signs[row, axis] < 0) for row, axis in enumerate(axes))
    candidate = reindex(volume, axes, flips)
    return candidate if corner_distance_mm(reference, candidate) <= tolerance_mm else None


def _difference(reference: Volume, prediction: Volume, names: tuple[str, str], distance_mm: float) -> str:
    if reference.shape != prediction.shape:
        return f"{names[1]} has shape {prediction.shape}, but {names[0]} has {reference.shape}."
    return f"{names[1]} lies {distance_mm:.3g} mm away from {names[0]} at the farthest corner of its grid."
