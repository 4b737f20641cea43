import numpy as np
import pytest

from wirsung.errors import GeometryError
from wirsung.imaging.volume import Volume

SHEARED = np.array([[1, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1.0]])


def test_spacing_and_voxel_volume_come_from_the_affine():
    volume = Volume(np.zeros((2, 3, 4)), np.diag([-0.5, 0.75, 2, 1]))
    assert volume.shape == (2, 3, 4)
    assert volume.spacing_mm == (0.5, 0.75, 2.0)
    assert volume.voxel_volume_mm3 == pytest.approx(0.75)


def test_a_sheared_voxel_has_the_volume_of_its_determinant():
    volume = Volume(np.zeros((2, 2, 2)), SHEARED)
    assert volume.voxel_volume_mm3 == pytest.approx(3)
    assert np.prod(volume.spacing_mm) > 3.3


def test_neither_voxels_nor_affine_can_be_changed():
    given = np.zeros((2, 2, 2))
    volume = Volume(given, np.eye(4))
    with pytest.raises(ValueError, match="read-only"):
        volume.voxels[0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        volume.affine[0, 0] = 2
    given[0, 0, 0] = 1  # the caller's own array stays writable


def test_the_affine_is_copied():
    affine = np.eye(4)
    volume = Volume(np.zeros((2, 2, 2)), affine)
    affine[0, 0] = 5
    assert volume.spacing_mm == (1, 1, 1)


@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 2, 1), (0, 2, 2)])
def test_anything_but_three_axes_is_refused(shape):
    with pytest.raises(GeometryError, match="three axes"):
        Volume(np.zeros(shape), np.eye(4))


@pytest.mark.parametrize("affine", [np.eye(3), np.full((4, 4), np.nan), np.diag([1, np.inf, 1, 1])])
def test_an_affine_that_is_no_finite_matrix_is_refused(affine):
    with pytest.raises(GeometryError, match="finite 4 x 4"):
        Volume(np.zeros((2, 2, 2)), affine)


@pytest.mark.parametrize("affine", [np.diag([1, 0, 1, 1]), np.diag([0, 0, 0, 1]), np.ones((4, 4))])
def test_an_affine_without_volume_is_refused(affine):
    with pytest.raises(GeometryError, match="span no volume"):
        Volume(np.zeros((2, 2, 2)), affine)


def test_other_voxels_keep_the_grid():
    volume = Volume(np.zeros((2, 2, 2)), SHEARED)
    other = volume.with_voxels(np.ones((2, 2, 2), bool))
    np.testing.assert_array_equal(other.affine, SHEARED)
    with pytest.raises(GeometryError, match=r"shape \(2, 2, 3\), but the grid has \(2, 2, 2\)"):
        volume.with_voxels(np.ones((2, 2, 3)))
