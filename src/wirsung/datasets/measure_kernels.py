"""The loops of `measure`, compiled. All go over runs of labelled voxels and never look at the rest."""

import numpy as np

from wirsung.imaging.arrays import Voxels
from wirsung.imaging.compiled import compiled
from wirsung.imaging.run_kernels import Integers


@compiled
def clip(values: Voxels, low: int, high: int, clipped: Voxels) -> int:
    """Write the values within `low` to `high` to `clipped`, which may be `values`; how many were outside."""
    outside = 0
    for place in range(values.size):
        value = values[place]
        # Without a branch, so that it takes many voxels at once; not a number stays what it is.
        is_low, is_high = value < low, value > high
        outside += int(is_low | is_high)
        clipped[place] = low if is_low else high if is_high else value
    return outside


@compiled
def tally(runs: Integers, values: Voxels, about: Voxels, counts: Integers, sums: Voxels) -> None:
    """Add up, by code, the voxels, their distance from `about` and the square of it.

    Args:
        runs: First voxel, last + 1 and code.
        values: Of all voxels, in file order.
        about: By code.
        counts: By code; added to.
        sums: By code, two columns of float64; added to.
    """
    for run in range(len(runs)):
        code = runs[run, 2]
        first, second = 0.0, 0.0
        for place in range(runs[run, 0], runs[run, 1]):
            distance = values[place] - about[code]
            first += distance
            second += distance * distance
        counts[code] += runs[run, 1] - runs[run, 0]
        sums[code, 0] += first
        sums[code, 1] += second


@compiled
def rows_of(runs: Integers, length_i: int) -> Integers:
    """The runs cut where a row ends: the row, the first voxel in it, and the last + 1."""
    count = 0
    for run in range(len(runs)):
        count += (runs[run, 1] - 1) // length_i - runs[run, 0] // length_i + 1
    pieces = np.empty((count, 3), dtype=np.int64)
    count = 0
    for run in range(len(runs)):
        place = runs[run, 0]
        while place < runs[run, 1]:
            row = place // length_i
            stop = min(runs[run, 1], (row + 1) * length_i)
            pieces[count, 0] = row
            pieces[count, 1] = place - row * length_i
            pieces[count, 2] = stop - row * length_i
            count += 1
            place = stop
    return pieces


@compiled
def box_of(pieces: Integers, length_j: int) -> Integers:
    """The smallest box around the pieces of rows: i0, i1, j0, j1, k0, k1, half-open."""
    far = np.int64(1) << 62
    box = np.array([far, 0, far, 0, far, 0])
    for piece in range(len(pieces)):
        k = pieces[piece, 0] // length_j
        j = pieces[piece, 0] - k * length_j
        box[0], box[1] = min(box[0], pieces[piece, 1]), max(box[1], pieces[piece, 2])
        box[2], box[3] = min(box[2], j), max(box[3], j + 1)
        box[4], box[5] = min(box[4], k), max(box[5], k + 1)
    return box


@compiled
def count_components(pieces: Integers, length_j: int) -> int:
    """How many bodies the pieces of rows form, where voxels that share a corner belong together."""
    parents = np.arange(len(pieces))
    joined = 0
    # One cursor for each row that a piece may touch: before it in the slice, and three in the slice before.
    cursors = np.zeros(4, dtype=np.int64)
    offsets = np.array([-1, -length_j - 1, -length_j, -length_j + 1])
    for piece in range(len(pieces)):
        j = pieces[piece, 0] % length_j
        for side in range(4):
            beside = offsets[side] + length_j if side else -1
            if 0 <= j + beside < length_j:
                joined += _join(pieces, piece, pieces[piece, 0] + offsets[side], cursors, side, parents)
    return len(pieces) - joined


@compiled
def _join(pieces: Integers, piece: int, row: int, cursors: Integers, side: int, parents: Integers) -> int:
    """Join a piece with those of another row that touch it; how many bodies became one."""
    other = cursors[side]
    # Pieces that end before this one begins can't touch a later one either.
    while pieces[other, 0] < row or (pieces[other, 0] == row and pieces[other, 2] < pieces[piece, 1]):
        other += 1
    cursors[side] = other
    joined = 0
    while pieces[other, 0] == row and pieces[other, 1] <= pieces[piece, 2]:
        one, two = _root(parents, piece), _root(parents, other)
        if one != two:
            parents[max(one, two)] = min(one, two)
            joined += 1
        other += 1
    return joined


@compiled
def _root(parents: Integers, piece: int) -> int:
    while parents[piece] != piece:
        parents[piece] = parents[parents[piece]]
        piece = parents[piece]
    return piece
