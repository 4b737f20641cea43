"""The part of the body that is scanned is a part of the whole scan."""

import numpy as np
import pytest

from wirsung.phantom.grid import Grid
from wirsung.phantom.randomised.view import HEIGHT_MM, SIDE, part_of, seen

GRID = Grid.centred((96, 80, 80), (4.0, 4.0, 5.0), centre_ras_mm=(0.0, 0.0, -80.0))


@pytest.mark.parametrize("seed", range(20))
def test_the_voxels_are_voxels_of_the_whole_grid(seed):
    part = seen(GRID, np.random.default_rng(seed))
    assert part.spacing_mm == pytest.approx(GRID.spacing_mm)
    first = np.linalg.solve(GRID.affine, part.affine[:, 3])[:3]
    np.testing.assert_allclose(first, np.rint(first), atol=1e-9)
    assert (first >= -1e-9).all()
    assert (np.rint(first) + part.shape <= GRID.shape).all()
    cut = 1 - np.array(part.shape[:2]) / GRID.shape[:2]
    assert (cut <= 2 * SIDE).all()
    assert part.shape[2] == GRID.shape[2] or HEIGHT_MM[0] - 5 <= part.shape[2] * 5 <= HEIGHT_MM[1] + 5


def test_some_scans_are_whole_and_most_are_slabs():
    heights = [seen(GRID, np.random.default_rng(seed)).shape[2] for seed in range(100)]
    assert 8 <= sum(height == 80 for height in heights) <= 35


def test_a_scan_too_short_for_the_slab_is_kept_whole():
    short = Grid.centred((20, 20, 4), (4.0, 4.0, 5.0))
    for seed in range(10):
        assert seen(short, np.random.default_rng(seed)).shape[2] == 4


def test_a_flipped_grid_keeps_the_place_of_each_voxel():
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    flip[:2, 3] = 95, 79
    flipped = Grid(GRID.shape, GRID.affine @ flip)
    part = part_of(flipped, np.array([3, 5, 7]), np.array([10, 20, 30]))
    assert part.shape == (7, 15, 23)
    np.testing.assert_allclose(part.affine @ [0, 0, 0, 1], flipped.affine @ [3, 5, 7, 1])
    np.testing.assert_allclose(part.affine @ [6, 14, 22, 1], flipped.affine @ [9, 19, 29, 1])
