"""The probability of one output at every fine voxel, in machine code, from the same cells as the labels.

Classes whose logit is farther than 14 below another's all over a cell are left out of its sum of
exponentials: each would change the probability by less than a part in a million, where nnU-Net's own
half-precision sums change it by a part in a hundred.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirsung.imaging.compiled import compiled
from wirsung.inference.painting_kernels import Grid, bounds_of

_INSIGNIFICANT = np.float32(14.0)
_LOWEST = np.float32(-np.inf)
_LEAST_POWER = np.float32(-126.0)
_LOG2_E = np.float32(1.4426950408889634)
_ONE = np.float32(1.0)
# 2 ** x for -1 <= x <= 0 to a relative 1e-7, by Chebyshev's points.
_C5, _C4 = np.float32(0.0009475536455089495), np.float32(0.009210875560691523)
_C3 = np.float32(0.05529960711732278)
_C2, _C1, _C0 = np.float32(0.2401794894888221), np.float32(0.6931432016425478), np.float32(0.9999999452374335)


class Share(NamedTuple):
    """Whose probability is painted, and on what."""

    shares: NDArray[np.float32]
    """(z, y, x)."""
    wanted: int
    """The output."""
    lines: NDArray[np.float32]
    """Room for two lines along x more than there are outputs."""
    weights: NDArray[np.float32]
    """Of the upper sample, one a voxel along x."""
    below: NDArray[np.int64]
    """The lower sample of each voxel along x."""
    above: NDArray[np.int64]
    """The upper one."""
    coarse: NDArray[np.float32]
    """(sample, output), room for a line of samples."""
    bits: NDArray[np.int32]
    """Room for a line along x."""


class Reach(NamedTuple):
    """Where each class matters, in one row of cells along x."""

    cells: NDArray[np.int64]
    """(class, 2): the first cell, and one past the last; equal or less where it matters nowhere."""
    bounds: NDArray[np.float32]
    """Room for the lowest and highest of each class."""


Row = tuple[NDArray[np.int64], NDArray[np.int64]]
"""A cell along z and one along y."""


@compiled
def paint_probability(logits: NDArray[np.float32], grid: Grid, regions: bool, share: Share) -> None:
    """Paint the probability of one output into every voxel of the cells: softmax, or of a region sigmoid.

    Args:
        logits: (z, y, x, output), at least the samples of the cells.
        grid: The cells.
        regions: Whether outputs are regions.
        share: Painted.
    """
    count, cells = logits.shape[3], len(grid.x.cells)
    reach = Reach(np.empty((count, 2), np.int64), np.empty((2, count), np.float32))
    for cz in grid.z.cells:
        for cy in grid.y.cells:
            reach.cells[:, 0], reach.cells[:, 1] = cells, 0
            reach.cells[share.wanted, 0], reach.cells[share.wanted, 1] = 0, cells
            if not regions:
                _find_reach(logits, (cz, cy), grid, reach)
            _paint_row(logits, (cz, cy), grid, reach, regions, share)


@compiled
def _paint_row(
    logits: NDArray[np.float32], row: Row, grid: Grid, reach: Reach, regions: bool, share: Share
) -> None:
    """All voxels in one row of cells."""
    cz, cy = row
    for z in range(cz[2], cz[3]):
        for y in range(cy[2], cy[3]):
            line = share.shares[z, y, grid.x.cells[0, 2] : grid.x.cells[-1, 3]]
            weights = grid.z.weights[z], grid.y.weights[y]
            _mix_rows(logits, row, weights, share)
            for index in range(logits.shape[3]):
                first, stop = _voxels(grid, reach, index)
                _mix_samples(index, first, stop, share)
            if regions:
                _sigmoid(share.lines[share.wanted], line, share.bits)
            else:
                _softmax(grid, reach, line, share)


@compiled
def _find_reach(logits: NDArray[np.float32], row: Row, grid: Grid, reach: Reach) -> None:
    cz, cy = row
    for place in range(len(grid.x.cells)):
        cx = grid.x.cells[place]
        corners = (cz[0], cz[1], cy[0], cy[1], cx[0], cx[1])
        limit = bounds_of(logits, corners, reach.bounds) - _INSIGNIFICANT
        for index in range(logits.shape[3]):
            if reach.bounds[1, index] >= limit:
                reach.cells[index, 0] = min(reach.cells[index, 0], place)
                reach.cells[index, 1] = max(reach.cells[index, 1], place + 1)


@compiled
def _voxels(grid: Grid, reach: Reach, index: int) -> tuple[int, int]:
    """The first voxel along x where a class matters, and one past the last."""
    first, stop = reach.cells[index, 0], reach.cells[index, 1]
    if first >= stop:
        return 0, 0
    return grid.x.cells[first, 2], grid.x.cells[stop - 1, 3]


@compiled
def _mix_rows(
    logits: NDArray[np.float32], row: Row, weights: tuple[np.float32, np.float32], share: Share
) -> None:
    """All outputs, interpolated along z and y to one line of samples."""
    (cz, cy), (wz, wy), coarse = row, weights, share.coarse
    z0, z1, y0, y1 = cz[0], cz[1], cy[0], cy[1]
    for x in range(logits.shape[2]):
        for index in range(logits.shape[3]):
            a, b = logits[z0, y0, x, index], logits[z0, y1, x, index]
            a += wz * (logits[z1, y0, x, index] - a)
            b += wz * (logits[z1, y1, x, index] - b)
            coarse[x, index] = a + wy * (b - a)


@compiled
def _mix_samples(index: int, first: int, stop: int, share: Share) -> None:
    """One output, interpolated along x to some voxels of a fine line."""
    coarse, line = share.coarse, share.lines[index]
    for x in range(first, stop):
        left = coarse[share.below[x], index]
        line[x] = left + share.weights[x] * (coarse[share.above[x], index] - left)


@compiled
def _softmax(grid: Grid, reach: Reach, line: NDArray[np.float32], share: Share) -> None:
    """The wanted class's share of the sum of exponentials, along one line."""
    count, start = len(reach.cells), grid.x.cells[0, 2]
    best, mass = share.lines[count], share.lines[count + 1]
    best[:] = _LOWEST
    mass[:] = np.float32(0.0)
    for index in range(count):
        first, stop = _voxels(grid, reach, index)
        for x in range(first, stop):
            best[x] = max(best[x], share.lines[index, x])
    for index in range(count):
        first, stop = _voxels(grid, reach, index)
        part = share.lines[index, first:stop]
        part -= best[first:stop]
        _exponentials(part, share.bits[first:stop])
        mass[first:stop] += part
    line[:] = share.lines[share.wanted, start : start + len(line)]
    line /= mass[start : start + len(line)]


@compiled
def _sigmoid(own: NDArray[np.float32], line: NDArray[np.float32], bits: NDArray[np.int32]) -> None:
    for x in range(len(line)):
        line[x] = -abs(own[x])
    _exponentials(line, bits[: len(line)])
    for x in range(len(line)):
        line[x] = (_ONE if own[x] > 0 else line[x]) / (_ONE + line[x])


@compiled
def _exponentials(powers: NDArray[np.float32], bits: NDArray[np.int32]) -> None:
    """Each power, which is not above 0, becomes its exponential; what is below 1e-37 becomes about that."""
    for x in range(len(powers)):
        turned = max(powers[x] * _LOG2_E, _LEAST_POWER)
        whole = np.int32(turned)
        rest = turned - np.float32(whole)
        powers[x] = ((((_C5 * rest + _C4) * rest + _C3) * rest + _C2) * rest + _C1) * rest + _C0
        # The exponent field of a float32.
        bits[x] = (whole + np.int32(127)) << np.int32(23)
    scales = bits.view(np.float32)
    for x in range(len(powers)):
        powers[x] *= scales[x]
