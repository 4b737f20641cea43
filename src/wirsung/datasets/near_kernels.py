"""The loops of `near_duplicates`, compiled. Levels are whole numbers of one byte, so all sums are exact."""

import numpy as np

from wirsung.imaging.arrays import Voxels
from wirsung.imaging.compiled import compiled
from wirsung.imaging.run_kernels import Integers

UNLIKE = 2.0
"""As far as two profiles can be from each other, and the answer where nothing can be said."""


@compiled
def mark_scans(
    levels: Voxels,
    bounds: Integers,
    scans: Integers,
    waves: tuple[Voxels, Voxels, Voxels],
    apart: int,
    found: tuple[Integers, Voxels],
) -> int:
    """The keys of some scans and a mark of each, see `near_duplicates`; how many.

    Args:
        levels: Of all scans, one after the other.
        bounds: Of scan n: from bounds[n] to bounds[n + 1].
        scans: Their numbers.
        waves: What curves are smoothed with; waves along a window of levels, window by wave; and across the
            blocks, block by wave.
        apart: Levels on either side that a key must exceed.
        found: Scan, level and kind of each key, filled; and its mark, filled.
    """
    smooth, along, across = waves
    keys, marks = found
    reach = len(along) // 2
    count = 0
    for place in range(len(scans)):
        own = levels[bounds[scans[place]] : bounds[scans[place] + 1]]
        if len(own) < len(along):
            continue
        first = count
        curves = _smoothed(_curves(own), smooth)
        for curve in range(len(curves)):
            for level in range(reach, len(own) - reach):
                kind = _extreme(curves[curve], level, apart)
                if kind >= 0 and count < len(keys):
                    keys[count, 0], keys[count, 1], keys[count, 2] = scans[place], level, 2 * curve + kind
                    count += 1
        coarse = _coarse(own, across)
        for key in range(first, count):
            _mark(coarse[keys[key, 1] - reach : keys[key, 1] + reach + 1], along, marks[key])
    return count


@compiled
def _curves(levels: Voxels) -> Voxels:
    """By level, the mean over all blocks, and how far that of the core lies above it."""
    side = int(np.sqrt(levels.shape[1]))
    curves = np.zeros((2, len(levels)))
    for level in range(len(levels)):
        whole, core = 0, 0
        for block in range(levels.shape[1]):
            row, column = block // side, block % side
            whole += levels[level, block]
            if 2 <= row < side - 2 and 2 <= column < side - 2:
                core += levels[level, block]
        curves[0, level] = whole / levels.shape[1]
        curves[1, level] = core / (side - 4) ** 2 - curves[0, level]
    return curves


@compiled
def _smoothed(curves: Voxels, smooth: Voxels) -> Voxels:
    """Each curve weighed with `smooth` around every level; beyond its ends it goes on as it ends."""
    found, reach = np.zeros(curves.shape), len(smooth) // 2
    last = curves.shape[1] - 1
    for curve in range(len(curves)):
        for level in range(last + 1):
            for step in range(len(smooth)):
                place = min(max(level + step - reach, 0), last)
                found[curve, level] += smooth[step] * curves[curve, place]
    return found


@compiled
def _extreme(curve: Voxels, level: int, apart: int) -> int:
    """0 where the curve is highest within `apart` levels, 1 where it is lowest, else -1."""
    is_top, is_bottom = True, True
    for other in range(max(0, level - apart), min(len(curve), level + apart + 1)):
        is_top &= curve[other] <= curve[level]
        is_bottom &= curve[other] >= curve[level]
    return int(is_bottom) if is_top != is_bottom else -1


@compiled
def _coarse(levels: Voxels, across: Voxels) -> Voxels:
    """Each level as waves across the blocks."""
    found = np.zeros((len(levels), across.shape[1]), dtype=np.float32)
    for level in range(len(levels)):
        for block in range(levels.shape[1]):
            value = np.float32(levels[level, block])
            for wave in range(across.shape[1]):
                found[level, wave] += value * across[block, wave]
    return found


@compiled
def _mark(window: Voxels, along: Voxels, mark: Voxels) -> None:
    """The window's waves along the body as a part of all that changes along it."""
    total = 0.0
    for across in range(window.shape[1]):
        mean = 0.0
        for level in range(len(window)):
            mean += window[level, across] / len(window)
        for wave in range(along.shape[1]):
            mark[wave * window.shape[1] + across] = 0.0
        for level in range(len(window)):
            value = window[level, across] - mean
            total += value * value
            for wave in range(along.shape[1]):
                mark[wave * window.shape[1] + across] += np.float32(value * along[level, wave])
    size = np.float32(max(np.sqrt(total), 1e-3))
    for place in range(len(mark)):
        mark[place] /= size


@compiled
def overlap_unlikeness(one: Voxels, other: Voxels, shift: int, least_variance: float) -> float:
    """1 - the correlation of two profiles along the body, 0 to 2; level k + shift of `one` is k of `other`.

    Each block's mean over the overlap is taken away first.
    """
    begin, start = max(shift, 0), max(-shift, 0)
    shared = min(len(one) - begin, len(other) - start)
    blocks = one.shape[1]
    sums = np.zeros((5, blocks), dtype=np.int64)
    for level in range(shared):
        for block in range(blocks):
            x, y = np.int64(one[begin + level, block]), np.int64(other[start + level, block])
            sums[0, block] += x
            sums[1, block] += y
            sums[2, block] += x * x
            sums[3, block] += y * y
            sums[4, block] += x * y
    xx, yy, xy = 0.0, 0.0, 0.0
    for block in range(blocks):
        x, y = sums[0, block], sums[1, block]
        xx += sums[2, block] - x * x / shared
        yy += sums[3, block] - y * y / shared
        xy += sums[4, block] - x * y / shared
    least = least_variance * shared * blocks
    return 1.0 - xy / np.sqrt(xx * yy) if xx > least and yy > least else UNLIKE


@compiled
def compare_pairs(
    levels: Voxels, bounds: Integers, pairs: Integers, rules: tuple[int, float, int, float], found: Voxels
) -> None:
    """The least unlikeness of each pair around the shift that it came with, and that shift.

    Args:
        levels: Of all scans, one after the other.
        bounds: Of scan n: from bounds[n] to bounds[n + 1].
        pairs: One, other and shift.
        rules: Fewest levels and fraction of the shorter scan that must overlap, shifts to try on either side,
            least variance.
        found: Two columns, filled: unlikeness, shift.
    """
    fewest, fraction, around, least_variance = rules
    for pair in range(len(pairs)):
        one = levels[bounds[pairs[pair, 0]] : bounds[pairs[pair, 0] + 1]]
        other = levels[bounds[pairs[pair, 1]] : bounds[pairs[pair, 1] + 1]]
        least = max(fewest, int(np.ceil(fraction * min(len(one), len(other)))))
        found[pair, 0] = UNLIKE
        for shift in range(pairs[pair, 2] - around, pairs[pair, 2] + around + 1):
            if shift > len(one) - least or shift < least - len(other):
                continue
            unlikeness = overlap_unlikeness(one, other, shift, least_variance)
            if unlikeness < found[pair, 0]:
                found[pair, 0], found[pair, 1] = unlikeness, shift


@compiled
def slide(
    levels: Voxels, bounds: Integers, scan: int, rules: tuple[int, float, float, float], found: Voxels
) -> None:
    """The least unlikeness of one scan to every other at any shift, for scans too short to have keys.

    Shifts at which the mean over a block differs too much are passed over unseen.

    Args:
        levels: As in `compare_pairs`.
        bounds: As in `compare_pairs`.
        scan: Its number.
        rules: Fewest levels and fraction of the shorter scan that must overlap, the largest mean difference
            between the blocks' means, least variance.
        found: Two columns, a row a scan, filled: unlikeness, shift.
    """
    fewest, fraction, farthest, least_variance = rules
    own = levels[bounds[scan] : bounds[scan + 1]]
    blocks = own.shape[1]
    own_below = _sums_below(own)
    for number in range(len(bounds) - 1):
        found[number, 0] = UNLIKE
        other = levels[bounds[number] : bounds[number + 1]]
        if number == scan or len(other) < fewest:
            continue
        below = _sums_below(other)
        least = max(fewest, int(np.ceil(fraction * min(len(own), len(other)))))
        for shift in range(least - len(other), len(own) - least + 1):
            begin, start = max(shift, 0), max(-shift, 0)
            shared = min(len(own) - begin, len(other) - start)
            difference = 0
            for block in range(blocks):
                one_sum = own_below[begin + shared, block] - own_below[begin, block]
                difference += abs(one_sum - below[start + shared, block] + below[start, block])
            if difference > farthest * shared * blocks:
                continue
            unlikeness = overlap_unlikeness(own, other, shift, least_variance)
            if unlikeness < found[number, 0]:
                found[number, 0], found[number, 1] = unlikeness, shift


@compiled
def _sums_below(levels: Voxels) -> Integers:
    """By block, the sum of all levels before each."""
    sums = np.zeros((len(levels) + 1, levels.shape[1]), dtype=np.int64)
    for level in range(len(levels)):
        for block in range(levels.shape[1]):
            sums[level + 1, block] = sums[level, block] + levels[level, block]
    return sums
