"""nnU-Net's resampling as small matrices, one an axis: the same numbers, many times faster.

`skimage.transform.resize`, which nnU-Net calls, is `scipy.ndimage.zoom(grid_mode=True, mode="nearest")`. That
is a linear operator of each axis on its own, spline prefilter included, so resampling the unit vectors of an
axis yields its matrix. Images go through `image_resampling` on a CPU and `device_resampling` on a GPU, label
maps through `label_resampling`.
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

_PADDING = 12
"""Samples by which scipy repeats the edges before it filters; a spline has forgotten the edge by then."""


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
    return _linear(old, new) if order == 1 else _cubic(old, new)


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


def multiply_axis(image: torch.Tensor, axis: int, matrix: torch.Tensor) -> torch.Tensor:
    """The matrix (new, old) applied along one axis (0 is z) of (channel, z, y, x)."""
    if axis == 2:
        return image @ matrix.T
    if axis == 1:
        return matrix @ image
    channels, depth, height, width = image.shape
    flat = matrix @ image.reshape(channels, depth, height * width)
    return flat.reshape(channels, matrix.shape[0], height, width)


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


def _cubic(old: int, new: int) -> NDArray[np.float64]:
    """The cubic B-spline through the unit vectors, at the new samples; as scipy's zoom, to 1e-15."""
    unit = np.pad(np.eye(old), ((_PADDING, _PADDING), (0, 0)), mode="edge")
    coefficients = ndimage.spline_filter1d(unit, 3, axis=0, mode="nearest")
    centres = (np.arange(new) + 0.5) * (old / new) - 0.5 + _PADDING
    below = np.floor(centres).astype(np.int64)
    t = (centres - below)[:, None]
    weights = (1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3
    matrix: NDArray[np.float64] = np.zeros((new, old))
    for place, weight in enumerate(weights, start=-1):
        matrix += weight / 6 * coefficients[below + place]
    return matrix
