"""From coarse logits to fine labels, cell by cell, in machine code.

A cell is the box between eight neighbouring samples of the logits. Trilinear interpolation mixes the eight
with weights that are never negative and add up to one, so an output that is nowhere above another at the
eight corners is nowhere above it within the cell. Most cells therefore need no arithmetic at all, and the
others little: that is exact, not an approximation.

Logits are (z, y, x, output): the outputs of one place lie side by side. The code of a place is its winner: of
classes, the index of the largest; of regions, which overlap, one more than the index of the last above 0,
which paints over the earlier ones, or 0.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirsung.imaging.compiled import compiled

Six = tuple[int, int, int, int, int, int]
Cell = tuple[Six, Six]
"""Lower and upper sample along z, y and x; then the first voxel in it and one past the last, likewise."""

Eight = tuple[np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32]
"""Values at the corners of a cell; x turns fastest, z slowest."""

_LOWEST = np.float32(-np.inf)

HIGH, LONG = 8, 16
"""A cell is painted in boxes of at most so many voxels along z and y, and along x."""
ROOM = HIGH * HIGH * LONG
"""Voxels in the largest box."""
LANES = 16
"""Voxels that a processor computes at once; what is computed beyond the box is not used."""
Y, X, SUM = ROOM, 2 * ROOM, 3 * ROOM
"""Where in the room of a box lie, by voxel, its weight along y, that along x, and what is found; z leads."""
_CODE = 4 * ROOM


class Axis(NamedTuple):
    """The cells along one axis, and the voxels in them."""

    cells: NDArray[np.int64]
    """A row a cell: its lower and upper sample, the first voxel in it, and one past the last."""
    weights: NDArray[np.float32]
    """Of the upper sample, one a voxel."""


class Grid(NamedTuple):
    """The cells of some rows: those along z are of these rows only."""

    z: Axis
    y: Axis
    x: Axis


class Canvas(NamedTuple):
    """What is painted on."""

    labels: NDArray[np.integer[Any]]
    """(z, y, x)."""
    values: NDArray[np.integer[Any]]
    """Code to label, of the same type."""


@compiled
def class_codes(logits: NDArray[np.float32], codes: NDArray[np.uint16]) -> None:
    """The largest class of each place; a tie goes to the smallest index."""
    for z in range(logits.shape[0]):
        for y in range(logits.shape[1]):
            for x in range(logits.shape[2]):
                best, found = logits[z, y, x, 0], 0
                for index in range(1, logits.shape[3]):
                    value = logits[z, y, x, index]
                    if value > best:
                        best, found = value, index
                codes[z, y, x] = found


@compiled
def region_codes(logits: NDArray[np.float32], codes: NDArray[np.uint16]) -> None:
    """One more than the last output above 0 of each place, else 0."""
    for z in range(logits.shape[0]):
        for y in range(logits.shape[1]):
            for x in range(logits.shape[2]):
                found = 0
                for index in range(logits.shape[3]):
                    if logits[z, y, x, index] > 0:
                        found = index + 1
                codes[z, y, x] = found


@compiled
def paint_labels(
    logits: NDArray[np.float32], codes: NDArray[np.uint16], grid: Grid, regions: bool, canvas: Canvas
) -> None:
    """Paint the label of every voxel of the grid's cells.

    Args:
        logits: At least the samples of the cells.
        codes: Of the same places.
        grid: The cells.
        regions: Whether outputs are regions.
        canvas: Painted.
    """
    bounds = np.empty((2, logits.shape[3]), np.float32)
    picked = np.empty(logits.shape[3], np.int64)
    room = np.zeros(5 * ROOM, np.float32)
    for cz in grid.z.cells:
        for cy in grid.y.cells:
            for cx in grid.x.cells:
                cell = the_cell(cz, cy, cx)
                if is_one(codes, cell[0]):
                    _fill(canvas.labels, cell[1], canvas.values[codes[cz[0], cy[0], cx[0]]])
                    continue
                floor = bounds_of(logits, cell[0], bounds)
                few = picked[: _above(bounds[1], np.float32(0.0) if regions else floor, picked)]
                if regions:
                    _paint_regions(logits, cell, grid, few, canvas)
                else:
                    _paint_classes(logits, cell, grid, few, (room, canvas))


@compiled
def the_cell(cz: NDArray[np.int64], cy: NDArray[np.int64], cx: NDArray[np.int64]) -> Cell:
    """The cell of one row of each axis's cells."""
    return (cz[0], cz[1], cy[0], cy[1], cx[0], cx[1]), (cz[2], cz[3], cy[2], cy[3], cx[2], cx[3])


@compiled
def is_one(codes: NDArray[np.uint16], corners: Six) -> bool:
    """Whether all eight corners have one code."""
    z0, z1, y0, y1, x0, x1 = corners
    code = codes[z0, y0, x0]
    near = code == codes[z0, y0, x1] and code == codes[z0, y1, x0] and code == codes[z0, y1, x1]
    far = codes[z1, y0, x0] == codes[z1, y0, x1] and codes[z1, y1, x0] == codes[z1, y1, x1]
    return bool(near and far and code == codes[z1, y0, x0] and code == codes[z1, y1, x0])


@compiled
def _fill(labels: NDArray[np.integer[Any]], box: Six, value: int) -> None:
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            for x in range(box[4], box[5]):
                labels[z, y, x] = value


@compiled
def bounds_of(logits: NDArray[np.float32], corners: Six, bounds: NDArray[np.float32]) -> np.float32:
    """The lowest and highest of each output over the corners; returns the largest of the lowest."""
    z0, z1, y0, y1, x0, x1 = corners
    for index in range(logits.shape[3]):
        a, b = logits[z0, y0, x0, index], logits[z0, y0, x1, index]
        c, d = logits[z0, y1, x0, index], logits[z0, y1, x1, index]
        e, f = logits[z1, y0, x0, index], logits[z1, y0, x1, index]
        g, h = logits[z1, y1, x0, index], logits[z1, y1, x1, index]
        bounds[0, index] = min(min(min(a, b), min(c, d)), min(min(e, f), min(g, h)))
        bounds[1, index] = max(max(max(a, b), max(c, d)), max(max(e, f), max(g, h)))
    floor = _LOWEST
    for index in range(logits.shape[3]):
        floor = max(floor, bounds[0, index])
    return floor


@compiled
def _above(highest: NDArray[np.float32], limit: np.float32, picked: NDArray[np.int64]) -> int:
    """Pick the outputs that reach the limit; returns how many."""
    found = 0
    for index in range(len(highest)):
        if highest[index] >= limit:
            picked[found] = index
            found += 1
    return found


@compiled
def _line(
    logits: NDArray[np.float32], corners: Six, index: int, wz: np.float32, wy: np.float32
) -> tuple[np.float32, np.float32]:
    """Of one output along x: its value at the lower sample, and how much more it is at the upper one."""
    z0, z1, y0, y1, x0, x1 = corners
    a, b = logits[z0, y0, x0, index], logits[z0, y1, x0, index]
    a += wz * (logits[z1, y0, x0, index] - a)
    b += wz * (logits[z1, y1, x0, index] - b)
    c, d = logits[z0, y0, x1, index], logits[z0, y1, x1, index]
    c += wz * (logits[z1, y0, x1, index] - c)
    d += wz * (logits[z1, y1, x1, index] - d)
    left = a + wy * (b - a)
    return left, c + wy * (d - c) - left


@compiled
def weigh(grid: Grid, box: Six, room: NDArray[np.float32], start: np.float32) -> int:
    """Note the weights of each voxel of a box, and a start for what is found; returns the blocks it takes."""
    place = 0
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            for x in range(box[4], box[5]):
                room[place] = grid.z.weights[z]
                room[Y + place] = grid.y.weights[y]
                room[X + place] = grid.x.weights[x]
                place += 1
    blocks = (place + LANES - 1) // LANES
    for at in range(blocks * LANES):
        room[SUM + at] = start
    return blocks


@compiled
def at_corners(logits: NDArray[np.float32], corners: Six, index: int) -> Eight:
    """One output at the corners of a cell."""
    z0, z1, y0, y1, x0, x1 = corners
    return (
        logits[z0, y0, x0, index],
        logits[z0, y0, x1, index],
        logits[z0, y1, x0, index],
        logits[z0, y1, x1, index],
        logits[z1, y0, x0, index],
        logits[z1, y0, x1, index],
        logits[z1, y1, x0, index],
        logits[z1, y1, x1, index],
    )


@compiled
def _paint_classes(
    logits: NDArray[np.float32],
    cell: Cell,
    grid: Grid,
    few: NDArray[np.int64],
    on: tuple[NDArray[np.float32], Canvas],
) -> None:
    """The largest of a few classes in each voxel of a cell, box by box."""
    room, canvas = on
    z0, z1, y0, y1, x0, x1 = cell[1]
    for z in range(z0, z1, HIGH):
        for y in range(y0, y1, HIGH):
            for x in range(x0, x1, LONG):
                box = (z, min(z + HIGH, z1), y, min(y + HIGH, y1), x, min(x + LONG, x1))
                blocks = weigh(grid, box, room, _LOWEST)
                for index in few:
                    _compete(at_corners(logits, cell[0], index), np.float32(index), blocks, room)
                _write(box, room, canvas)


@compiled
def _compete(corner: Eight, code: np.float32, blocks: int, room: NDArray[np.float32]) -> None:
    """Let a class take the voxels of a box where it is above all before it."""
    a, b, c, d, e, f, g, h = corner
    da, db, dc, dd = e - a, f - b, g - c, h - d
    for at in range(blocks * LANES):
        wz, wy, wx = room[at], room[Y + at], room[X + at]
        low, high = a + wz * da, b + wz * db
        low += wy * (c + wz * dc - low)
        high += wy * (d + wz * dd - high)
        score = low + wx * (high - low)
        is_higher = score > room[SUM + at]
        room[SUM + at] = score if is_higher else room[SUM + at]
        room[_CODE + at] = code if is_higher else room[_CODE + at]


@compiled
def _write(box: Six, room: NDArray[np.float32], canvas: Canvas) -> None:
    """The labels of a box, from the codes."""
    place = _CODE
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            for x in range(box[4], box[5]):
                canvas.labels[z, y, x] = canvas.values[int(room[place])]
                place += 1


@compiled
def _paint_regions(
    logits: NDArray[np.float32], cell: Cell, grid: Grid, few: NDArray[np.int64], canvas: Canvas
) -> None:
    """The last of a few regions that is above 0 in each voxel of a cell."""
    corners, box = cell
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            canvas.labels[z, y, box[4] : box[5]] = canvas.values[0]
            for index in few:
                left, step = _line(logits, corners, index, grid.z.weights[z], grid.y.weights[y])
                for x in range(box[4], box[5]):
                    if left + grid.x.weights[x] * step > 0:
                        canvas.labels[z, y, x] = canvas.values[index + 1]
