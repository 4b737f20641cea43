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

_LOWEST = np.float32(-np.inf)


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
    lines: NDArray[np.float32]
    """Room for a line along x."""


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
                    _paint_classes(logits, cell, grid, few, canvas)


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
def _paint_classes(
    logits: NDArray[np.float32], cell: Cell, grid: Grid, few: NDArray[np.int64], canvas: Canvas
) -> None:
    """The largest of a few classes in each voxel of a cell."""
    corners, box = cell
    best = canvas.lines
    for z in range(box[0], box[1]):
        for y in range(box[2], box[3]):
            best[box[4] : box[5]] = _LOWEST
            for index in few:
                left, step = _line(logits, corners, index, grid.z.weights[z], grid.y.weights[y])
                for x in range(box[4], box[5]):
                    score = left + grid.x.weights[x] * step
                    if score > best[x]:
                        best[x] = score
                        canvas.labels[z, y, x] = canvas.values[index]


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
