import numpy as np
import pytest
from scipy.spatial import cKDTree

from wirsung.datasets.near_kernels import (
    UNLIKE,
    close_pairs,
    compare_pairs,
    mark_scans,
    overlap_unlikeness,
    slide,
)

RULES = (12, 0.6, 2, 0.0)


def levels(seed, count=40):
    return np.random.default_rng(seed).integers(0, 251, (count, 64)).astype(np.uint8)


def correlation(one, other):
    """By numpy, with each block's mean taken away."""
    x, y = one - one.mean(axis=0), other - other.mean(axis=0)
    return 1 - (x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum())


@pytest.mark.parametrize("shift", [-7, 0, 3, 11])
def test_the_overlap_is_what_numpy_makes_of_it(shift):
    one, other = levels(0), levels(1)
    first, second = one[max(shift, 0) :], other[max(-shift, 0) :]
    shared = min(len(first), len(second))
    expected = correlation(first[:shared].astype(float), second[:shared].astype(float))
    assert overlap_unlikeness(one, other, shift, 0.0) == pytest.approx(expected, abs=1e-12)


def test_a_constant_overlap_tells_nothing():
    flat = np.full((20, 64), 7, np.uint8)
    assert overlap_unlikeness(flat, levels(0, 20), 0, 0.0) == UNLIKE


def test_pairs_are_compared_around_their_shift_only():
    whole = levels(0, 60)
    joined = np.concatenate([whole, whole[9:50]])
    bounds = np.array([0, 60, 101])
    found = np.zeros((3, 2))
    compare_pairs(joined, bounds, np.array([[0, 1, 9], [0, 1, 7], [0, 1, 0]]), RULES, found)
    assert found[0].tolist() == pytest.approx([0, 9], abs=1e-9)
    assert found[1].tolist() == pytest.approx([0, 9], abs=1e-9)
    assert found[2, 0] > 0.5


def test_a_short_scan_slides_over_all_others():
    whole = levels(0, 60)
    joined = np.concatenate([whole[20:34], whole, levels(5, 60), whole[:5]])
    found = np.zeros((4, 2))
    slide(joined, np.array([0, 14, 74, 134, 139]), 0, (12, 0.6, 256.0, 0.0), found)
    assert found[1].tolist() == pytest.approx([0, -20], abs=1e-9)
    assert found[2, 0] > 0.3
    assert found[0, 0] == found[3, 0] == UNLIKE  # itself, and one that is too short


def test_keys_are_where_a_wave_turns():
    """One wave of 40 levels along the body: its crests and troughs, and nothing else."""
    places = np.arange(120)
    wave = np.rint(100 + 60 * np.sin(2 * np.pi * places / 40))
    own = np.repeat(wave[:, None], 64, axis=1).astype(np.uint8)
    keys, marks = np.zeros((60, 3), np.int64), np.zeros((60, 3), np.float32)
    along = np.ones((25, 2), np.float32)
    waves = (np.ones(1), along, np.ones((64, 1), np.float32))
    count = mark_scans(own, np.array([0, 120]), np.array([0]), waves, (12, 0.01), (keys, marks))
    found = {kind: keys[:count][keys[:count, 2] == kind, 1].tolist() for kind in (0, 1)}
    # Some levels beside a crest round to its height; all lie within one level of it.
    assert {round((level - 10) / 40) for level in found[0]} == {1, 2}
    assert {round((level - 30) / 40) for level in found[1]} == {0, 1}
    assert all(abs(level - 10 - 40 * round((level - 10) / 40)) <= 2 for level in found[0])


def test_a_mark_holds_the_mean_of_its_window_without_constant_and_size():
    """Two waves across the blocks: the first is the constant, the other has the weight as its size."""
    own = levels(3, 60)
    across = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    keys, marks = np.zeros((60, 3), np.int64), np.zeros((60, 4), np.float32)
    waves = (np.ones(1), np.ones((25, 1), np.float32), across)
    count = mark_scans(own, np.array([0, 60]), np.array([0]), waves, (4, 2.0), (keys, marks))
    assert count
    for key, mark in zip(keys[:count], marks[:count], strict=True):
        mean = own[key[1] - 12 : key[1] + 13].mean(axis=0) @ across
        assert mark[2:].tolist() == pytest.approx([0, 2 * np.sign(mean[1])], abs=1e-5)


@pytest.mark.parametrize("room", [2, 10_000])
def test_close_pairs_are_those_of_scipy(room):
    radius = 0.3
    points = np.random.default_rng(0).normal(size=(400, 8), scale=[1, 1, 1, *[0.05] * 5]).astype(np.float32)
    places = np.floor((points[:, 1:3] - points[:, 1:3].min(axis=0)) / radius).astype(int) + 1
    high, wide = places.max(axis=0) + 2
    cell = places[:, 0] * wide + places[:, 1]
    points = points[np.lexsort((points[:, 0], cell))]
    cells = np.searchsorted(np.sort(cell), np.arange((high + 1) * wide)).reshape(high + 1, wide)
    found = np.zeros((room, 2), np.int64)
    parts = [(0, 150), (150, 400)]
    counts = [close_pairs(points, cells, part, radius, found) for part in parts]
    expected = cKDTree(points).query_pairs(radius)
    assert sum(counts) == len(expected)
    if room > len(expected):
        rows = []
        for part in parts:
            rows += found[: close_pairs(points, cells, part, radius, found)].tolist()
        assert {tuple(sorted(row)) for row in rows} == expected
