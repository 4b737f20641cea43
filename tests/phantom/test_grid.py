"""A grid says where its voxels lie."""

import nibabel as nib
import numpy as np
import pytest

from wirsung.errors import GeometryError
from wirsung.phantom.grid import Grid


def test_the_middle_of_a_centred_grid_lies_where_asked():
    grid = Grid.centred((7, 5, 4), (1.0, 2.0, 3.0), oblique_deg=20, centre_ras_mm=(4.0, -3.0, 9.0))
    assert grid.affine @ [3.0, 2.0, 1.5, 1.0] == pytest.approx([4.0, -3.0, 9.0, 1.0])
    assert grid.spacing_mm == pytest.approx((1.0, 2.0, 3.0))
    assert grid.voxel_volume_mm3 == pytest.approx(6.0)


def test_an_upright_grid_is_ras_to_nibabel():
    assert nib.aff2axcodes(Grid.centred((4, 4, 4), (1.0, 1.0, 1.0)).affine) == ("R", "A", "S")


def test_axes_agree_with_the_affine():
    grid = Grid.centred((4, 5, 6), (1.5, 2.0, 0.7), centre_ras_mm=(1.0, 2.0, 3.0))
    i, j, k = grid.axes_mm
    assert grid.affine @ [3, 4, 5, 1] == pytest.approx([i[3], j[4], k[5], 1])


def test_an_oblique_grid_has_no_axes():
    with pytest.raises(GeometryError, match="oblique"):
        _ = Grid.centred((4, 4, 4), (1.0, 1.0, 1.0), oblique_deg=5).axes_mm


@pytest.mark.parametrize(
    ("shape", "affine"),
    [((4, 0, 4), np.eye(4)), ((4, 4, 4), np.zeros((4, 4))), ((4, 4, 4), np.full((4, 4), np.nan))],
)
def test_a_degenerate_grid_is_refused(shape, affine):
    with pytest.raises(GeometryError, match="grid"):
        Grid(shape, affine)
