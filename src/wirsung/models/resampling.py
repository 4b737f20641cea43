"""nnU-Net's resampling as small matrices, one an axis: the same numbers, many times faster.

`skimage.transform.resize`, which nnU-Net calls, is `scipy.ndimage.zoom(grid_mode=True, mode="nearest")`. That
is a linear operator of each axis on its own, spline prefilter included, so zooming the unit vectors of an
axis yields its matrix. Arrays are (channel, z, y, x).
"""

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from wirsung.models.plans import Resampling, Shape, Spacing

Order = Literal[0, 1, 3]

ANISOTROPY = 3.0
"""Spacings that differ by more than this factor are resampled with the coarse axis taken apart."""

# Interpolations of float64 that differ by less are a tie.
_TIE = 1e-9


@lru_cache(maxsize=64)
def axis_matrix(old: int, new: int, order: Order) -> NDArray[np.float64]:
    """The matrix (new, old) that resamples an axis of `old` samples to `new`, edges repeated.

    Example:
        Half-pixel linear: the new sample centres lie at -0.25, 0.25, 0.75 and 1.25.

        >>> axis_matrix(2, 4, 1).tolist()
        [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
        >>> axis_matrix(4, 2, 0).tolist()
        [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """
    if order == 0:
        return _nearest(old, new)
    if order == 1:
        return _linear(old, new)
    columns = [
        ndimage.zoom(unit, new / old, order=order, mode="nearest", grid_mode=True) for unit in np.eye(old)
    ]
    return np.stack(columns, axis=1)


def coarse_axis(current_mm: Spacing, target_mm: Spacing, how: Resampling) -> int | None:
    """The axis to take apart, or None where all axes are resampled alike.

    Source:
        `determine_do_sep_z_and_axis` of nnU-Net 2.8.

    Example:
        >>> coarse_axis((5.0, 0.8, 0.8), (2.5, 0.8, 0.8), Resampling(3, None))
        0
        >>> coarse_axis((2.0, 0.8, 0.8), (1.5, 0.8, 0.8), Resampling(3, None))
    """
    if how.separate_z is False:
        return None
    for spacing in (current_mm, target_mm):
        if how.separate_z or max(spacing) / min(spacing) > ANISOTROPY:
            coarse = [axis for axis in range(3) if spacing[axis] == max(spacing)]
            return coarse[0] if len(coarse) == 1 else None
    return None


def resample(image: torch.Tensor, shape: Shape, *, order: Order, coarse: int | None = None) -> torch.Tensor:
    """The image (channel, z, y, x) at another shape, on its device, in its type.

    Args:
        image: Floating point.
        shape: Voxels along z, y and x.
        order: Of the spline along the fine axes.
        coarse: The axis that is resampled by the nearest sample, slice by slice.
    """
    if tuple(image.shape[1:]) == tuple(shape):
        return image
    lows, highs = _bounds(image, coarse)
    result = image
    for axis in range(3):
        if axis != coarse:
            result = apply_axis(result, axis, image.shape[axis + 1], shape[axis], order)
    if order > 1:
        # As skimage: a cubic spline stays in the range of its input, here of the slice that it was given.
        result = torch.minimum(torch.maximum(result, lows), highs)
    if coarse is not None:
        result = apply_axis(result, coarse, image.shape[coarse + 1], shape[coarse], 0)
    return result


def apply_axis(image: torch.Tensor, axis: int, old: int, new: int, order: Order) -> torch.Tensor:
    """One axis (0 is z) of (channel, z, y, x) resampled from `old` to `new` samples."""
    if old == new:
        return image
    if order == 0:
        return image.index_select(axis + 1, torch.from_numpy(nearest_index(old, new)).to(image.device))
    matrix = torch.from_numpy(axis_matrix(old, new, order)).to(image.device, image.dtype)
    return multiply_axis(image, axis, matrix)


def multiply_axis(image: torch.Tensor, axis: int, matrix: torch.Tensor) -> torch.Tensor:
    """The matrix (new, old) applied along one axis (0 is z) of (channel, z, y, x)."""
    if axis == 2:
        return image @ matrix.T
    if axis == 1:
        return matrix @ image
    channels, depth, height, width = image.shape
    flat = matrix @ image.reshape(channels, depth, height * width)
    return flat.reshape(channels, matrix.shape[0], height, width)


def resample_labels(
    labels: NDArray[np.integer], shape: Shape, *, order: Order = 1, coarse: int | None = None
) -> NDArray[np.integer]:
    """The label map (z, y, x) at another shape: each label interpolated linearly, and the largest wins.

    A tie goes to the nearest voxel's label where it takes part in the tie, else to the smallest.

    Source:
        `resize_segmentation` of batchgenerators 0.25.5, which nnU-Net 2.8 calls.
    """
    if labels.shape == tuple(shape):
        return labels
    in_plane = [axis for axis in range(3) if axis != coarse]
    nearest = _take_nearest(labels, shape, in_plane)
    values = np.unique(labels)
    plain = order == 0 or len(values) == 1
    result = nearest if plain else _winners(labels, values, shape, in_plane, nearest)
    return result if coarse is None else _take_nearest(result, shape, [coarse])


def resampled_shape(shape: Shape, current_mm: Spacing, target_mm: Spacing) -> Shape:
    """Voxels along each axis after resampling to the target spacing.

    Example:
        >>> resampled_shape((72, 80, 96), (4.0, 4.0, 4.0), (2.0, 4.0, 5.0))
        (144, 80, 77)
    """
    z, y, x = (round(old / new * size) for size, old, new in zip(shape, current_mm, target_mm, strict=True))
    return max(1, z), max(1, y), max(1, x)


def nearest_index(old: int, new: int) -> NDArray[np.int64]:
    """The old sample that each new sample takes.

    Example:
        >>> nearest_index(4, 2).tolist(), nearest_index(2, 4).tolist()
        ([1, 3], [0, 0, 1, 1])
    """
    centres = (np.arange(new) + 0.5) * (old / new) - 0.5
    index: NDArray[np.int64] = np.clip(np.floor(centres + 0.5).astype(np.int64), 0, old - 1)
    return index


def _nearest(old: int, new: int) -> NDArray[np.float64]:
    return np.eye(old)[nearest_index(old, new)]


def _linear(old: int, new: int) -> NDArray[np.float64]:
    centres = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
    below = np.floor(centres).astype(np.int64)
    above = np.minimum(below + 1, old - 1)
    weight = (centres - below)[:, None]
    matrix: NDArray[np.float64] = (1 - weight) * np.eye(old)[below] + weight * np.eye(old)[above]
    return matrix


def _bounds(image: torch.Tensor, coarse: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Smallest and largest value of each channel, or of each of its slices along the coarse axis."""
    axes = tuple(axis + 1 for axis in range(3) if axis != coarse)
    return image.amin(axes, keepdim=True), image.amax(axes, keepdim=True)


def _take_nearest(labels: NDArray[np.integer], shape: Shape, axes: list[int]) -> NDArray[np.integer]:
    for axis in axes:
        labels = np.take(labels, nearest_index(labels.shape[axis], shape[axis]), axis=axis)
    return labels


def _winners(
    labels: NDArray[np.integer],
    values: NDArray[np.integer],
    shape: Shape,
    axes: list[int],
    nearest: NDArray[np.integer],
) -> NDArray[np.integer]:
    best = np.full(nearest.shape, -1.0)
    winner = np.zeros(nearest.shape, labels.dtype)
    for value in values:
        score = torch.from_numpy((labels == value).astype(np.float64))[None]
        for axis in axes:
            score = apply_axis(score, axis, labels.shape[axis], shape[axis], 1)
        found = score[0].numpy()
        higher = found > best + _TIE
        tied = np.abs(found - best) <= _TIE
        winner[higher | (tied & (nearest == value))] = value
        np.maximum(best, found, out=best)
    return winner
