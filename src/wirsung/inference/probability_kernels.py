"""The probability of one output at every fine voxel, in machine code, from the same cells as the labels.

Softmax needs every class's exponential in every voxel, but mostly it is nearly 0 or 1 whatever those are. The
corners of a cell bound each logit within it, so they say beforehand where the probability rounds to 0, and
which classes can't move it by 4e-8 together, which are left out. It is rounded to multiples of 2 ** -23, so
that its file is smaller. So what is painted differs from the exact softmax of the interpolated
logits by at most 1e-7, beside the rounding of those logits in float32.

The bound: the probability's logarithm is at most the wanted class's highest logit in a cell less the largest
of all classes' lowest ones. A class whose highest lies T below that largest holds at most exp(-T) of the sum,
so leaving it out raises the probability by at most exp(-T) times itself.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirsung.imaging.compiled import compiled
from wirsung.inference.painting_kernels import (
    HIGH,
    LANES,
    LONG,
    ROOM,
    SUM,
    Cell,
    Eight,
    Grid,
    Six,
    X,
    Y,
    at_corners,
    bounds_of,
    is_one,
    the_cell,
    weigh,
)

_LEAST = np.float32(-16.64)
"""A logit so far below another one means a probability that is rounded to 0."""
_MASS = 2.5e7
"""What is left out of a sum is less than one part in so many, where the probability may be 1."""
_LARGEST_POWER, _LEAST_POWER = np.float32(120.0), np.float32(-120.0)
_LOG2_E, _ONE = np.float32(1.4426950408889634), np.float32(1.0)
_BIAS, _SHIFT = np.float32(127.0), np.float32(126.0)
# 2 ** x for -1 <= x <= 0 to a relative 1e-7, by Chebyshev's points.
_C5, _C4 = np.float32(0.0009475536455089495), np.float32(0.009210875560691523)
_C3 = np.float32(0.05529960711732278)
_C2, _C1, _C0 = np.float32(0.2401794894888221), np.float32(0.6931432016425478), np.float32(0.9999999452374335)

# Where in the room of a box lie, by voxel, the exponent and the mantissa of what is added to the sum.
_POWER, _PART = SUM + ROOM, SUM + 2 * ROOM


class Share(NamedTuple):
    """Whose probability is painted, and on what."""

    shares: NDArray[np.float32]
    """(z, y, x), all 0."""
    wanted: int
    """The output."""
    leads: NDArray[np.float32]
    """Of each place, how far the wanted logit lies below the largest; of regions not looked at."""


@compiled
def find_leads(
    logits: NDArray[np.float32], codes: NDArray[np.uint16], wanted: int, leads: NDArray[np.float32]
) -> None:
    """Of each place, how far the wanted class's logit lies below the winner's, that `codes` names."""
    for z in range(logits.shape[0]):
        for y in range(logits.shape[1]):
            for x in range(logits.shape[2]):
                leads[z, y, x] = logits[z, y, x, codes[z, y, x]] - logits[z, y, x, wanted]


@compiled
def paint_probability(
    logits: NDArray[np.float32], codes: NDArray[np.uint16], grid: Grid, regions: bool, share: Share
) -> None:
    """Paint the probability of one output into every voxel of the cells: softmax, or of a region sigmoid.

    Args:
        logits: (z, y, x, output), at least the samples of the cells.
        codes: Of the same places.
        grid: The cells.
        regions: Whether outputs are regions.
        share: Painted; to at most 1e-7 beside the rounding of float32.
    """
    count = logits.shape[3]
    bounds = np.empty((2, count), np.float32)
    picked = np.empty(count, np.int64)
    bits = np.zeros(6 * ROOM, np.int32)
    tolerated = np.float32(np.log(_MASS * count))
    for cz in grid.z.cells:
        for cy in grid.y.cells:
            for cx in grid.x.cells:
                cell = the_cell(cz, cy, cx)
                if not regions and is_one(codes, cell[0]) and _lowest(share.leads, cell[0]) > -_LEAST:
                    continue
                floor = bounds_of(logits, cell[0], bounds)
                reach = bounds[1, share.wanted] - (np.float32(0.0) if regions else floor)
                if reach < _LEAST:
                    continue
                picked[0] = share.wanted
                few = picked[:1]
                if not regions:
                    limit = floor - tolerated - min(reach, np.float32(0.0))
                    few = picked[: _others(bounds[1], limit, share.wanted, picked)]
                _paint(logits, cell, grid, few, share, bits)


@compiled
def _lowest(leads: NDArray[np.float32], corners: Six) -> np.float32:
    """The least lead at the corners."""
    z0, z1, y0, y1, x0, x1 = corners
    near = min(min(leads[z0, y0, x0], leads[z0, y0, x1]), min(leads[z0, y1, x0], leads[z0, y1, x1]))
    far = min(min(leads[z1, y0, x0], leads[z1, y0, x1]), min(leads[z1, y1, x0], leads[z1, y1, x1]))
    return min(near, far)


@compiled
def _others(highest: NDArray[np.float32], limit: np.float32, wanted: int, picked: NDArray[np.int64]) -> int:
    """Pick the other outputs that reach the limit; returns how many."""
    found = 0
    for index in range(len(highest)):
        if highest[index] >= limit and index != wanted:
            picked[found] = index
            found += 1
    return found


@compiled
def _paint(
    logits: NDArray[np.float32],
    cell: Cell,
    grid: Grid,
    few: NDArray[np.int64],
    share: Share,
    bits: NDArray[np.int32],
) -> None:
    """One cell, box by box, of a few other classes, or of the wanted region alone."""
    z0, z1, y0, y1, x0, x1 = cell[1]
    for z in range(z0, z1, HIGH):
        for y in range(y0, y1, HIGH):
            for x in range(x0, x1, LONG):
                box = (z, min(z + HIGH, z1), y, min(y + HIGH, y1), x, min(x + LONG, x1))
                blocks = weigh(grid, box, bits.view(np.float32), np.float32(0.0))
                for index in few:
                    _add(_above(logits, cell[0], index, share.wanted), blocks, bits)
                _write(box, blocks, bits, share.shares)


@compiled
def _above(logits: NDArray[np.float32], corners: Six, index: int, wanted: int) -> Eight:
    """How much more an output is than the wanted one, at the corners; than 0 of the wanted one, negative."""
    a, b, c, d, e, f, g, h = at_corners(logits, corners, wanted)
    if index == wanted:
        return -a, -b, -c, -d, -e, -f, -g, -h
    p, q, r, s, t, u, v, w = at_corners(logits, corners, index)
    return p - a, q - b, r - c, s - d, t - e, u - f, v - g, w - h


@compiled
def _add(corner: Eight, blocks: int, bits: NDArray[np.int32]) -> None:
    """Add to the sums the exponentials of what is interpolated between eight corners.

    Powers are limited to what float32 holds, where the probability is 0 or 1 to every digit anyway.
    """
    room = bits.view(np.float32)
    a, b, c, d, e, f, g, h = corner
    da, db, dc, dd = e - a, f - b, g - c, h - d
    for at in range(blocks * LANES):
        wz, wy, wx = room[at], room[Y + at], room[X + at]
        low, high = a + wz * da, b + wz * db
        low += wy * (c + wz * dc - low)
        high += wy * (d + wz * dd - high)
        power = (low + wx * (high - low)) * _LOG2_E
        power = min(max(power, _LEAST_POWER), _LARGEST_POWER)
        whole = np.int32(power + _BIAS)
        rest = power - (np.float32(whole) - _SHIFT)
        room[_PART + at] = ((((_C5 * rest + _C4) * rest + _C3) * rest + _C2) * rest + _C1) * rest + _C0
        # The exponent field of a float32.
        bits[_POWER + at] = (whole + np.int32(1)) << np.int32(23)
    for at in range(blocks * LANES):
        room[SUM + at] += room[_PART + at] * room[_POWER + at]


@compiled
def _write(box: Six, blocks: int, bits: NDArray[np.int32], shares: NDArray[np.float32]) -> None:
    """The probabilities of a box, from the sums."""
    room = bits.view(np.float32)
    for at in range(blocks * LANES):
        # Adding 1 and taking it off again rounds to multiples of 2 ** -23.
        room[SUM + at] = (_ONE + _ONE / (_ONE + room[SUM + at])) - _ONE
    place = SUM
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            for x in range(box[4], box[5]):
                shares[z, y, x] = room[place]
                place += 1
