"""What the scanner does to a scene: blur and noise through one kernel, plane by plane.

The planes across the first axis of the grid are made, filtered and written one after the other, so that a
full CT needs a few planes of float32 beside its int16 voxels.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from wirsung.phantom.fields import Plane

Taps = NDArray[np.float32]
"""A symmetric kernel, from its centre outwards."""

_RADIUS = 2


def taps(sigma_voxels: float) -> Taps:
    """A Gaussian kernel of five taps that sums to 1, from its centre outwards.

    Example:
        >>> [round(float(tap), 3) for tap in taps(0.6)]
        [0.664, 0.166, 0.003]
    """
    half = np.exp(-0.5 * (np.arange(_RADIUS + 1) / max(sigma_voxels, 1e-3)) ** 2)
    return np.asarray(half / (half[0] + 2 * half[1:].sum()), dtype=np.float32)


def gain(kernel_voxels: tuple[float, float, float]) -> float:
    """Standard deviation of unit white noise behind the kernel, 0 to 1."""
    per_axis = [float(np.sqrt(half[0] ** 2 + 2 * (half[1:] ** 2).sum())) for half in map(taps, kernel_voxels)]
    return float(np.prod(per_axis))


def filtered(
    scene: Callable[[int], Plane], planes: int, kernel_voxels: tuple[float, float, float]
) -> Iterator[Plane]:
    """The planes of the scene behind the kernel, in order; the outermost planes count as repeated outside.

    Args:
        scene: Gives the plane of an index; called once for each, in rising order, so it may draw noise.
        planes: How many there are.
        kernel_voxels: Sigma along i, j and k.
    """
    along_i, along_j, along_k = map(taps, kernel_voxels)
    ring: dict[int, Plane] = {}
    for i in range(planes):
        for needed in range(max(ring, default=-1) + 1, min(i + _RADIUS, planes - 1) + 1):
            ring[needed] = _in_plane(scene(needed), along_j, along_k)
        found = along_i[0] * ring[i]
        for step in range(1, _RADIUS + 1):
            before, after = ring[max(i - step, 0)], ring[min(i + step, planes - 1)]
            found += along_i[step] * (before + after)
        ring.pop(i - _RADIUS, None)
        yield found


def _in_plane(plane: Plane, along_j: Taps, along_k: Taps) -> Plane:
    return _along_last(_along_last(plane, along_k).T, along_j).T


def _along_last(plane: Plane, half: Taps) -> Plane:
    count = plane.shape[1]
    padded = np.pad(plane, ((0, 0), (_RADIUS, _RADIUS)), mode="edge")
    found: Plane = half[0] * plane
    for step in range(1, _RADIUS + 1):
        pair = (
            padded[:, _RADIUS - step : _RADIUS - step + count]
            + padded[:, _RADIUS + step : _RADIUS + step + count]
        )
        pair *= half[step]
        found += pair
    return found
