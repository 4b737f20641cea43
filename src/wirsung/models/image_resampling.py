"""One channel normalised and resampled on the CPU in one go, slice by slice.

A slice is made float32, normalised and resampled within its plane while it lies in the processor's cache;
then the small slices are mixed along the axis that remains. So no float copy of the image ever exists. Of
each axis's matrix only the band is used that is not 0: a cubic spline forgets a voxel after a dozen others.
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
) -> NDArray[np.float32]:
    """The channel (z, y, x), normalised and then resampled.

    Args:
        channel: In the image's own unit; not changed.
        target: Its new shape.
        scaling: How it is normalised.
        mask: Where it is normalised; None for everywhere.

    Source:
        `resample_data_or_seg_to_shape` of nnU-Net 2.8, order 3 or 1 along the fine axes, 0 along the coarse.

    Example:
        >>> ramp = np.arange(4).reshape(1, 1, 4)
        >>> resample_channel(ramp, Target((1, 1, 2), 1, None), Scaling(None, 1.0, 2.0)).ravel()
        array([-0.25,  0.75], dtype=float32)
    """
    lead = _leading_axis(channel.shape, target)
    order = (lead, *(axis for axis in range(3) if axis != lead))
    new = [target.shape[axis] for axis in order]
    slices = channel.transpose(order)
    inside = None if mask is None else mask.transpose(order)
    rows, columns = (_band(slices.shape[axis], new[axis], target.order) for axis in (1, 2))
    middle = np.empty((slices.shape[0], *new[1:]), np.float32)
    extremes = np.empty((slices.shape[0], 2), np.float32)

    def flatten(index: int) -> None:
        plane = np.array(slices[index], np.float32, order="C")
        scaling.apply(plane, None if inside is None else inside[index])
        extremes[index] = plane.min(), plane.max()
        _mix_plane(plane, rows, columns, middle[index])

    _in_threads(flatten, range(slices.shape[0]))
    if channel.shape == target.shape:
        made = middle
    elif lead == target.coarse:
        made = _nearest_slices(middle, new[0], extremes if target.order > 1 else None)
    else:
        limits = (extremes[:, 0].min(), extremes[:, 1].max()) if target.order > 1 else (-np.inf, np.inf)
        made = _mix_slices(middle, _band(middle.shape[0], new[0], target.order), limits)
    back = sorted(range(3), key=order.__getitem__)
    return np.ascontiguousarray(made.transpose(back))


def _leading_axis(shape: Sequence[int], target: Target) -> int:
    """The axis that is resampled last: the coarse one, else that of z and y which shrinks less."""
    if target.coarse is not None:
        return target.coarse
    z, y = (new / old for new, old in zip(target.shape[:2], shape[:2], strict=True))
    return 0 if z >= y else 1


def _nearest_slices(
    middle: NDArray[np.float32], count: int, extremes: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """The nearest slice for each of `count`; a cubic spline stays in the range of its slice, as skimage's."""
    if extremes is not None:
        np.clip(middle, extremes[:, :1, None], extremes[:, 1:, None], out=middle)
    return middle[nearest_index(len(middle), count)] if count != len(middle) else middle


def _mix_slices(middle: NDArray[np.float32], band: Band, limits: tuple[float, float]) -> NDArray[np.float32]:
    """The slices resampled along the first axis, and kept in the range of the image, as skimage does."""
    flat = middle.reshape(len(middle), -1)
    made = np.empty((len(band.first), flat.shape[1]), np.float32)

    def mix(index: int) -> None:
        own = slice(index, index + 1)
        _mix(flat, Band(band.first[own], band.weights[own]), made[own])
        np.clip(made[own], *limits, out=made[own])

    _in_threads(mix, range(len(made)))
    return made.reshape(len(made), *middle.shape[1:])


def _in_threads(work: Callable[[int], None], indices: range) -> None:
    """Call `work` for each index, in as many threads as torch may use."""
    parts = min(torch.get_num_threads(), len(indices))

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
