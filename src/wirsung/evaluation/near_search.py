"""The nearest boundary voxel, without a distance transform: look around each query, nearest places first.

All offsets within a ball, of a radius in mm, are sorted by their length once. For each query the search walks
down this list and looks into the other map's boundary map at `place + offset`: the first place that holds
the wanted label is a nearest one, since every offset before it is shorter and none was left out. A
prediction lies mostly a voxel or two off, so a query ends after a few looks, and the cost grows with
the boundary rather than with the volume. The map is padded by the ball's reach, so no look needs a check.

A query that finds nothing within the ball is *far*; `far_search` takes it.

**Exactness.** A distance is the root of a float64 sum of squares, added up in the order of the array's axes
as scipy's distance transform adds them, whatever the order in memory. The least such sum is found, so
the result does not depend on how the work is cut.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirsung.evaluation.boundary_scan import Bytes, Integers, Layout
from wirsung.imaging.compiled import compiled

Distances = NDArray[np.float64]

# A ball of about this many voxels holds all but a hundredth of the queries of a usual prediction.
_BALL_VOXELS = 1400

FAR = -1.0
"""Stands for the distance of a query that found nothing."""


class Steps(NamedTuple):
    """Voxel sizes in mm along z, y, x, the axes of memory, and whether the array's axes are x, y, z."""

    z_mm: float
    y_mm: float
    x_mm: float
    turned: bool


@compiled
def square(steps: Steps, z: int, y: int, x: int) -> float:
    """Squared length of a step of whole voxels, mm², summed in the order of the array's axes."""
    along_z, along_y, along_x = z * steps.z_mm, y * steps.y_mm, x * steps.x_mm
    if steps.turned:
        return (along_x * along_x + along_y * along_y) + along_z * along_z
    return (along_z * along_z + along_y * along_y) + along_x * along_x


@dataclass(frozen=True, eq=False)
class Ball:
    """Offsets by increasing length, and the padding that they need, for a volume of one shape and spacing."""

    shape: tuple[int, int, int]
    """Along z, y, x: the axes of memory, the last contiguous."""
    steps: Steps

    @cached_property
    def _sorted(self) -> tuple[Integers, Distances]:
        """Offsets along z, y, x and their lengths; a prefix of all offsets sorted by length."""
        sizes_mm = np.array(self.steps[:3])
        radius_mm = (3 * _BALL_VOXELS * sizes_mm.prod() / (4 * np.pi)) ** (1 / 3)
        reach = np.minimum(radius_mm // sizes_mm, np.array(self.shape) - 1).astype(np.int64)
        axes = [np.arange(-most, most + 1) for most in reach]
        offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        squares = [(offsets[:, axis] * sizes_mm[axis]) ** 2 for axis in range(3)]
        first, second, third = squares[::-1] if self.steps.turned else squares
        lengths = np.sqrt((first + second) + third)
        order = np.argsort(lengths, kind="stable")
        order = order[lengths[order] <= radius_mm][: 2 * _BALL_VOXELS]
        return offsets[order], lengths[order]

    @property
    def lengths_mm(self) -> Distances:
        """By rank."""
        return self._sorted[1]

    @cached_property
    def layout(self) -> Layout:
        """Of the boundary map."""
        (planes, rows, columns), (z, y, x) = self.shape, self._reach
        row = columns + 2 * x
        plane = (rows + 2 * y) * row
        return Layout(z * plane + y * row + x, plane, row, (planes + 2 * z) * plane)

    @cached_property
    def jumps(self) -> Integers:
        """The offsets as differences of places, by rank."""
        jumps: Integers = self._sorted[0] @ np.array([self.layout.plane, self.layout.row, 1])
        return jumps

    @cached_property
    def _reach(self) -> list[int]:
        offsets = self._sorted[0]
        return [int(most) for most in offsets.max(axis=0)]


@compiled
def near_distances(
    places: Integers, labels: Bytes, wanted: int, jumps: Integers, lengths_mm: Distances
) -> Distances:
    """From each place to the nearest with the wanted label, mm; FAR where the ball holds none.

    Args:
        places: Of the queries.
        labels: The other boundary map.
        wanted: The label.
        jumps: Of the ball.
        lengths_mm: Of the ball.
    """
    distances = np.empty(places.size)
    for query in range(places.size):
        place = places[query]
        distances[query] = FAR
        for rank in range(jumps.size):
            # An unsigned index spares the test for one that counts from the end.
            if labels[np.uint64(place + jumps[rank])] == wanted:
                distances[query] = lengths_mm[rank]
                break
    return distances
