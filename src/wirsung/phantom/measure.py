"""What can be measured on masks, without knowing how they were made."""

import numpy as np
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from wirsung.imaging.arrays import Mask
from wirsung.phantom.frame import Points
from wirsung.phantom.grid import Grid


def longest_diameter_mm(mask: Mask, grid: Grid) -> float:
    """The longest distance between two voxel centres of the mask, in mm; 0 for an empty mask.

    Example:
        >>> grid = Grid.centred((5, 5, 5), (2.0, 2.0, 2.0))
        >>> mask = np.zeros((5, 5, 5), dtype=bool)
        >>> mask[1:4, 2, 2] = True
        >>> longest_diameter_mm(mask, grid)
        4.0
    """
    indices = np.argwhere(mask)
    points = indices @ grid.affine[:3, :3].T
    if len(points) < 2:
        return 0.0
    if len(points) > 50:
        try:
            points = points[ConvexHull(points).vertices]
        except QhullError:  # all in one plane
            return float(pdist(points).max())
    return float(pdist(points).max())


def contact_deg(lesion: Mask, vessel: Mask, grid: Grid, axis_ras_mm: Points) -> float:
    """The largest part of the vessel's circumference that the lesion touches, 0 to 360 degrees.

    In each plane across the vessel, rays leave its axis; one touches if it meets the lesion within a voxel's
    width beyond the vessel.

    Args:
        lesion: Its mask.
        vessel: Its mask, on the same grid.
        grid: The masks' grid.
        axis_ras_mm: Points along the vessel's axis, at most a few millimetres apart.
    """
    angles = np.deg2rad(np.arange(0, 360, 3))
    reach = np.arange(0, 16, 0.25)
    largest = 0.0
    for before, here, after in zip(axis_ras_mm[:-2], axis_ras_mm[1:-1], axis_ras_mm[2:], strict=True):
        axis = (after - before) / np.linalg.norm(after - before)
        first = np.cross(axis, [1.0, 0.0, 0.0] if abs(axis[0]) < 0.7 else [0.0, 1.0, 0.0])
        first /= np.linalg.norm(first)
        rays = np.outer(np.cos(angles), first) + np.outer(np.sin(angles), np.cross(axis, first))
        spots = here + rays[:, None] * reach[None, :, None]
        inside = _sample(vessel, grid, spots)
        leaves = np.argmin(inside, axis=1)
        beyond = _sample(lesion, grid, spots)
        width = max(1, round(max(grid.spacing_mm) / 0.25))
        near = (np.arange(len(reach)) >= leaves[:, None]) & (np.arange(len(reach)) < leaves[:, None] + width)
        touched = (beyond & near).any(axis=1) & inside[:, 0] & ~inside.all(axis=1)
        largest = max(largest, float(touched.mean()) * 360)
    return largest


def _sample(mask: Mask, grid: Grid, points: Points) -> Mask:
    """The mask's value at the voxel nearest to each point; outside the grid, False."""
    inverse = np.linalg.inv(grid.affine)
    indices = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    valid = ((indices >= 0) & (indices < grid.shape)).all(axis=-1)
    i, j, k = np.moveaxis(np.where(valid[..., None], indices, 0), -1, 0)
    return np.asarray(mask[i, j, k] & valid)
