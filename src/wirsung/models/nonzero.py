"""The nonzero region of an image: what is not air that some scanner or tool set to 0.

Its holes belong to it. Zeros are outside only where they touch the border of the image, or other zeros that
do, across faces. So it is enough to look at the border, and to follow the zeros from there: of a CT, whose
air is not 0, that is next to nothing.
"""

import numpy as np
from numpy.typing import NDArray

from wirsung.imaging.compiled import compiled

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

_ZERO, _OUTSIDE = 1, 2


def nonzero_region(image: NDArray[np.generic]) -> NDArray[np.bool_] | None:
    """Where (z, y, x) any channel of (channel, z, y, x) is not 0, holes included; None for everywhere.

    Source:
        `create_nonzero_mask` of nnU-Net 2.8, which fills the holes by dilating the border into the zeros.

    Example:
        >>> ring = np.ones((1, 1, 3, 3))
        >>> ring[0, 0, 1, 1] = 0
        >>> nonzero_region(np.pad(ring, ((0, 0), (0, 0), (0, 0), (0, 1)))) is not None
        True
        >>> nonzero_region(np.ones((1, 2, 3, 4))) is None
        True
    """
    if all(_is_full(image[:, *face]) for face in _faces()):
        return None
    state = np.ones(image.shape[1:], np.uint8)
    # Plane by plane and in place, so that but one byte a voxel is taken.
    for channel in image:
        for plane, own in zip(state, channel, strict=True):
            plane &= own == 0
    _follow(state)
    inside: NDArray[np.bool_] = state.view(np.bool_)
    return np.not_equal(state, _OUTSIDE, out=inside)


def box_of(region: NDArray[np.bool_]) -> Box:
    """First voxel, and one past the last, along each axis; everything where there is none.

    Example:
        >>> region = np.zeros((4, 4, 4), bool)
        >>> region[1, 2:, 3] = True
        >>> box_of(region)
        ((1, 2), (2, 4), (3, 4))
    """
    bounds = []
    for axis, planes in enumerate(_used(region)):
        used = np.flatnonzero(planes)
        bounds.append((int(used[0]), int(used[-1]) + 1) if used.size else (0, region.shape[axis]))
    return bounds[0], bounds[1], bounds[2]


def _used(region: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Which planes along each axis hold anything; the region is gone through twice, as it lies in memory."""
    slowest, *others = sorted(range(3), key=lambda axis: -region.strides[axis])
    turned = region.transpose(slowest, *others)
    flat: NDArray[np.bool_] = np.any(turned, axis=0)
    found: dict[int, NDArray[np.bool_]] = {
        slowest: np.any(turned, axis=(1, 2)),
        others[0]: np.any(flat, axis=1),
        others[1]: np.any(flat, axis=0),
    }
    return [found[axis] for axis in range(3)]


def _faces() -> list[tuple[slice | int, ...]]:
    whole = slice(None)
    return [(whole,) * axis + (end,) for axis in range(3) for end in (0, -1)]


def _is_full(face: NDArray[np.generic]) -> bool:
    return bool((face != 0).any(axis=0).all())


@compiled
def _follow(state: NDArray[np.uint8]) -> None:
    """Turn zeros (1) that touch the border, at once or through others, into outside (2)."""
    depth, height, width = state.shape
    waiting = np.empty((1024, 3), np.int64)
    for z in range(depth):
        for y in range(height):
            edge = z == 0 or y == 0 or z == depth - 1 or y == height - 1
            for x in range(0, width, 1 if edge or width < 2 else width - 1):
                if state[z, y, x] == _ZERO:
                    waiting[0, 0], waiting[0, 1], waiting[0, 2] = z, y, x
                    waiting = _flood(state, waiting)


@compiled
def _flood(state: NDArray[np.uint8], waiting: NDArray[np.int64]) -> NDArray[np.int64]:
    """Turn all zeros that the first waiting voxel reaches into outside; the list, which may have grown."""
    count = 1
    while count:
        count -= 1
        z, y, x = waiting[count, 0], waiting[count, 1], waiting[count, 2]
        first, last = _take_run(state[z, y], x)
        while waiting.shape[0] < count + 4 * (last - first + 1):
            waiting = np.concatenate((waiting, np.empty_like(waiting)))
        for k, j in ((z - 1, y), (z + 1, y), (z, y - 1), (z, y + 1)):
            if 0 <= k < state.shape[0] and 0 <= j < state.shape[1]:
                count = _find_runs(state, (k, j), (first, last), waiting, count)
    return waiting


@compiled
def _take_run(row: NDArray[np.uint8], place: int) -> tuple[int, int]:
    """Turn the run of zeros around a place into outside; its first voxel, and one past its last."""
    first, last = place, place
    while first > 0 and row[first - 1] == _ZERO:
        first -= 1
    while last < row.size and row[last] == _ZERO:
        last += 1
    row[first:last] = _OUTSIDE
    return first, last


@compiled
def _find_runs(
    state: NDArray[np.uint8],
    line: tuple[int, int],
    span: tuple[int, int],
    waiting: NDArray[np.int64],
    count: int,
) -> int:
    """Note one voxel of each run of zeros in a span of a line; how many voxels wait now."""
    row = state[line[0], line[1]]
    before = False
    for place in range(span[0], span[1]):
        zero = row[place] == _ZERO
        if zero and not before:
            waiting[count, 0], waiting[count, 1], waiting[count, 2] = line[0], line[1], place
            count += 1
        before = zero
    return count
