import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from wirsung.errors import GeometryError
from wirsung.imaging.geometry import check_same_grid, corner_distance_mm, grid_corners_mm, same_grid_as
from wirsung.imaging.orientation import ALL_CODES, reorient
from wirsung.imaging.volume import Volume

NAMES = ("ct.nii.gz", "pancreas.nii.gz")
AFFINE = np.diag([0.8, 0.8, 2.5, 1.0])


def volume(affine=AFFINE, shape=(10, 12, 14)):
    return Volume(np.arange(np.prod(shape)).reshape(shape), affine)


def moved(offset_mm):
    affine = AFFINE.copy()
    affine[:3, 3] += offset_mm
    return volume(affine)


def test_a_shift_is_its_own_distance():
    assert corner_distance_mm(volume(), moved([2, 3, 6])) == pytest.approx(7)


def test_a_turn_moves_the_farthest_corner_by_its_chord():
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("z", 60, degrees=True).as_matrix()
    first, second = volume(np.eye(4), (2, 2, 2)), volume(turned, (2, 2, 2))
    radius_mm = np.hypot(1.5, 1.5)  # the corner at (1.5, 1.5); a chord of 60 degrees is the radius
    assert corner_distance_mm(first, second) == pytest.approx(radius_mm)


def test_other_spacing_shows_in_full_at_the_far_corner():
    wider = volume(np.diag([0.8, 0.8, 2.6, 1.0]))
    assert corner_distance_mm(volume(), wider) == pytest.approx(13.5 * 0.1)


def test_the_corners_span_the_volume_of_all_voxels():
    corners = grid_corners_mm((10, 12, 14), AFFINE)
    assert np.prod(np.ptp(corners, axis=0)) == pytest.approx(10 * 12 * 14 * 0.8 * 0.8 * 2.5)


def test_grids_of_different_shape_are_infinitely_far_apart():
    assert corner_distance_mm(volume(), volume(shape=(10, 12, 13))) == np.inf


def test_the_same_grid_passes_up_to_the_tolerance():
    check_same_grid(volume(), moved([0, 0, 0.009]), case="a", names=NAMES)
    check_same_grid(volume(), moved([0, 0, 0.5]), case="a", names=NAMES, tolerance_mm=1)
    with pytest.raises(GeometryError):
        check_same_grid(volume(), moved([0, 0, 0.011]), case="a", names=NAMES)


def test_another_place_is_refused_with_case_files_and_distance():
    with pytest.raises(GeometryError) as refusal:
        check_same_grid(volume(), moved([0, 3, 0]), case="case-7", names=NAMES)
    assert str(refusal.value) == (
        "Case case-7: pancreas.nii.gz lies 3 mm away from ct.nii.gz at the farthest corner of its grid."
        " Resample pancreas.nii.gz onto the grid of ct.nii.gz, or mend its affine."
    )


def test_another_shape_is_refused_with_both_shapes():
    with pytest.raises(GeometryError, match=r"has shape \(10, 12, 13\), but ct.nii.gz has \(10, 12, 14\)"):
        check_same_grid(volume(), volume(shape=(10, 12, 13)), case="a", names=NAMES)


def test_a_grid_with_flipped_axes_is_refused_with_the_remedy():
    with pytest.raises(GeometryError, match=r"Only the order of its axes differs \(LPS for RAS\)"):
        check_same_grid(volume(), reorient(volume(), "LPS"), case="a", names=NAMES)


@given(st.sampled_from(ALL_CODES), st.tuples(*[st.integers(-180, 180)] * 3))
def test_a_flipped_or_permuted_volume_is_re_indexed_exactly(codes, angles):
    affine = AFFINE.copy()
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ affine[:3, :3]
    reference = volume(affine)
    found = same_grid_as(reorient(reference, codes), reference, case="a", names=NAMES)
    np.testing.assert_array_equal(found.voxels, reference.voxels)
    np.testing.assert_array_equal(found.affine, reference.affine)


@pytest.mark.parametrize(
    "affine",
    [
        np.diag([0.8, 0.8, 2.6, 1.0]),
        np.diag([-0.8, 0.8, 2.5, 1.0]),  # flipped, but about the first voxel: elsewhere
        np.array([[0.8, 0, 0, 0], [0, 0.8, 0, 0.5], [0, 0, 2.5, 0], [0, 0, 0, 1]]),
        np.array([[0.8, 0.8, 0, 0], [0, 0.1, 0, 0], [0, 0, 2.5, 0], [0, 0, 0, 1]]),
    ],
)
def test_a_volume_elsewhere_is_never_re_indexed(affine):
    with pytest.raises(GeometryError, match="mm away from"):
        same_grid_as(volume(affine), volume(), case="a", names=NAMES)


def test_a_volume_within_the_tolerance_gets_the_very_grid_of_the_reference():
    found = same_grid_as(moved([0, 0, 0.005]), volume(), case="a", names=NAMES)
    np.testing.assert_array_equal(found.affine, AFFINE)
