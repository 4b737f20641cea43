from itertools import permutations

import nibabel
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from wirsung.errors import ConfigError
from wirsung.imaging.nifti import read_image
from wirsung.imaging.orientation import ALL_CODES, axis_codes, reorient
from wirsung.imaging.volume import Volume


def volume(codes="RAS", angles=(0, 0, 0)):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ np.diag([0.5, 0.75, 2])
    affine[:3, 3] = 10, -20, 30
    return reorient(Volume(np.arange(60).reshape(3, 4, 5), affine), codes)


def place(of, index):
    return of.affine[:3, :3] @ index + of.affine[:3, 3]


def test_there_are_48_orders():
    assert len(set(ALL_CODES)) == 48


def lead(affine):
    """How much nearer the nearest anatomical axis is than the next, for the grid axis with the least."""
    directions = np.abs(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    best = np.sort(directions, axis=0)
    return (best[2] - best[1]).min()


def margin(affine):
    """How much more the cosines of the best order sum to than those of the next; 0 is a tie."""
    cosines = np.abs(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    sums = sorted(cosines[list(order), range(3)].sum() for order in permutations(range(3)))
    return sums[-1] - sums[-2]


@given(st.tuples(*[st.integers(-40, 40)] * 3), st.sampled_from(ALL_CODES))
def test_codes_agree_with_nibabel(angles, codes):
    turned = volume(codes, angles)
    if lead(turned.affine) > 0.2:  # elsewhere it is a matter of taste which axis is the nearest
        assert axis_codes(turned.affine) == "".join(nibabel.aff2axcodes(turned.affine))


@given(st.sampled_from(ALL_CODES), st.sampled_from(ALL_CODES), st.tuples(*[st.integers(-40, 40)] * 3))
def test_there_and_back_is_the_same_volume(start, codes, angles):
    first = volume(start, angles)
    back = reorient(reorient(first, codes), axis_codes(first.affine))
    np.testing.assert_array_equal(back.voxels, first.voxels)
    np.testing.assert_allclose(back.affine, first.affine, atol=1e-12)


@given(st.sampled_from(ALL_CODES), st.tuples(*[st.integers(-180, 180)] * 3))
@example("ILP", (37, -24, 37))
def test_every_voxel_stays_where_it_is(codes, angles):
    before = volume(angles=angles)
    after = reorient(before, codes)
    if (
        margin(before.affine) > 1e-5
    ):  # two orders that fit alike, as at 45 degrees, are a tie: either is right
        assert axis_codes(after.affine) == codes
    places = {int(before.voxels[index]): place(before, index) for index in np.ndindex(before.shape)}
    for index in np.ndindex(after.shape):
        np.testing.assert_allclose(place(after, index), places[int(after.voxels[index])], atol=1e-9)


@given(st.sampled_from(ALL_CODES))
def test_nibabel_moves_the_voxels_alike(codes):
    before = volume()
    image = nibabel.Nifti1Image(before.voxels.astype(np.int16), before.affine)
    steps = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(before.affine), nibabel.orientations.axcodes2ornt(codes)
    )
    expected = image.as_reoriented(steps)
    after = reorient(before, codes)
    np.testing.assert_array_equal(after.voxels, np.asanyarray(expected.dataobj))
    np.testing.assert_allclose(after.affine, expected.affine, atol=1e-9)


def test_no_voxel_is_copied():
    before = volume()
    assert np.shares_memory(reorient(before, "PIL").voxels, before.voxels)


@pytest.mark.parametrize("codes", ["RAA", "ras", "RA", "RASS", "XYZ", ""])
def test_codes_that_name_no_order_are_refused(codes):
    with pytest.raises(ConfigError, match="is no axis order"):
        reorient(volume(), codes)


def test_one_head_in_all_48_orders_is_one_volume(shared_data):
    paths = sorted((shared_data / "orientations").glob("*.nii.gz"))
    assert {path.name[:3] for path in paths} == set(ALL_CODES)
    first = reorient(read_image(paths[0]), "RPS")
    for path in paths:
        turned = read_image(path)
        assert axis_codes(turned.affine) == path.name[:3]
        turned = reorient(turned, "RPS")
        np.testing.assert_array_equal(turned.voxels, first.voxels)
        np.testing.assert_allclose(turned.affine, first.affine, atol=1e-4)
