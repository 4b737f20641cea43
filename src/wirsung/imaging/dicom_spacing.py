"""Slices at uneven distances, put onto an even grid where a user asks for that."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wirsung.imaging.arrays import Voxels
from wirsung.imaging.dicom_stacks import RESIDUAL_MM, Stack, directions, grid
from wirsung.imaging.volume import Volume

_WIDEST_GAPS = 3.0
"""Times the usual gap; across a wider one nothing can be known."""


def evened(stack: Stack) -> Stack:
    """The stack without its problem, on an even grid of its usual gap; as it is where that can't be had.

    Only uneven distances are a matter of resampling. A missing slice is not, nor slices that also drift
    sideways.
    """
    if stack.problem is None or stack.problem.code != "SPACING_UNEVEN":
        return stack
    positions = np.array([item.position for item in stack.slices], dtype=float)
    normal = directions(stack.slices[0])[:, 2]
    heights = positions @ normal
    sideways = positions - np.outer(heights, normal)
    usual = float(np.median(np.diff(heights)))
    drifts = np.linalg.norm(sideways - sideways.mean(axis=0), axis=1).max() > RESIDUAL_MM
    if drifts or np.diff(heights).max() > _WIDEST_GAPS * usual:
        return stack
    count = int((heights[-1] - heights[0]) / usual + 1e-6) + 1
    even = heights[0] + usual * np.arange(count)
    affine = grid(stack.slices[0], sideways.mean(axis=0) + heights[0] * normal, usual)
    between = tuple(float(place) for place in np.interp(even, heights, np.arange(len(heights))))
    return replace(stack, affine=affine, problem=None, taken_at=between)


def resampled(voxels: Voxels, stack: Stack) -> Volume:
    """The voxels between the two slices next to each place, linearly: no value is beyond its neighbours'."""
    if stack.affine is None:
        msg = "a stack without a grid can't be resampled"
        raise ValueError(msg)
    made = np.empty((*voxels.shape[:2], len(stack.taken_at)), dtype=voxels.dtype)
    for k, place in enumerate(stack.taken_at):
        made[..., k] = _between(voxels, place)
    return Volume(made, stack.affine)


def _between(voxels: Voxels, place: float) -> NDArray[np.float64]:
    below = min(int(place), voxels.shape[2] - 2)
    share = place - below
    values = (1 - share) * voxels[..., below].astype(np.float64) + share * voxels[..., below + 1]
    return np.asarray(np.rint(values) if voxels.dtype.kind in "iu" else values)
