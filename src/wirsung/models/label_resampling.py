"""Label maps at another shape: every label interpolated linearly, and the largest wins, all in one pass.

nnU-Net interpolates the mask of one label after another over the whole image. But a new voxel mixes only its
eight old neighbours, so their labels can vote at once, however many labels there are. The votes are weighed
and added in the order of scipy's, so that what rounding decides there is decided here the same way.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from wirsung.imaging.compiled import compiled
from wirsung.models.plans import Shape
from wirsung.models.resampling import Order, nearest_index

L = TypeVar("L", bound=np.integer[Any])


class _Axis(NamedTuple):
    """By new sample: the old samples before and after it, the weight of the latter, and the nearest one."""

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    weight: NDArray[np.float64]
    nearest: NDArray[np.int64]


def resample_labels(
    labels: NDArray[L], shape: Shape, *, order: Order = 1, coarse: int | None = None
) -> NDArray[L]:
    """The label map (z, y, x) at another shape: each label interpolated linearly, and the largest wins.

    A tie goes to the nearest voxel's label where it takes part in the tie, else to the smallest.

    Args:
        labels: Not changed.
        shape: Voxels along z, y and x.
        order: 0 takes the label of the nearest voxel.
        coarse: The axis that is resampled by the nearest sample, slice by slice.

    Source:
        `resize_segmentation` of batchgenerators 0.25.5, which nnU-Net 2.8 calls.

    Example:
        Label 2 weighs 0, 0.25, 0.75 and 1 at the new samples.

        >>> resample_labels(np.array([[[1, 2]]]), (1, 1, 4)).ravel()
        array([1, 1, 2, 2])
    """
    if labels.shape == tuple(shape):
        return labels
    old = np.ascontiguousarray(labels)
    z, y, x = (
        _axis(size, shape[axis], linear=order > 0 and axis != coarse) for axis, size in enumerate(old.shape)
    )
    result = np.empty_like(old, shape=shape)
    cuts = np.linspace(0, shape[0], min(torch.get_num_threads(), shape[0]) + 1).astype(np.int64)

    def vote(part: int) -> None:
        own = slice(cuts[part], cuts[part + 1])
        rows = _Axis(z.before[own], z.after[own], z.weight[own], z.nearest[own])
        _vote(old, rows, y, x, result[own])

    with ThreadPoolExecutor(len(cuts) - 1) as pool:
        list(pool.map(vote, range(len(cuts) - 1)))
    return result


def _axis(old: int, new: int, *, linear: bool) -> _Axis:
    nearest = nearest_index(old, new)
    if not linear or old == new:
        return _Axis(nearest, nearest, np.zeros(new), nearest)
    centres = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
    before = np.floor(centres).astype(np.int64)
    return _Axis(before, np.minimum(before + 1, old - 1), centres - before, nearest)


@compiled
def _vote(labels: NDArray[L], z: _Axis, y: _Axis, x: _Axis, result: NDArray[L]) -> None:
    """Fill `result`, a part of the new slices that `z` belongs to."""
    width = labels.shape[2]
    agreed = np.empty(width, np.bool_)
    corners = np.empty(8, labels.dtype)
    weights = np.empty(8, np.float64)
    for k in range(result.shape[0]):
        upper, lower = labels[z.before[k]], labels[z.after[k]]
        for j in range(result.shape[1]):
            first, second = upper[y.before[j]], upper[y.after[j]]
            third, fourth = lower[y.before[j]], lower[y.after[j]]
            for i in range(width):
                value = first[i]
                agreed[i] = (value == second[i]) & (value == third[i]) & (value == fourth[i])
            for i in range(result.shape[2]):
                a, b = x.before[i], x.after[i]
                value = first[a]
                if agreed[a] and agreed[b] and value == first[b]:
                    result[k, j, i] = value
                    continue
                corners[0], corners[1], corners[2], corners[3] = value, first[b], second[a], second[b]
                corners[4], corners[5], corners[6], corners[7] = third[a], third[b], fourth[a], fourth[b]
                _weigh(z.weight[k], y.weight[j], x.weight[i], weights)
                nearest = labels[z.nearest[k], y.nearest[j], x.nearest[i]]
                result[k, j, i] = _winner(corners, weights, nearest)


@compiled
def _weigh(z: float, y: float, x: float, weights: NDArray[np.float64]) -> None:
    """The weights of the eight corners, multiplied in scipy's order."""
    for corner in range(8):
        weight = z if corner & 4 else 1.0 - z
        weight *= y if corner & 2 else 1.0 - y
        weights[corner] = weight * (x if corner & 1 else 1.0 - x)


@compiled
def _winner(corners: NDArray[L], weights: NDArray[np.float64], nearest: L) -> L:
    """The label of the largest weight; of equals the nearest voxel's, else the smallest."""
    best = -1.0
    winner: L = corners[0]
    for corner in range(8):
        label, score, seen = corners[corner], 0.0, False
        for other in range(8):
            if corners[other] == label:
                seen = seen or other < corner
                score += weights[other]
        if seen:
            continue
        tied = score == best and (label == nearest or (winner != nearest and label < winner))
        if score > best or tied:
            best, winner = score, label
    return winner
