"""Two label maps, and the distances between the boundaries of any structure in them.

The work goes in this order, for all structures at once as far as it can:

1. `boundary_scan` reads both maps once: counts of pairs of values, and every boundary voxel.
2. A structure of one value on either side is searched in these maps: each of its boundary voxels looks
   around itself in the other map, nearest places first (`near_search`); the few that find nothing go to
   `far_search`.
3. The boundary of a union is not the union of the boundaries, but lies within it. A structure of several
   values, such as the pancreas with its parts, keeps those boundary voxels of its parts that have a neighbour
   outside all of them, in a map of its own.
4. Surface elements (`surfels`) lie at the corners of boundary voxels. One corner can belong to eight
   structures, so each structure gets its own map of them; the searches are the same.

The time grows with the boundary, not with structures times volume as that of a distance transform each does.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np

from wirsung.evaluation.boundary_scan import (
    Boundaries,
    Integers,
    count_voxels,
    mark_planes,
)
from wirsung.evaluation.far_search import far_distances
from wirsung.evaluation.label_bytes import label_bytes
from wirsung.evaluation.near_search import FAR, Ball, Distances, Steps, near_distances
from wirsung.evaluation.surface_metrics import SurfaceDistances, SurfelDistances
from wirsung.evaluation.surfels import surfel_areas, surfels
from wirsung.imaging.arrays import LabelMap

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
Values = Sequence[int]

_SLAB_PLANES = 16


class _Scan(NamedTuple):
    """What one pass finds."""

    ball: Ball
    counts: Integers
    reference: Boundaries
    prediction: Boundaries


class LabelPair:
    """Two label maps of one shape.

    Args:
        reference: Axes i j k; at most 255 values beside 0.
        prediction: As the reference.
        spacing_mm: Along i, j and k.
        threads: How many work on it; no result depends on it.

    Raises:
        LabelError: More than 255 values.

    Example:
        >>> reference = np.array([[[1, 1, 0, 2]]], dtype=np.uint8)
        >>> prediction = np.array([[[1, 0, 0, 2]]], dtype=np.uint8)
        >>> pair = LabelPair(reference, prediction, (1.0, 1.0, 0.5))
        >>> pair.counts.tolist()
        [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
        >>> pair.distances([1], [1]).reference_to_prediction_mm.tolist()
        [0.0, 0.5]
    """

    def __init__(
        self,
        reference: LabelMap,
        prediction: LabelMap,
        spacing_mm: tuple[float, float, float],
        *,
        threads: int = 1,
    ) -> None:
        self._maps = label_bytes(reference, prediction)
        i_mm, j_mm, k_mm = map(float, spacing_mm)
        turned = self._maps.turned
        self._steps = Steps(k_mm, j_mm, i_mm, turned) if turned else Steps(i_mm, j_mm, k_mm, turned)
        self._threads = threads

    @cached_property
    def counts(self) -> Integers:
        """Voxels by value of the reference (row) and of the prediction (column)."""
        return self._maps.by_value(self._scan.counts)

    def distances(self, reference_values: Values, prediction_values: Values) -> SurfaceDistances:
        """The distances of one structure, which both maps must hold, in the order of memory."""
        one, other = self._codes(reference_values, 0), self._codes(prediction_values, 1)
        scan = self._scan
        if len(one) == len(other) == 1:
            return _between(scan.ball, (scan.reference, one[0]), (scan.prediction, other[0]))
        first = scan.reference.union(one, self._maps.reference)
        second = scan.prediction.union(other, self._maps.prediction)
        return _between(scan.ball, (first, 1), (second, 1))

    def surfel_distances(self, reference_values: Values, prediction_values: Values) -> SurfelDistances:
        """As `distances`, between surface elements."""
        one, other = self._codes(reference_values, 0), self._codes(prediction_values, 1)
        maps, scan, ball = self._maps, self._scan, self._corner_ball
        first, first_codes = surfels(scan.reference, one, maps.reference, ball.layout)
        second, second_codes = surfels(scan.prediction, other, maps.prediction, ball.layout)
        found = _between(ball, (first, 1), (second, 1))
        areas = surfel_areas(self._steps[:3])
        return SurfelDistances(
            found.reference_to_prediction_mm,
            found.prediction_to_reference_mm,
            areas[first_codes],
            areas[second_codes],
        )

    def all_distances(
        self, structures: Iterable[tuple[Values, Values]], *, by_area: bool = False
    ) -> list[SurfaceDistances]:
        """The distances of several structures, each by its values in reference and prediction."""
        measure = self.surfel_distances if by_area else self.distances
        self._scan  # noqa: B018 - before the threads, or each would make its own

        def sorted_too(values: tuple[Values, Values]) -> SurfaceDistances:
            found = measure(*values)
            found.increasing_mm  # noqa: B018 - every metric needs it, and here the threads share the work
            return found

        return _each(sorted_too, structures, self._threads)

    @cached_property
    def _scan(self) -> _Scan:
        maps, threads = (self._maps.reference, self._maps.prediction), self._threads
        planes, rows, columns = maps[0].shape
        ball = Ball((planes, rows, columns), self._steps)
        layout, area = ball.layout, rows * columns
        labels = [np.zeros(layout.size, dtype=np.uint8) for _ in maps]

        def scan(first: int) -> tuple[Integers, list[Integers]]:
            stop = min(first + _SLAB_PLANES, planes)
            counts = count_voxels(*maps, first * area, stop * area)
            return counts, [mark_planes(maps[side], first, stop, layout, labels[side]) for side in (0, 1)]

        slabs = _each(scan, range(0, planes, _SLAB_PLANES), threads)
        reference, prediction = _each(
            lambda side: Boundaries.of_slabs(labels[side], layout, [slab[1][side] for slab in slabs]),
            (0, 1),
            threads,
        )
        return _Scan(ball, np.sum([slab[0] for slab in slabs], axis=0), reference, prediction)

    def _codes(self, values: Values, side: int) -> list[int]:
        """The codes of those of the values that the reference (side 0) or the prediction (1) holds."""
        present = self._present[side]
        return [code for code in present if int(self._maps.values[code]) in values]

    @cached_property
    def _present(self) -> tuple[list[int], list[int]]:
        """The codes of each side, without background."""
        rows, columns = np.nonzero(self._scan.counts)
        reference, prediction = (sorted(set(codes.tolist()) - {0}) for codes in (rows, columns))
        return reference, prediction

    @cached_property
    def _corner_ball(self) -> Ball:
        """For the corners of the voxels, one more along each axis."""
        planes, rows, columns = self._maps.reference.shape
        return Ball((planes + 1, rows + 1, columns + 1), self._steps)


def _between(
    ball: Ball, reference: tuple[Boundaries, int], prediction: tuple[Boundaries, int]
) -> SurfaceDistances:
    """The distances between the boundaries of one label each, both ways."""
    return SurfaceDistances(_directed(ball, reference, prediction), _directed(ball, prediction, reference))


def _directed(ball: Ball, source: tuple[Boundaries, int], target: tuple[Boundaries, int]) -> Distances:
    """From each boundary voxel of the source to the nearest of the target, mm."""
    (boundaries, label), (others, wanted) = source, target
    places = boundaries.places_of(label)
    distances = near_distances(places, others.labels, wanted, ball.jumps, ball.lengths_mm)
    far = np.flatnonzero(distances == FAR)
    if far.size:
        targets = others.places_of(wanted)
        distances[far] = far_distances(places[far], targets, ball.layout, ball.steps)
    return distances


def _each(function: Callable[[_Item], _Result], items: Iterable[_Item], threads: int) -> list[_Result]:
    """The function of each item; the compiled loops inside run side by side."""
    if threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
