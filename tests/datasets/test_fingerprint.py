import numpy as np
import pytest

from wirsung.datasets.fingerprint import STEP_MM, fingerprint, rps_sha256
from wirsung.imaging.orientation import ALL_CODES, reorient
from wirsung.imaging.volume import Volume


def test_a_block_of_one_brightness_has_that_brightness():
    """Air and two halves of a body: the levels are the means of what lies in them, by hand."""
    voxels = np.full((120, 120, 20), 40, np.int16)
    voxels[:, :, 10:] = 90
    found = fingerprint(Volume(voxels, np.diag([3.0, 3.0, 5.0, 1.0])), is_ct=True).levels
    # 100 mm in all; levels every 3 mm from 4.5 mm on, each the mean over 9 mm.
    assert len(found) == int((100 - 9) / STEP_MM) + 1
    assert found[0] == pytest.approx(40, abs=1e-3)
    assert found[-1] == pytest.approx(90, abs=1e-3)
    # The level from 48 to 57 mm, centre 52.5: 2 mm of 40 and 7 mm of 90.
    assert found[16] == pytest.approx((2 * 40 + 7 * 90) / 9, abs=1e-2)


def test_what_is_too_small_has_no_fingerprint():
    assert fingerprint(Volume(np.zeros((12, 10, 8), np.int16), np.diag([2.0, 2, 3, 1])), is_ct=True) is None


@pytest.mark.parametrize("codes", ALL_CODES)
def test_the_checksum_is_the_same_in_every_order_of_axes(codes):
    voxels = np.random.default_rng(0).integers(-1000, 1000, (4, 5, 6)).astype(np.int16)
    volume = Volume(voxels, np.diag([1.0, 2, 3, 1]))
    assert rps_sha256(reorient(volume, codes), is_ct=True) == rps_sha256(volume, is_ct=True)


def test_the_checksum_tells_a_voxel_a_shape_and_a_mirror_image_apart():
    voxels = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    first = rps_sha256(Volume(voxels, np.eye(4)), is_ct=True)
    changed = voxels.copy()
    changed[0, 0, 0] = 1
    others = [changed, voxels.reshape(3, 5, 4), voxels[::-1]]
    assert first not in {rps_sha256(Volume(other, np.eye(4)), is_ct=True) for other in others}


def test_a_clip_does_not_change_the_checksum_of_ct():
    voxels = np.array([[[-3024, 0, 2500]]], dtype=np.int16)
    clipped = np.clip(voxels, -1000, 1000)
    same = [rps_sha256(Volume(other, np.eye(4)), is_ct=True) for other in (voxels, clipped)]
    assert same[0] == same[1]
    assert rps_sha256(Volume(voxels, np.eye(4)), is_ct=False) != same[0]
