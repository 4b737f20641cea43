"""The search for scans that are nearly the same, among tens of thousands, however cut and resampled.

1. Keys: the levels at which the body is densest or least dense within 18 mm. A copy has them at the same
   places of the body, wherever it begins and ends.
2. Marks: around a key, 75 mm of the profile: its mean, and its coarse waves along the body as a unit vector.
   Two copies have a key with marks closer than 0.24 (0.2 at most among 200 copies of phantoms); of two
   people, one pair of keys in some ten millions.
3. Proof: two scans with such keys are laid over each other at the shift that the keys tell, and compared
   over all that they share: 1 - correlation of the blocks along the body, each block's mean taken away.
   Neither the edge of the body, which a resampling smears, nor brightness has a say in it.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wirsung.compute.cases import default_workers
from wirsung.datasets.fingerprint import BLOCKS, FEWEST_LEVELS, LEAST_OVERLAP, RANGE_HU, STEP_MM, Fingerprint
from wirsung.datasets.near_kernels import UNLIKE, close_pairs, compare_pairs, mark_scans, slide

NEAR = 0.04
"""Unlikeness from which two scans are two.

Of 200 phantoms copied (cropped by up to 10 slices at either end, resampled by 0.6 to 1.5 along each axis by
nearest, linear and cubic interpolation, turned) none is farther from its copy than 0.024; of the 19,900 pairs
of different phantoms, which are more alike than people are, none is closer than 0.069.
"""

STEP_HU = 2.0
"""What one unit of a stored level stands for."""

_REACH = 12
_APART = 6
_FINE, _WIDE = 3.0, 9.0
_WAVES_ALONG, _WAVES_ACROSS = 5, 4
_WEIGHT = 2.0
_KINDS = 2
_RADIUS = 0.24
_AROUND = 2
_FEWEST_KEYS = 1
_LEAST_VARIANCE = 1.0
_FARTHEST = 8.0
_SAMPLE = 20_000
_ROOM = 10_000
_Floats = NDArray[np.float32]
_Integers = NDArray[np.int64]


@dataclass(frozen=True)
class NearPair:
    """Two scans that are nearly the same, by their place in the list."""

    one: int
    other: int
    unlikeness: float
    """0 for the same, 1 for scans that have nothing to do with each other."""
    shift_mm: float
    """How much farther down `one` begins."""


@dataclass(frozen=True, eq=False)
class Profiles:
    """The fingerprints of many scans, a byte a block.

    Example:
        >>> flat = Fingerprint(np.full((20, 64), 50.0, np.float32), is_ct=True)
        >>> profiles = Profiles.of([flat, flat])
        >>> profiles.levels.shape, profiles.bounds.tolist(), int(profiles.levels[0, 0])
        ((40, 64), [0, 20, 40], 125)
    """

    levels: NDArray[np.uint8]
    """Of all scans, one after the other; level, block. In steps of 2 HU from -200."""
    bounds: _Integers
    """Scan n has the levels from bounds[n] to bounds[n + 1]."""
    is_ct: NDArray[np.bool_]
    """By scan."""

    @classmethod
    def of(cls, fingerprints: Sequence[Fingerprint]) -> "Profiles":
        """Those of the fingerprints, in their order."""
        stored = [stored_levels(item) for item in fingerprints]
        levels = np.concatenate(stored) if stored else np.zeros((0, BLOCKS * BLOCKS), np.uint8)
        bounds = np.cumsum([0, *map(len, stored)], dtype=np.int64)
        return cls(levels, bounds, np.array([item.is_ct for item in fingerprints], dtype=np.bool_))

    @classmethod
    def empty(cls, scans: int) -> "Profiles":
        """Scans that have no fingerprint."""
        none = np.zeros((0, BLOCKS * BLOCKS), np.uint8)
        return cls(none, np.zeros(scans + 1, np.int64), np.ones(scans, np.bool_))

    @classmethod
    def joined(cls, parts: Sequence["Profiles"]) -> "Profiles":
        """The scans of all parts, in their order."""
        heights = np.concatenate([np.zeros(1, np.int64), *(np.diff(part.bounds) for part in parts)])
        return cls(
            np.concatenate([cls.empty(0).levels, *(part.levels for part in parts)]),
            np.cumsum(heights),
            np.concatenate([cls.empty(0).is_ct, *(part.is_ct for part in parts)]),
        )

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def of_scan(self, number: int) -> NDArray[np.uint8]:
        """The levels of one scan."""
        return self.levels[self.bounds[number] : self.bounds[number + 1]]


def stored_levels(fingerprint: Fingerprint) -> NDArray[np.uint8]:
    """The levels of a fingerprint in steps of 2 HU from -200, a byte each."""
    steps = np.rint((fingerprint.levels - RANGE_HU[0]) / STEP_HU)
    return np.asarray(steps.clip(0, 255), dtype=np.uint8)


def unlikeness(one: Fingerprint, other: Fingerprint) -> float:
    """How unlike two scans are at their best shift along the body, 0 to 2.

    1 - the correlation of their blocks over all levels that they share, the mean of each block taken away. 2
    where they overlap too little, or one is CT and the other is not.

    Example:
        >>> levels = np.random.default_rng(0).uniform(-200, 300, (60, 64)).astype(np.float32)
        >>> whole, part = Fingerprint(levels, is_ct=True), Fingerprint(levels[10:50], is_ct=True)
        >>> round(unlikeness(whole, part), 6)
        0.0
    """
    if one.is_ct != other.is_ct:
        return UNLIKE
    profiles = Profiles.of([one, other])
    found = np.zeros((2, 2))
    slide(profiles.levels, profiles.bounds, 0, (FEWEST_LEVELS, LEAST_OVERLAP, 256.0, 0.0), found)
    return max(0.0, float(found[1, 0]))


def find_near(profiles: Profiles, *, threshold: float = NEAR, workers: int = 0) -> list[NearPair]:
    """Every two scans that are nearly the same, sorted; CT and MR are never taken for each other.

    Args:
        profiles: Of all scans; a copy that is saved anew counts as near too.
        threshold: Largest unlikeness of a pair.
        workers: Threads; 0 for one a core.
    """
    workers = workers or default_workers()
    pairs: list[NearPair] = []
    for kind in (True, False):
        scans = np.flatnonzero(profiles.is_ct == kind)
        if len(scans) > 1:
            pairs += _near_of_kind(profiles, scans, threshold, workers)
    return sorted(pairs, key=lambda pair: (pair.one, pair.other))


def _near_of_kind(profiles: Profiles, scans: _Integers, threshold: float, workers: int) -> list[NearPair]:
    with ThreadPoolExecutor(workers) as threads:
        parts = np.array_split(scans, max(1, min(len(scans) // 50, 8 * workers)))
        keys, marks = _joined(list(threads.map(partial(_keys_and_marks, profiles), parts)))
        found: dict[tuple[int, int], tuple[float, int]] = {}
        for candidates in _candidates(keys, marks, threads, workers):
            for part in threads.map(
                partial(_compared, profiles, threshold), np.array_split(candidates, workers)
            ):
                _keep(found, part)
        heights = np.diff(profiles.bounds)[scans]
        has_few = np.bincount(keys[:, 0], minlength=len(profiles))[scans] < _FEWEST_KEYS
        few = scans[has_few & (heights >= FEWEST_LEVELS)]
        among = set(scans.tolist())
        for part in threads.map(partial(_slid, profiles, threshold), few.tolist()):
            _keep(found, [row for row in part if row[1] in among or row[0] in among])
    return [
        NearPair(one, other, max(0.0, how), shift * STEP_MM)
        for (one, other), (how, shift) in found.items()
        if profiles.is_ct[one] == profiles.is_ct[other]
    ]


_Row = tuple[int, int, float, int]


def _keep(found: dict[tuple[int, int], tuple[float, int]], rows: Sequence[_Row]) -> None:
    for one, other, how, shift in rows:
        if (one, other) not in found or how < found[one, other][0]:
            found[one, other] = how, shift


def _keys_and_marks(profiles: Profiles, scans: _Integers) -> tuple[_Integers, _Floats]:
    """Scan, level and kind of each key, and its mark."""
    heights = profiles.bounds[scans + 1] - profiles.bounds[scans]
    most = _KINDS * int((heights // _APART + 1).sum())
    keys = np.zeros((most, 3), np.int64)
    marks = np.zeros((most, (_WAVES_ALONG + 1) * _WAVES_ACROSS**2), np.float32)
    found = (keys, marks)
    count = mark_scans(profiles.levels, profiles.bounds, scans, _waves(), (_APART, _WEIGHT), found)
    return keys[:count].copy(), marks[:count].copy()


@cache
def _waves() -> tuple[NDArray[np.float64], _Floats, _Floats]:
    """What curves are smoothed with; cosines along 25 levels, without the constant; and across the blocks."""
    reach = 3 * round(_WIDE)
    places = np.arange(-reach, reach + 1)
    fine, wide = (np.exp(-0.5 * (places / width) ** 2) for width in (_FINE, _WIDE))
    along = np.ascontiguousarray(_cosines(2 * _REACH + 1, _WAVES_ALONG + 1)[:, 1:])
    line = _cosines(BLOCKS, _WAVES_ACROSS)
    return fine / fine.sum() - wide / wide.sum(), along, np.asarray(np.kron(line, line), dtype=np.float32)


def _cosines(length: int, count: int) -> _Floats:
    places = (np.arange(length) + 0.5) / length
    waves = np.cos(np.pi * places[:, None] * np.arange(count))
    return np.asarray(waves / np.linalg.norm(waves, axis=0), dtype=np.float32)


def _joined(parts: Sequence[tuple[_Integers, _Floats]]) -> tuple[_Integers, _Floats]:
    return np.concatenate([keys for keys, _ in parts]), np.concatenate([marks for _, marks in parts])


def _candidates(
    keys: _Integers, marks: _Floats, threads: ThreadPoolExecutor, workers: int
) -> list[_Integers]:
    """One, other and shift of scans that have a key alike, by kind of key."""
    found = []
    for kind in range(_KINDS):
        chosen = np.flatnonzero(keys[:, 2] == kind)
        if len(chosen) < 2:
            continue
        points, cells, order = _in_cells(marks[chosen])
        bounds = np.linspace(0, len(points), 32 * workers + 1).astype(int).tolist()
        parts = threads.map(partial(_close, points, cells), pairwise(bounds))
        pairs = keys[chosen[order]][np.concatenate(list(parts))]  # pair, one or other, scan and level
        pairs = pairs[pairs[:, 0, 0] != pairs[:, 1, 0]]
        swapped = pairs[:, 0, 0] > pairs[:, 1, 0]
        pairs[swapped] = pairs[swapped][:, ::-1]
        shifts = pairs[:, 0, 1] - pairs[:, 1, 1]
        found.append(np.unique(np.column_stack([pairs[:, :, 0], shifts]), axis=0))
    return found


def _in_cells(marks: _Floats) -> tuple[_Floats, _Integers, _Integers]:
    """The marks along the axes in which they differ most, as `close_pairs` takes them; cells; order."""
    sample = marks[:: max(1, len(marks) // _SAMPLE)]
    axes = np.linalg.eigh(np.cov(sample.T))[1][:, ::-1].astype(np.float32)
    turned = marks @ axes
    places = np.floor((turned[:, 1:3] - turned[:, 1:3].min(axis=0)) / _RADIUS).astype(np.int64) + 1
    high, wide = (places.max(axis=0) + 2).tolist()
    cell = places[:, 0] * wide + places[:, 1]
    order = np.lexsort((turned[:, 0], cell))
    starts = np.searchsorted(cell[order], np.arange((high + 1) * wide))
    return np.ascontiguousarray(turned[order]), starts.reshape(high + 1, wide), order


def _close(points: _Floats, cells: _Integers, part: tuple[int, int]) -> _Integers:
    room = np.zeros((_ROOM, 2), np.int64)
    count = close_pairs(points, cells, part, _RADIUS, room)
    if count > len(room):
        room = np.zeros((count, 2), np.int64)
        close_pairs(points, cells, part, _RADIUS, room)
    return room[:count]


def _compared(profiles: Profiles, threshold: float, candidates: _Integers) -> list[_Row]:
    found = np.zeros((len(candidates), 2))
    rules = (FEWEST_LEVELS, LEAST_OVERLAP, _AROUND, _LEAST_VARIANCE)
    compare_pairs(profiles.levels, profiles.bounds, candidates, rules, found)
    close = np.flatnonzero(found[:, 0] <= threshold)
    return [(*map(int, candidates[row, :2]), float(found[row, 0]), int(found[row, 1])) for row in close]  # type: ignore[misc]


def _slid(profiles: Profiles, threshold: float, scan: int) -> list[_Row]:
    found = np.zeros((len(profiles), 2))
    rules = (FEWEST_LEVELS, LEAST_OVERLAP, _FARTHEST, _LEAST_VARIANCE)
    slide(profiles.levels, profiles.bounds, scan, rules, found)
    rows: list[_Row] = []
    for other in np.flatnonzero(found[:, 0] <= threshold).tolist():
        how, shift = float(found[other, 0]), int(found[other, 1])
        rows.append((scan, other, how, shift) if scan < other else (other, scan, how, -shift))
    return rows
