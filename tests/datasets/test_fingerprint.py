import numpy as np
import pytest
from scipy import ndimage

from wirsung.datasets.fingerprint import (
    STEP_MM,
    Fingerprint,
    distance_hu,
    fingerprint,
    near_pairs,
    rps_sha256,
)
from wirsung.imaging.orientation import ALL_CODES, reorient
from wirsung.imaging.volume import Volume

THRESHOLD_HU = 8.0


def scan(seed, shape=(80, 70, 60), spacing_mm=(4.0, 4.0, 4.0)):
    """A body of air, fat and organs, none like the other."""
    rng = np.random.default_rng(seed)
    i, j, _ = np.indices(shape)
    inside = ((i - shape[0] / 2) / 34) ** 2 + ((j - shape[1] / 2) / 26) ** 2 < 1
    organs = ndimage.gaussian_filter(rng.standard_normal(shape), 5)
    hu = np.where(organs > 0, 60, -100) + ndimage.gaussian_filter(rng.standard_normal(shape), 2) * 200
    voxels = np.where(inside, np.clip(hu, -140, 200), -1000).astype(np.int16)
    return Volume(voxels, np.diag([*spacing_mm, 1.0]))


def resampled(volume, factors):
    voxels = ndimage.zoom(volume.voxels.astype(np.float32), factors, order=1, mode="nearest", grid_mode=True)
    affine = volume.affine.copy()
    affine[:3, :3] = affine[:3, :3] / (np.array(voxels.shape) / volume.shape)
    return Volume(np.rint(voxels).astype(np.int16), affine)


@pytest.fixture(scope="module")
def originals():
    """The marks of six scans."""
    return {f"scan-{seed}": fingerprint(scan(seed), is_ct=True) for seed in range(6)}


COPIES = {
    "saved anew with another origin": lambda v: Volume(
        v.voxels.astype(np.float32), v.affine + np.outer([9, 7, -80, 0], [0, 0, 0, 1])
    ),
    "clipped": lambda v: v.with_voxels(np.clip(v.voxels, -200, 300)),
    "turned": lambda v: reorient(v, "SAL"),
    "cropped by 10 slices below": lambda v: Volume(v.voxels[:, :, 10:], v.affine),
    "cropped by 10 slices above": lambda v: Volume(v.voxels[:, :, :-10], v.affine),
    "cropped at the side": lambda v: Volume(v.voxels[3:-2, 2:, :], v.affine),
    "coarser": lambda v: resampled(v, (0.6, 0.6, 0.7)),
    "finer": lambda v: resampled(v, (1.4, 1.4, 2.0)),
    "noisier": lambda v: v.with_voxels(
        (v.voxels + np.random.default_rng(0).normal(0, 15, v.shape)).astype(np.int16)
    ),
    "turned, cropped and coarser": lambda v: resampled(
        reorient(Volume(v.voxels[2:, :, 10:], v.affine), "PIL"), (0.7, 0.8, 0.7)
    ),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_known_again_and_others_are_not(originals, how):
    marks = {**originals, "copy": fingerprint(COPIES[how](scan(0)), is_ct=True)}
    (pair,) = near_pairs(marks, THRESHOLD_HU)
    assert (pair.one, pair.other) == ("copy", "scan-0")
    assert pair.distance_hu == distance_hu(marks["scan-0"], marks["copy"])


def test_the_search_finds_what_comparing_all_pairs_finds(originals):
    marks = originals | {
        f"copy-{seed}": fingerprint(COPIES["coarser"](scan(seed)), is_ct=True) for seed in (1, 4)
    }
    names = sorted(marks)
    all_pairs = [
        (one, other)
        for index, one in enumerate(names)
        for other in names[index + 1 :]
        if distance_hu(marks[one], marks[other]) <= THRESHOLD_HU
    ]
    assert [(pair.one, pair.other) for pair in near_pairs(marks, THRESHOLD_HU)] == all_pairs
    assert all_pairs == [("copy-1", "scan-1"), ("copy-4", "scan-4")]


def test_a_pair_is_sought_among_those_named_only():
    marks = {name: fingerprint(scan(0), is_ct=True) for name in ("a", "b", "c")}
    found = near_pairs(marks, THRESHOLD_HU, among=["a"])
    assert [(pair.one, pair.other) for pair in found] == [("a", "b"), ("a", "c")]


def test_mr_is_known_again_in_another_brightness_and_never_taken_for_ct():
    image = scan(0)
    first = fingerprint(image, is_ct=False)
    brighter = fingerprint(image.with_voxels(image.voxels.astype(np.float32) * 3 + 500), is_ct=False)
    assert distance_hu(first, brighter) < 1
    assert distance_hu(first, fingerprint(image, is_ct=True)) == np.inf


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


def test_too_little_overlap_is_no_pair():
    levels = np.random.default_rng(0).normal(size=(40, 64)).astype(np.float32)
    assert distance_hu(Fingerprint(levels[:30], True), Fingerprint(levels[20:], True)) > 0.5


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
