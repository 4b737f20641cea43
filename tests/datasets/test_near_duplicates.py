import numpy as np
import pytest
from scipy import ndimage

from wirsung.datasets.fingerprint import Fingerprint, fingerprint
from wirsung.datasets.near_duplicates import (
    NEAR,
    Profiles,
    find_near,
    stored_levels,
    unlikeness,
)
from wirsung.imaging.nifti import read_image
from wirsung.imaging.orientation import ALL_CODES, reorient
from wirsung.imaging.volume import Volume


def scan(seed, shape=(80, 70, 70)):
    """A body of air, fat and organs, none like the other."""
    rng = np.random.default_rng(seed)
    i, j, _ = np.indices(shape)
    inside = ((i - shape[0] / 2) / 34) ** 2 + ((j - shape[1] / 2) / 26) ** 2 < 1
    organs = ndimage.gaussian_filter(rng.standard_normal(shape), 5)
    hu = np.where(organs > 0, 60, -100) + ndimage.gaussian_filter(rng.standard_normal(shape), 2) * 200
    voxels = np.where(inside, np.clip(hu, -140, 200), -1000).astype(np.int16)
    return Volume(voxels, np.diag([4.0, 4.0, 4.0, 1.0]))


def resampled(volume, factors, order=1):
    voxels = ndimage.zoom(
        volume.voxels.astype(np.float32), factors, order=order, mode="nearest", grid_mode=True
    )
    affine = volume.affine.copy()
    affine[:3, :3] = affine[:3, :3] / (np.array(voxels.shape) / volume.shape)
    return Volume(np.rint(voxels).astype(np.int16), affine)


COPIES = {
    "turned": lambda v: reorient(v, "SAL"),
    "cropped by 10 slices below": lambda v: Volume(v.voxels[:, :, 10:], v.affine),
    "cropped by 10 slices above": lambda v: Volume(v.voxels[:, :, :-10], v.affine),
    "cropped at the side": lambda v: Volume(v.voxels[3:-2, 2:, :], v.affine),
    "saved anew with another origin": lambda v: Volume(
        v.voxels.astype(np.float32), v.affine + np.outer([9, 7, -80, 0], [0, 0, 0, 1])
    ),
    "noisier": lambda v: v.with_voxels(
        (v.voxels + np.random.default_rng(0).normal(0, 15, v.shape)).astype(np.int16)
    ),
    "clipped to soft tissue": lambda v: v.with_voxels(np.clip(v.voxels, -160, 240)),
    "coarser, by the nearest": lambda v: resampled(v, (0.6, 0.6, 0.7), 0),
    "finer, cubic": lambda v: resampled(v, (1.4, 1.4, 1.5), 3),
    "everything at once": lambda v: resampled(
        reorient(Volume(v.voxels[:, :, 7:-3], v.affine), "PIL"), (0.7, 0.8, 1.3)
    ),
}


@pytest.fixture(scope="module")
def marks():
    return [fingerprint(scan(seed), is_ct=True) for seed in range(6)]


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found_and_no_other(marks, how):
    copy = fingerprint(COPIES[how](scan(2)), is_ct=True)
    (pair,) = find_near(Profiles.of([*marks, copy]))
    assert (pair.one, pair.other) == (2, 6)
    assert pair.unlikeness == pytest.approx(unlikeness(marks[2], copy), abs=1e-9)


def test_the_shift_says_how_much_farther_down_the_first_begins(marks):
    copy = fingerprint(COPIES["cropped by 10 slices below"](scan(0)), is_ct=True)
    (pair,) = find_near(Profiles.of([marks[0], copy]))
    assert pair.shift_mm == pytest.approx(40, abs=3)
    (mirrored,) = find_near(Profiles.of([copy, marks[0]]))
    assert mirrored.shift_mm == -pair.shift_mm


def test_the_search_finds_what_comparing_all_pairs_finds(marks):
    copies = [fingerprint(COPIES["everything at once"](scan(seed)), is_ct=True) for seed in (1, 4)]
    every = [*marks, *copies]
    expected = [
        (one, other)
        for one in range(len(every))
        for other in range(one + 1, len(every))
        if unlikeness(every[one], every[other]) <= NEAR
    ]
    assert [(pair.one, pair.other) for pair in find_near(Profiles.of(every))] == expected == [(1, 6), (4, 7)]


def test_a_slab_too_short_to_have_keys_is_found_in_the_whole(marks):
    slab = fingerprint(Volume(scan(3).voxels[:, :, 30:45], scan(3).affine), is_ct=True)
    pairs = find_near(Profiles.of([slab, *marks]))
    assert [(pair.one, pair.other) for pair in pairs] == [(0, 4)]


def test_what_has_no_fingerprint_or_nothing_in_it_is_like_nothing():
    flat = Fingerprint(np.full((60, 64), 50.0, np.float32), is_ct=True)
    profiles = Profiles.joined([Profiles.empty(2), Profiles.of([flat, flat])])
    assert len(profiles) == 4
    assert find_near(profiles) == []


def test_ct_and_mr_are_never_one(marks):
    as_mr = Fingerprint(marks[0].levels, is_ct=False)
    assert find_near(Profiles.of([marks[0], as_mr])) == []
    assert unlikeness(marks[0], as_mr) == 2.0


def test_mr_is_known_again_in_another_brightness():
    volume = scan(0)
    brighter = volume.with_voxels(volume.voxels.astype(np.float32) * 3 + 500)
    found = [fingerprint(item, is_ct=False) for item in (volume, brighter, scan(1))]
    assert [(pair.one, pair.other) for pair in find_near(Profiles.of(found))] == [(0, 1)]


def test_unlikeness_is_one_minus_the_correlation_by_hand():
    """One block that varies, the rest constant; twelve levels, so that there is one shift only."""
    rng = np.random.default_rng(0)
    one, other = np.full((12, 64), 50.0, np.float32), np.full((12, 64), 50.0, np.float32)
    one[:, 0] = 2 * rng.integers(0, 100, 12)
    other[:, 0] = one[:, 0] + 2 * rng.integers(0, 20, 12)
    x, y = one[:, 0] - one[:, 0].mean(), other[:, 0] - other[:, 0].mean()
    expected = 1 - (x @ y) / np.sqrt((x @ x) * (y @ y))
    found = unlikeness(Fingerprint(one, is_ct=True), Fingerprint(other, is_ct=True))
    assert found == pytest.approx(expected, abs=1e-6)


def test_stored_levels_are_steps_of_2_hu():
    levels = np.array([[-200.0, -199.1, 0.0, 300.0] * 16], np.float32)
    assert stored_levels(Fingerprint(levels, is_ct=True))[0, :4].tolist() == [0, 0, 100, 250]


def test_a_real_ct_is_known_again_however_it_is_copied(shared_data):
    volume = reorient(read_image(shared_data / "ct_abdomen" / "ct.nii.gz"), "RPS")
    rng = np.random.default_rng(0)
    copies = [
        resampled(
            reorient(Volume(volume.voxels[:, :, low : low - 10], volume.affine), ALL_CODES[5 * low]),
            rng.uniform(0.6, 1.5, 3),
            order,
        )
        for low, order in ((0, 0), (4, 1), (9, 3))
    ]
    every = [fingerprint(item, is_ct=True) for item in (volume, *copies)]
    for copy in every[1:]:
        assert unlikeness(every[0], copy) < NEAR / 2
    strangers = [fingerprint(scan(seed), is_ct=True) for seed in range(3)]
    pairs = find_near(Profiles.of([*every, *strangers]))
    assert {(pair.one, pair.other) for pair in pairs} == {(a, b) for a in range(4) for b in range(a + 1, 4)}
