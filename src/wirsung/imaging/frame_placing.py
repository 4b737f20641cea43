"""Where the pixels of one plane lie among the voxels of an image: exactly on them, or how far beside."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from wirsung.imaging.arrays import Affine, Mask
from wirsung.imaging.volume import Volume


@dataclass(frozen=True)
class Place:
    """How a plane's columns and rows run along an image's axes."""

    start: tuple[int, int, int]
    """The voxel of the plane's first pixel; may lie beyond the image."""
    axes: tuple[int, int]
    """Along which of the image's axes its columns, and its rows, are counted."""
    signs: tuple[int, int]
    """1 or -1: upwards or downwards."""
    distance_mm: float
    """Of the plane's farthest corner from where the image's voxels would have it; infinite where pixels have
    another size or direction than voxels."""

    def put(self, inside: NDArray[np.bool_], mask: Mask) -> int:
        """Set the plane's pixels, column and row, in the mask; returns how many lie beyond it."""
        places = np.array(self.start)[:, None] + np.zeros((3, np.count_nonzero(inside)), dtype=int)
        for axis, sign, steps in zip(self.axes, self.signs, np.nonzero(inside), strict=True):
            places[axis] += sign * steps
        is_within = ((places >= 0) & (places < np.array(mask.shape)[:, None])).all(axis=0)
        mask[tuple(places[:, is_within])] = True
        return int(np.count_nonzero(~is_within))


def place_of(affine: Affine, shape: tuple[int, int], image: Volume) -> Place:
    """The place of a plane of columns and rows in an image.

    Args:
        affine: Column and row index to RAS+ mm in its first two columns, the first pixel's in the last.
        shape: Columns and rows.
        image: In any order of axes.

    Example:
        >>> image = Volume(np.zeros((4, 4, 4)), np.diag([2.0, 2, 2, 1]))
        >>> plane = np.diag([2.0, 2, 2, 1])
        >>> plane[:3, 3] = 0, 2, 4.5
        >>> place_of(plane, (4, 3), image)
        Place(start=(0, 1, 2), axes=(0, 1), signs=(1, 1), distance_mm=0.5)
    """
    to_index = np.linalg.inv(image.affine)
    steps = to_index[:3, :3] @ affine[:3, :2]
    signs = np.rint(steps)
    is_along = np.array_equal(np.sort(np.abs(signs), axis=0), [[0, 0], [0, 0], [1, 1]])
    axes = np.abs(signs).argmax(axis=0)
    start = np.rint(to_index[:3, :3] @ affine[:3, 3] + to_index[:3, 3])
    distance_mm = float("inf")
    if is_along and axes[0] != axes[1]:
        corners = np.array(list(product(*((-0.5, count - 0.5) for count in shape))))
        meant = (start[:, None] + signs @ corners.T).T @ image.affine[:3, :3].T + image.affine[:3, 3]
        own = corners @ affine[:3, :2].T + affine[:3, 3]
        distance_mm = round(float(np.linalg.norm(own - meant, axis=1).max()), 9)
    return Place(
        (int(start[0]), int(start[1]), int(start[2])),
        (int(axes[0]), int(axes[1])),
        (int(signs[axes[0], 0]), int(signs[axes[1], 1])),
        distance_mm,
    )
