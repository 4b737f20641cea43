"""The loops of `near_duplicates`, compiled. Levels are whole numbers of one byte, so all sums are exact."""

import numpy as np

from wirsung.imaging.arrays import Voxels
from wirsung.imaging.compiled import compiled
from wirsung.imaging.run_kernels import Integers

UNLIKE = 2.0
"""As far as two profiles can be from each other, and the answer where nothing can be said."""


_AT_ONCE = 6
"""Axes by which most pairs of marks are told apart."""


@compiled
def mark_scans(
    levels: Voxels,
    bounds: Integers,
    scans: Integers,
    waves: tuple[Voxels, Voxels, Voxels],
    rules: tuple[int, float],
    found: tuple[Integers, Voxels],
) -> int:
    """The keys of some scans and a mark of each, see `near_duplicates`; how many.

    Args:
        levels: Of all scans, one after the other.
        bounds: Of scan n: from bounds[n] to bounds[n + 1].
        scans: Their numbers.
        waves: What curves are smoothed with; waves along a window of levels, window by wave; and across the
            blocks, block by wave.
        rules: Levels on either side that a key must exceed, and the weight of a window's mean in its mark.
        found: Scan, level and kind of each key, filled; and its mark, filled.
    """
    smooth, along, across = waves
    apart, weight = rules
    keys, marks = found
    reach = len(along) // 2
    count = 0
    for place in range(len(scans)):
        own = levels[bounds[scans[place]] : bounds[scans[place] + 1]]
        if len(own) < len(along):
            continue
        first = count
        curve = _smoothed(own, smooth)
        for level in range(reach, len(own) - reach):
            kind = _extreme(curve, level, apart)
            if kind >= 0 and count < len(keys):
                keys[count, 0], keys[count, 1], keys[count, 2] = scans[place], level, kind
                count += 1
        coarse = _coarse(own, across)
        for key in range(first, count):
            _mark(coarse[keys[key, 1] - reach : keys[key, 1] + reach + 1], along, weight, marks[key])
    return count


@compiled
def _smoothed(levels: Voxels, smooth: Voxels) -> Voxels:
    """The mean of each level, weighed with `smooth` around it; the body goes on as it ends."""
    means, found = np.zeros(len(levels)), np.zeros(len(levels))
    for level in range(len(levels)):
        total = 0
        for block in range(levels.shape[1]):
            total += levels[level, block]
        means[level] = total / levels.shape[1]
    reach = len(smooth) // 2
    for level in range(len(levels)):
        for step in range(len(smooth)):
            found[level] += smooth[step] * means[min(max(level + step - reach, 0), len(levels) - 1)]
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
def _mark(window: Voxels, along: Voxels, weight: float, mark: Voxels) -> None:
    """The window's waves along the body as a part of all that changes along it, and those of its mean.

    The mean is of unit size too, times a weight, and without its constant, so that a clip does not count.
    """
    count, width = along.shape[1], window.shape[1]
    mark[:] = 0.0
    total, flat = 0.0, 0.0
    for across in range(width):
        mean = 0.0
        for level in range(len(window)):
            mean += window[level, across] / len(window)
        if across:
            mark[count * width + across] = np.float32(mean)
            flat += mean * mean
        for level in range(len(window)):
            value = window[level, across] - mean
            total += value * value
            for wave in range(count):
                mark[wave * width + across] += np.float32(value * along[level, wave])
    size = np.float32(max(np.sqrt(total), 1e-3))
    scale = np.float32(weight / max(np.sqrt(flat), 1e-3))
    for place in range(count * width, len(mark)):
        mark[place] *= scale
    for place in range(count * width):
        mark[place] /= size


@compiled
def close_pairs(
    points: Voxels, cells: Integers, part: tuple[int, int], radius: float, found: Integers
) -> int:
    """The pairs of points at most `radius` apart; how many, which may be more than there is room for.

    Args:
        points: A row each of at least six axes, sorted by cell and within one by the first axis. A cell
            is `radius` wide along the second and third axis: what is close to a point lies in its or beside.
        cells: Along the second and third axis, the first point of each cell; the outermost cells are empty.
        part: First and last + 1 of the points whose pairs are sought.
        radius: The largest distance.
        found: Two columns, filled as far as it goes.
    """
    count, cell, across = 0, 0, cells.shape[1]
    starts, own = cells.reshape(-1), np.ascontiguousarray(points[:, :_AT_ONCE].T)
    room = np.zeros(len(points), np.float32)
    for one in range(part[0], part[1]):
        while one >= starts[cell + 1]:
            cell += 1
        count = _close_to(points, (own, room), (one, one + 1, starts[cell + 1]), radius, found, count)
        for beside in (1, across - 1, across, across + 1):
            stretch = (one, starts[cell + beside], starts[cell + beside + 1])
            count = _close_to(points, (own, room), stretch, radius, found, count)
    return count


@compiled
def _close_to(
    points: Voxels,
    own: tuple[Voxels, Voxels],
    stretch: tuple[int, int, int],
    radius: float,
    found: Integers,
    count: int,
) -> int:
    """Add the points of a stretch of one cell that are close to a point; how many there are then."""
    axes, room = own
    one, first, stop = stretch
    most, reach = np.float32(radius * radius), np.float32(radius)
    stop = first + np.searchsorted(axes[0, first:stop], axes[0, one] + reach, side="right")
    first += np.searchsorted(axes[0, first:stop], axes[0, one] - reach)
    _distances(axes[:, first:stop], axes[:, one], room)
    for place in range(stop - first):
        distance = room[place]
        if distance > most:
            continue
        other = first + place
        for axis in range(_AT_ONCE, points.shape[1]):
            step = points[other, axis] - points[one, axis]
            distance += step * step
            if distance > most:
                break
        if distance <= most:
            if count < len(found):
                found[count, 0], found[count, 1] = one, other
            count += 1
    return count


@compiled
def _distances(axes: Voxels, one: Voxels, room: Voxels) -> None:
    """The squared distances along the first axes: without a branch, so that several are done at once."""
    first, second, third, fourth, fifth, sixth = axes[0], axes[1], axes[2], axes[3], axes[4], axes[5]
    for place in range(len(first)):
        a, b, c = first[place] - one[0], second[place] - one[1], third[place] - one[2]
        d, e, f = fourth[place] - one[3], fifth[place] - one[4], sixth[place] - one[5]
        room[place] = a * a + b * b + c * c + d * d + e * e + f * f


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
