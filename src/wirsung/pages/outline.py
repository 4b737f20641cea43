"""The outline of a flat mask along the edges of its voxels: what is drawn is what was labelled."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Corner = tuple[int, int]


def outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Closed polygons around every part of the mask, and inside around every hole.

    Voxel centres lie at integers, so corners lie at halves. The first corner is repeated at the end; corners
    on a straight line are left out. Outer polygons run counter-clockwise (j upwards), holes clockwise.

    Example:
        >>> outlines(np.array([[True]]))[0].tolist()
        [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5]]
    """
    following: dict[Corner, list[Corner]] = {}
    for start, end in _edges(mask):
        following.setdefault(start, []).append(end)
    polygons = []
    while following:
        polygons.append(np.array(_turns(_loop(following)), dtype=np.float64) - 0.5)
    return polygons


def _edges(mask: NDArray[np.bool_]) -> Iterator[tuple[Corner, Corner]]:
    """Edges with the inside on their left; corner (i, j) is the lower one of voxel (i, j)."""
    outside = ~np.pad(mask, 1)
    inner = (slice(1, -1), slice(1, -1))
    sides = (
        (outside[1:-1, :-2], (0, 0), (1, 0)),
        (outside[2:, 1:-1], (1, 0), (1, 1)),
        (outside[1:-1, 2:], (1, 1), (0, 1)),
        (outside[:-2, 1:-1], (0, 1), (0, 0)),
    )
    inside = ~outside[inner]
    for beyond, start, end in sides:
        for i, j in np.argwhere(inside & beyond).tolist():
            yield (i + start[0], j + start[1]), (i + end[0], j + end[1])


def _loop(following: dict[Corner, list[Corner]]) -> list[Corner]:
    """Walk from any corner until back at it, taking the edges out of `following`."""
    start = min(following)
    walked = [start]
    while True:
        ends = following[walked[-1]]
        # Where two voxels touch at a corner only, turn left, so that each keeps its own polygon.
        turn = _leftmost(walked, ends) if len(ends) > 1 and len(walked) > 1 else 0
        walked.append(ends.pop(turn))
        if not ends:
            del following[walked[-2]]
        if walked[-1] == start:
            return walked


def _leftmost(walked: list[Corner], ends: list[Corner]) -> int:
    (i0, j0), (i1, j1) = walked[-2:]
    turns = [(i1 - i0) * (j - j1) - (j1 - j0) * (i - i1) for i, j in ends]
    return int(np.argmax(turns))


def _turns(loop: list[Corner]) -> list[Corner]:
    """The loop without the corners that lie on a straight line."""
    kept = [
        here
        for before, here, after in zip([loop[-2], *loop[:-2]], loop[:-1], loop[1:], strict=True)
        if (here[0] - before[0]) * (after[1] - here[1]) != (here[1] - before[1]) * (after[0] - here[0])
    ]
    return [*kept, kept[0]]
