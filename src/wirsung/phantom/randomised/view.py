"""Truncation: which part of the body the scan shows, as whole scans, slabs and tight crops do."""

import numpy as np

from wirsung.phantom.grid import Grid

WHOLE = 0.2
"""Fraction of the scans whose slices are all kept."""
HEIGHT_MM = (55.0, 260.0)
"""Of the slab that the others show."""
MIDDLE_MM = (-45.0, 75.0)
"""Where the middle of the slab lies, along the patient from the phantom's origin behind the pancreas."""
SIDES = 0.5
"""Fraction of the scans whose sides are cut, each by up to SIDE of the width or depth."""
SIDE = 0.12


def seen(grid: Grid, rng: np.random.Generator) -> Grid:
    """The part of the grid that is scanned; its voxels are voxels of the whole grid."""
    low, high = np.zeros(3, dtype=int), np.array(grid.shape)
    height_mm, middle_mm = rng.uniform(*HEIGHT_MM), rng.uniform(*MIDDLE_MM)
    cuts = rng.uniform(0, SIDE, (2, 2))
    whole, sides = rng.random() < WHOLE, rng.random() < SIDES
    if not whole:
        low[2], high[2] = _slab(grid, middle_mm, height_mm)
    if sides:
        low[:2] = np.floor(cuts[0] * grid.shape[:2])
        high[:2] -= np.floor(cuts[1] * grid.shape[:2]).astype(int)
    return part_of(grid, low, high)


def part_of(grid: Grid, low: np.ndarray, high: np.ndarray) -> Grid:
    """The voxels from `low` up to but not `high` along each axis, where they lie.

    Example:
        >>> part = part_of(Grid.centred((5, 5, 5), (2.0, 2.0, 2.0)), np.array([1, 0, 0]), np.array([4, 5, 5]))
        >>> part.shape, part.affine[:3, 3].tolist()
        ((3, 5, 5), [-2.0, -4.0, -4.0])
    """
    affine = np.array(grid.affine)
    affine[:3, 3] += affine[:3, :3] @ low
    i, j, k = (int(size) for size in high - low)
    return Grid((i, j, k), affine)


def _slab(grid: Grid, middle_mm: float, height_mm: float) -> tuple[int, int]:
    """The slices of a slab, at least eight of them, moved into the grid where they would stick out."""
    step_mm = grid.spacing_mm[2]
    count = min(max(round(height_mm / step_mm), 8), grid.shape[2])
    inverse = np.linalg.inv(grid.affine)
    middle = inverse[2, 2] * middle_mm + inverse[2, 3]
    first = int(np.clip(round(float(middle) - count / 2), 0, grid.shape[2] - count))
    return first, first + count
