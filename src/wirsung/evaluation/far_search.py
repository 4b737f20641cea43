"""The nearest boundary voxel of a query that lies far: by blocks, and exact.

Strays, missed lobes and swapped labels leave queries whose nearest boundary voxel is beyond the ball of
`near_search`. Queries and targets are sorted into blocks of 8 x 8 x 8 voxels, each with the box around what
it holds. Between two boxes there is a least and a largest possible distance, so:

1. For a block of queries, no target block is needed that lies, at the least, farther off than another one
   does at the most. Few blocks remain: those on the side that faces the queries.
2. A query takes the nearest voxel of the query before it, its neighbour, as the first guess, skips each
   remaining block that is, at the least, no nearer than the best so far, and looks into the others.

All bounds are computed by the same float64 operations as the distances; rounding keeps order (a <= b
gives fl(a s) <= fl(b s), and so on through squares and sums), so no bound ever hides a nearer voxel.

The work is bounded. Where the boxes tell so little that it passes a limit (targets strewn all over, at about
one distance), the search gives up and a k-d tree over the targets answers instead.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from wirsung.evaluation.boundary_scan import Integers, Layout
from wirsung.evaluation.near_search import Distances, Steps, square
from wirsung.imaging.compiled import compiled

Voxels = NDArray[np.int32]

_EDGE_BITS = 3
_WORK_LIMIT = 2_000_000_000


class Blocks(NamedTuple):
    """Voxels by the block they lie in."""

    voxels: Voxels
    """z, y, x, by block."""
    order: Integers
    """Which of the places given each voxel is."""
    starts: Integers
    """By block, where its voxels start; one more for the end."""
    boxes: Voxels
    """By block: first z, y, x and last z, y, x of its voxels."""


def far_distances(
    queries: Integers, targets: Integers, layout: Layout, steps: Steps, *, work_limit: int = _WORK_LIMIT
) -> Distances:
    """From each query to the nearest target, mm.

    Args:
        queries: Places in a padded map.
        targets: As the queries; at least one.
        layout: Of the map.
        steps: Of the volume.
        work_limit: Looks at blocks before the k-d tree takes over.
    """
    query_blocks, target_blocks = into_blocks(queries, layout), into_blocks(targets, layout)
    squares = np.empty(queries.size)
    if not search_blocks(query_blocks, target_blocks, steps, work_limit, squares):
        squares[query_blocks.order] = _by_tree(query_blocks.voxels, target_blocks.voxels, steps)
    return np.sqrt(squares)


def _by_tree(queries: Voxels, targets: Voxels, steps: Steps) -> Distances:
    sizes_mm = np.array(steps[:3])
    tree = cKDTree(targets * sizes_mm, leafsize=32, compact_nodes=False, balanced_tree=False)
    _, nearest = tree.query(queries * sizes_mm)
    along = ((queries - targets[nearest]) * sizes_mm) ** 2
    first, second, third = along.T[::-1] if steps.turned else along.T
    squares: Distances = (first + second) + third
    return squares


def into_blocks(places: Integers, layout: Layout) -> Blocks:
    """The voxels at the places, sorted into blocks; within a block they keep their order."""
    voxels = np.stack(np.unravel_index(places - layout.origin, _shape(layout)), axis=1).astype(np.int32)
    first, last = voxels.min(axis=0) >> _EDGE_BITS, voxels.max(axis=0) >> _EDGE_BITS
    order, starts = sort_into_blocks(voxels, first, last - first + 1)
    voxels = voxels[order]
    return Blocks(voxels, order, starts, _boxes(voxels, starts))


def _shape(layout: Layout) -> tuple[int, int, int]:
    """Planes, rows and columns of the padded map."""
    return layout.size // layout.plane, layout.plane // layout.row, layout.row


def _boxes(voxels: Voxels, starts: Integers) -> Voxels:
    """First and last z, y, x of each block's voxels."""
    return np.concatenate([end.reduceat(voxels, starts[:-1], axis=0) for end in (np.minimum, np.maximum)], 1)


@compiled
def sort_into_blocks(voxels: Voxels, first: Integers, sizes: Integers) -> tuple[Integers, Integers]:
    """The voxels' order by block, and where the blocks start that are not empty (counting sort)."""
    following = np.zeros(sizes[0] * sizes[1] * sizes[2], dtype=np.int64)
    keys = np.empty(len(voxels), dtype=np.int64)
    for index in range(len(voxels)):
        z, y, x = (
            (voxels[index, 0] >> _EDGE_BITS),
            (voxels[index, 1] >> _EDGE_BITS),
            (voxels[index, 2] >> _EDGE_BITS),
        )
        keys[index] = ((z - first[0]) * sizes[1] + y - first[1]) * sizes[2] + x - first[2]
        following[keys[index]] += 1
    starts = np.zeros(len(voxels) + 1, dtype=np.int64)
    filled, total = 0, 0
    for block in range(following.size):
        size = following[block]
        following[block] = total
        total += size
        if size > 0:
            filled += 1
            starts[filled] = total
    order = np.empty(len(voxels), dtype=np.int64)
    for index in range(len(voxels)):
        order[following[keys[index]]] = index
        following[keys[index]] += 1
    return order, starts[: filled + 1]


@compiled
def search_blocks(queries: Blocks, targets: Blocks, steps: Steps, limit: int, squares: Distances) -> bool:
    """Write each query's squared distance to the nearest target, mm²; False if the work passes the limit.

    Args:
        queries: Where from.
        targets: Where to.
        steps: Of the volume.
        limit: Most looks at blocks.
        squares: By query, in the order in which they were given.
    """
    work = 0
    nearest = np.int64(0)
    near = np.empty(len(targets.boxes), dtype=np.int64)
    for block in range(len(queries.boxes)):
        count = _near_blocks(queries.boxes[block], targets.boxes, steps, near)
        first, stop = queries.starts[block], queries.starts[block + 1]
        work += near.size + count * (stop - first)
        if work > limit:
            return False
        for query in range(first, stop):
            best, nearest = _search_near(queries.voxels[query], targets, near[:count], nearest, steps)
            squares[queries.order[query]] = best
    return True


@compiled
def _near_blocks(box: Voxels, others: Voxels, steps: Steps, near: Integers) -> int:
    """Write which of the other boxes may hold the nearest voxel of one in this box; returns how many."""
    bound = np.inf
    for block in range(len(others)):
        bound = min(bound, _most(box, others[block], steps))
    count = 0
    for block in range(len(others)):
        if _least(box, others[block], steps) <= bound:
            near[count] = block
            count += 1
    return count


@compiled
def _least(box: Voxels, other: Voxels, steps: Steps) -> float:
    """Squared distance between the nearest voxels that two boxes can hold."""
    z = _gap(box[0], box[3], other[0], other[3])
    y = _gap(box[1], box[4], other[1], other[4])
    x = _gap(box[2], box[5], other[2], other[5])
    return square(steps, z, y, x)


@compiled
def _gap(first: int, last: int, other_first: int, other_last: int) -> int:
    """From one interval to another, 0 where they meet."""
    if other_first > last:
        return other_first - last
    return first - other_last if first > other_last else 0


@compiled
def _most(box: Voxels, other: Voxels, steps: Steps) -> float:
    """Squared distance between the farthest voxels that two boxes can hold."""
    z = max(other[3] - box[0], box[3] - other[0])
    y = max(other[4] - box[1], box[4] - other[1])
    x = max(other[5] - box[2], box[5] - other[2])
    return square(steps, z, y, x)


@compiled
def _search_near(
    query: Voxels, targets: Blocks, near: Integers, guess: np.int64, steps: Steps
) -> tuple[float, np.int64]:
    """Squared distance to the nearest target and which it is, given any target as a first guess."""
    z, y, x = query[0], query[1], query[2]
    voxels, boxes = targets.voxels, targets.boxes
    nearest = guess
    best = square(steps, voxels[guess, 0] - z, voxels[guess, 1] - y, voxels[guess, 2] - x)
    for block in near:
        gap_z = _gap(z, z, boxes[block, 0], boxes[block, 3])
        gap_y = _gap(y, y, boxes[block, 1], boxes[block, 4])
        gap_x = _gap(x, x, boxes[block, 2], boxes[block, 5])
        if square(steps, gap_z, gap_y, gap_x) >= best:
            continue
        for index in range(targets.starts[block], targets.starts[block + 1]):
            found = square(steps, voxels[index, 0] - z, voxels[index, 1] - y, voxels[index, 2] - x)
            if found < best:
                best, nearest = found, np.int64(index)
    return best, nearest
