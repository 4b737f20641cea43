import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from wirsung.imaging.dicom_tilt import Shear, straightened
from wirsung.imaging.volume import Volume

SPACING = np.array([0.8, 0.7, 2.0])
GRID = np.diag([*SPACING, 1.0])
AIR = -1000


def sheared(field, shape, shear):
    """What a tilted gantry gives of a field of i and j in mm: each slice beside the one before."""
    i, j, k = np.indices(shape)
    steps = k - (shape[2] - 1) / 2
    return field(i * SPACING[0] + steps * shear.along_row_mm, j * SPACING[1] + steps * shear.along_column_mm)


def true_of(field, volume):
    i, j, _ = np.moveaxis(np.moveaxis(np.indices(volume.shape), 0, -1) @ volume.affine[:3, :3].T, -1, 0)
    return field(i + volume.affine[0, 3], j + volume.affine[1, 3])


def waves(i_mm, j_mm):
    """Waves of 9 and 11 mm, as fine as anatomy on such pixels."""
    return 100 * np.sin(2 * np.pi * i_mm / 9) + 80 * np.cos(2 * np.pi * j_mm / 11)


@pytest.mark.parametrize("along_row_mm", [-0.33, 0.0, 0.5])
@pytest.mark.parametrize("along_column_mm", [-0.61, 0.0, 0.14])
def test_a_smooth_field_comes_back_to_a_thousandth(along_row_mm, along_column_mm):
    shear = Shear(along_row_mm, along_column_mm, 2.0)
    stored = sheared(waves, (60, 70, 7), shear)
    volume = straightened(Volume(stored, GRID), shear, fill=AIR)
    inner = (slice(12, -12), slice(12, -12))
    assert np.abs(volume.voxels - true_of(waves, volume))[inner].max() < 0.25
    np.testing.assert_allclose(volume.spacing_mm, SPACING)


def test_the_spline_is_scipys():
    stored = np.random.default_rng(0).normal(0, 100, (40, 40, 3))
    shear = Shear(0.0, 0.4 * 0.7, 2.0)
    moved = straightened(Volume(stored, GRID), shear, fill=0).voxels[:, 1:, 0]  # the grid grew by 1
    reference = ndimage.shift(stored[..., 0], (0, -0.4), order=3, mode="mirror")
    low, high = stored[..., 0].min(), stored[..., 0].max()
    np.testing.assert_allclose(moved[:, 12:-15], reference.clip(low, high)[:, 12:-14], atol=1e-4)


def test_the_middle_slice_and_whole_pixels_are_only_moved():
    stored = np.random.default_rng(0).integers(-1000, 1000, (6, 8, 5)).astype(np.int16)
    volume = straightened(Volume(stored, GRID), Shear(0.8, -1.4, 2.0), fill=AIR)
    assert volume.shape == (6 + 4, 8 + 8, 5)
    for k, steps in enumerate(range(-2, 3)):
        at = (slice(2 + steps, 8 + steps), slice(4 - 2 * steps, 12 - 2 * steps))
        np.testing.assert_array_equal(volume.voxels[(*at, k)], stored[..., k])
        assert np.count_nonzero(volume.voxels[..., k] != AIR) == np.count_nonzero(stored[..., k] != AIR)
    np.testing.assert_allclose(volume.affine[:3, 3], [-1.6, -2.8, 0])


@settings(max_examples=40, deadline=None)
@given(st.floats(-1.2, 1.2), st.floats(-1.2, 1.2), st.integers(3, 9))
def test_any_plane_wave_front_stays_at_its_place_up_to_the_border(along_row_mm, along_column_mm, count):
    def slope(i_mm, j_mm):
        return 3.1 * i_mm - 1.7 * j_mm + 40

    shear = Shear(along_row_mm, along_column_mm, 2.0)
    stored = sheared(slope, (14, 15, count), shear)
    volume = straightened(Volume(stored, GRID), shear, fill=1e6)
    covered = volume.voxels != 1e6
    assert covered.sum() >= 13 * 14 * count
    # Shifts below a thousandth of a pixel are left out, and a pixel's step is 2.5.
    assert np.abs(volume.voxels - true_of(slope, volume))[covered].max() < 0.005


def test_values_stay_within_those_of_their_slice():
    stored = np.full((20, 20, 3), -1000, np.int16)
    stored[8:12, 8:12] = 3000
    voxels = straightened(Volume(stored, GRID), Shear(0.0, 0.3, 2.0), fill=AIR).voxels
    assert (voxels.min(), voxels.max()) == (-1000, 3000)
    assert voxels.dtype == np.int16
