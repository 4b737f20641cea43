"""One channel normalised and resampled on the CPU in one go, slice by slice.

A slice is made float32, normalised and resampled within its plane while it lies in the processor's cache;
then the small slices are mixed along the axis that remains, a slab at a time. So no float copy of the image
ever exists, be it as long as it may. Of each axis's matrix only the band is used that is not 0: a cubic
spline forgets a voxel after a dozen others.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from wirsung.imaging.compiled import compiled
from wirsung.models.plans import Shape
from wirsung.models.resampling import Order, axis_matrix, nearest_index
from wirsung.models.scaling import Scaling

Plane = NDArray[np.float32]

_FORGOTTEN = 1e-8
"""Weights below it are left out: float32 knows seven digits."""
SLAB_SLICES = 64
"""Slices of the image that exist in float32 at once, beside those that the next ones are mixed with."""


class Band(NamedTuple):
    """What an axis's matrix holds beside zeros."""

    first: NDArray[np.int64]
    """By new sample, the first old one that it takes from."""
    weights: NDArray[np.float32]
    """By new sample, of that old one and those after it."""


@dataclass(frozen=True)
class Target:
    """Where a channel is to go."""

    shape: Shape
    order: Order
    coarse: int | None
    """The axis that is resampled by the nearest sample, slice by slice."""


def resample_channel(
    channel: NDArray[np.generic],
    target: Target,
    scaling: Scaling,
    mask: NDArray[np.bool_] | None = None,
    made: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The channel (z, y, x), normalised and then resampled.

    Args:
        channel: In the image's own unit; not changed.
        target: Its new shape.
        scaling: How it is normalised.
        mask: Where it is normalised; None for everywhere.
        made: What is filled and returned, of the new shape; None for a new array.

    Source:
        `resample_data_or_seg_to_shape` of nnU-Net 2.8, order 3 or 1 along the fine axes, 0 along the coarse.

    Example:
        >>> ramp = np.arange(4).reshape(1, 1, 4)
        >>> resample_channel(ramp, Target((1, 1, 2), 1, None), Scaling(None, 1.0, 2.0)).ravel()
        array([-0.25,  0.75], dtype=float32)
    """
    result: NDArray[np.float32] = np.empty(target.shape, np.float32) if made is None else made
    lead = leading_axis(channel.shape, target)
    order = (lead, *(axis for axis in range(3) if axis != lead))
    inside = None if mask is None else mask.transpose(order)
    planes = _Planes(channel.transpose(order), inside, scaling, target, order[1:])
    filled = result.transpose(order)
    if channel.shape == target.shape:
        _in_threads(lambda index: planes.flatten(index, filled[index]), range(len(filled)))
    elif lead == target.coarse:
        _nearest_slices(planes, filled, target.order)
    else:
        _mix_slices(planes, filled, target.order)
    return result


class _Planes:
    """The slices along the leading axis: each normalised, then resampled within its plane."""

    def __init__(
        self,
        slices: NDArray[np.generic],
        inside: NDArray[np.bool_] | None,
        scaling: Scaling,
        target: Target,
        axes: tuple[int, ...],
    ) -> None:
        self.slices, self.inside, self.scaling = slices, inside, scaling
        self.shape = target.shape[axes[0]], target.shape[axes[1]]
        old = slices.shape[1:]
        self.rows, self.columns = (_band(old[at], self.shape[at], target.order) for at in range(2))
        self.extremes = np.empty((len(slices), 2), np.float32)
        """Smallest and largest value of each normalised slice that was flattened."""

    def flatten(self, index: int, made: NDArray[np.float32]) -> None:
        """One slice, into `made`."""
        plane = np.array(self.slices[index], np.float32, order="C")
        self.scaling.apply(plane, None if self.inside is None else self.inside[index])
        self.extremes[index] = plane.min(), plane.max()
        whole = made if made.flags.c_contiguous else np.empty(self.shape, np.float32)
        _mix_plane(plane, self.rows, self.columns, whole)
        if whole is not made:
            made[:] = whole


def leading_axis(shape: Sequence[int], target: Target) -> int:
    """The axis that is resampled last: the coarse one, else that of z and y which shrinks less."""
    if target.coarse is not None:
        return target.coarse
    z, y = (new / old for new, old in zip(target.shape[:2], shape[:2], strict=True))
    return 0 if z >= y else 1


def _nearest_slices(planes: _Planes, filled: NDArray[np.float32], order: Order) -> None:
    """The nearest slice for each; a cubic spline stays in the range of its slice, as skimage's."""
    old, new = len(planes.slices), len(filled)
    nearest = np.arange(old) if old == new else nearest_index(old, new)
    first = np.flatnonzero(np.diff(nearest, prepend=-1))
    stop = np.append(first[1:], new)

    def fill(place: int) -> None:
        taken = filled[first[place] : stop[place]]
        index = int(nearest[first[place]])
        planes.flatten(index, taken[0])
        if order > 1:
            np.clip(taken[0], *planes.extremes[index], out=taken[0])
        taken[1:] = taken[0]

    _in_threads(fill, range(len(first)))


def _mix_slices(planes: _Planes, filled: NDArray[np.float32], order: Order) -> None:
    """The slices resampled along the first axis, a slab at a time, so that few of them exist at once."""
    old, new = len(planes.slices), len(filled)
    band = _band(old, new, order)
    taps = band.weights.shape[1]
    # From which slice on a row and all later ones take.
    lows = np.minimum.accumulate(band.first[::-1])[::-1]
    thickness = max(1, SLAB_SLICES * new // old)
    held, begin, end = np.empty((0, *planes.shape), np.float32), 0, 0
    for start in range(0, new, thickness):
        rows = range(start, min(start + thickness, new))
        low, high = int(lows[start]), max(end, int(band.first[rows.start : rows.stop].max()) + taps)
        slab = np.empty((high - low, *planes.shape), np.float32)
        slab[: max(0, end - low)] = held[low - begin :]
        _flatten_all(planes, range(end, high), slab, low)
        held, begin, end = slab, low, high
        _mix_rows(held, Band(band.first - low, band.weights), rows, filled)
    if order > 1:
        # As skimage: a cubic spline stays in the range of the image, whose last slices may weigh nothing.
        _flatten_all(planes, range(end, old), held[:0], end)
        low_value, high_value = planes.extremes[:, 0].min(), planes.extremes[:, 1].max()
        _in_threads(lambda row: np.clip(filled[row], low_value, high_value, out=filled[row]), range(new))


def _flatten_all(planes: _Planes, indices: range, slab: NDArray[np.float32], low: int) -> None:
    """Slices into a slab that begins with slice `low`; those outside it only count for the extremes."""

    def flatten(index: int) -> None:
        is_held = low <= index < low + len(slab)
        planes.flatten(index, slab[index - low] if is_held else np.empty(planes.shape, np.float32))

    _in_threads(flatten, indices)


def _mix_rows(slab: NDArray[np.float32], band: Band, rows: range, filled: NDArray[np.float32]) -> None:
    """Some rows of the result, of the slices in a slab."""
    flat = slab.reshape(len(slab), -1)

    def mix(row: int) -> None:
        made = np.empty((1, flat.shape[1]), np.float32)
        _mix(flat, Band(band.first[row : row + 1], band.weights[row : row + 1]), made)
        filled[row] = made.reshape(filled.shape[1:])

    _in_threads(mix, rows)


def _in_threads(work: Callable[[int], object], indices: range) -> None:
    """Call `work` for each index, in as many threads as torch may use."""
    parts = min(torch.get_num_threads(), len(indices))
    if not parts:
        return

    def work_through(part: int) -> None:
        for index in indices[part::parts]:
            work(index)

    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(work_through, range(parts)))


@lru_cache(maxsize=64)
def _band(old: int, new: int, order: Order) -> Band:
    """The band of the matrix that resamples `old` samples to `new`."""
    if old == new:
        return Band(np.arange(old), np.ones((old, 1), np.float32))
    matrix = axis_matrix(old, new, order)
    counts = np.abs(matrix) > _FORGOTTEN
    first, end = counts.argmax(axis=1), old - counts[:, ::-1].argmax(axis=1)
    taps = int((end - first).max())
    first = np.minimum(first, old - taps)
    weights = np.take_along_axis(matrix, first[:, None] + np.arange(taps), axis=1)
    return Band(first.astype(np.int64), weights.astype(np.float32))


@compiled
def _mix_plane(plane: Plane, rows: Band, columns: Band, made: Plane) -> None:
    """Resample a plane along both of its axes."""
    height = made.shape[0]
    tall = np.empty((height, plane.shape[1]), np.float32)
    _mix(plane, rows, tall)
    turned = np.empty((plane.shape[1], height), np.float32)
    _turn(tall, turned)
    wide = np.empty((made.shape[1], height), np.float32)
    _mix(turned, columns, wide)
    _turn(wide, made)


@compiled
def _mix(source: Plane, band: Band, made: Plane) -> None:
    """Weighted sums of rows; four at a time, and a stretch that the cache holds."""
    taps = band.weights.shape[1]
    fours = taps - taps % 4
    for start in range(0, source.shape[1], 4096):
        end = min(start + 4096, source.shape[1])
        for place in range(made.shape[0]):
            first, weights, sums = band.first[place], band.weights[place], made[place][start:end]
            sums[:] = 0
            for tap in range(0, fours, 4):
                row = first + tap
                a, b = source[row][start:end], source[row + 1][start:end]
                c, d = source[row + 2][start:end], source[row + 3][start:end]
                p, q, r, s = weights[tap], weights[tap + 1], weights[tap + 2], weights[tap + 3]
                for i in range(sums.size):
                    sums[i] += p * a[i] + q * b[i] + r * c[i] + s * d[i]
            for tap in range(fours, taps):
                a, p = source[first + tap][start:end], weights[tap]
                for i in range(sums.size):
                    sums[i] += p * a[i]


@compiled
def _turn(plane: Plane, made: Plane) -> None:
    """Swap the axes of a plane, block by block."""
    height, width = plane.shape
    for top in range(0, height, 16):
        for left in range(0, width, 16):
            for j in range(top, min(top + 16, height)):
                for i in range(left, min(left + 16, width)):
                    made[i, j] = plane[j, i]
