"""Connected components of a mask, held as runs of voxels: what one lesion is.

A run is an unbroken stretch of the mask along i. A mask with lesions has few runs and many voxels, so
labelling, overlaps and diameters work on runs and never on a volume of labels:

1. Plane by plane, the runs are where the mask changes along i.
2. Runs in the four rows before a run's own (j - 1, and k - 1 at j - 1, j and j + 1) are neighbours where
   they overlap the run widened by one voxel. That is 26-connectivity, each pair seen once.
3. Neighbours joined make the components, numbered from 0 by their first voxel, k slowest and i fastest.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, spatial

from wirsung.imaging.arrays import Mask, Voxels

_Integers = NDArray[np.int64]
_MOST_POINTS = 64
"""As many points are compared pair by pair; of more only their convex hull."""


@dataclass(frozen=True, eq=False)
class Components:
    """The 26-connected components of a mask.

    Example:
        >>> mask = np.zeros((5, 4, 3), dtype=bool)
        >>> mask[0, 0, 0] = mask[1, 1, 1] = mask[4, 3, 2] = True
        >>> found = components(mask)
        >>> found.count, found.sizes_voxels.tolist()
        (2, [2, 1])
    """

    shape: tuple[int, int, int]
    """Of the mask, i j k."""
    rows: _Integers
    """Of each run: k * shape[1] + j; ascending."""
    starts: _Integers
    """Of each run: its first i."""
    stops: _Integers
    """Of each run: the i after its last."""
    numbers: _Integers
    """Of each run: its component, from 0."""
    count: int

    @property
    def sizes_voxels(self) -> _Integers:
        """Voxels of each component."""
        found = np.zeros(self.count, dtype=np.int64)
        np.add.at(found, self.numbers, self.stops - self.starts)
        return found

    def maxima(self, values: Voxels) -> NDArray[np.float64]:
        """The highest value within each component, of a volume of the mask's shape."""
        found = np.full(self.count, -np.inf)
        if self.count:
            width = self.shape[0]
            # One stretch a run and one a gap; the gaps are left out.
            edges = np.stack(
                [self.rows * width + self.starts, self.rows * width + self.stops], axis=1
            ).ravel()
            flat = values.T.reshape(-1)
            inside = np.maximum.reduceat(flat, edges[edges < flat.size])[::2]
            np.maximum.at(found, self.numbers, inside)
        return found

    def diameters_mm(self, spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
        """The largest diameter of each component, in mm, in any direction.

        It goes from surface to surface: the largest distance between the middles of two outer voxel faces,
        as of the mesh that marching cubes makes. A lone voxel is as long as its longest edge.

        Example:
            >>> mask = np.zeros((5, 5, 5), dtype=bool)
            >>> mask[1:4, 2, 2] = True
            >>> components(mask).diameters_mm((0.5, 1.0, 1.0)).tolist()
            [1.5]
        """
        order = np.argsort(self.numbers, kind="stable")
        bounds = np.searchsorted(self.numbers[order], np.arange(1, self.count))
        groups = np.split(order, bounds) if self.count else []
        return np.array([_diameter(self._faces(runs, spacing_mm)) for runs in groups])

    def slice_diameters_mm(self, spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
        """The largest diameter of each component within one slice of constant k, in mm, as films are read.

        Example:
            >>> mask = np.zeros((5, 5, 5), dtype=bool)
            >>> mask[1:4, 2, 2] = mask[1, 2, 2:5] = True
            >>> components(mask).slice_diameters_mm((0.5, 1.0, 9.0)).tolist()
            [1.5]
        """
        found = np.zeros(self.count)
        planes = self.rows // self.shape[1]
        order = np.lexsort((planes, self.numbers))
        keys = self.numbers[order] * self.shape[2] + planes[order]
        for runs in np.split(order, np.flatnonzero(np.diff(keys)) + 1) if self.count else []:
            faces = self._faces(runs, spacing_mm)
            middle = np.abs(faces[:, 2] - planes[runs[0]] * spacing_mm[2]) < spacing_mm[2] / 4
            number = self.numbers[runs[0]]
            found[number] = max(found[number], _diameter(faces[middle][:, :2]))
        return found

    def moments(self, values: Voxels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and population standard deviation within each component, of a volume of the mask's shape.

        Example:
            >>> mask = np.array([1, 1, 0, 1], dtype=bool).reshape(4, 1, 1)
            >>> means, sds = components(mask).moments(np.array([1, 3, 9, 7]).reshape(4, 1, 1))
            >>> means.tolist(), sds.tolist()
            ([2.0, 7.0], [1.0, 0.0])
        """
        lengths = self.stops - self.starts
        before = np.repeat(np.cumsum(lengths) - lengths, lengths)
        i = np.arange(before.size) - before + np.repeat(self.starts, lengths)
        k, j = np.divmod(np.repeat(self.rows, lengths), self.shape[1])
        inside, owners = values[i, j, k].astype(np.float64), np.repeat(self.numbers, lengths)
        sizes = self.sizes_voxels
        means = np.bincount(owners, inside, self.count) / sizes
        squares = np.bincount(owners, (inside - means[owners]) ** 2, self.count) / sizes
        return means, np.sqrt(squares)

    def kept(self, keep: NDArray[np.bool_]) -> "Components":
        """Only the components that are kept, numbered anew in the same order."""
        runs = keep[self.numbers]
        numbers = (np.cumsum(keep) - 1)[self.numbers[runs]]
        return Components(
            self.shape, self.rows[runs], self.starts[runs], self.stops[runs], numbers, int(keep.sum())
        )

    def label_map(self) -> NDArray[np.int32]:
        """Each voxel's component, counted from 1; 0 outside."""
        labels = np.zeros(self.shape, dtype=np.int32, order="F")
        flat = labels.T.reshape(-1)
        bounds = zip(
            self.rows * self.shape[0] + self.starts, self.stops - self.starts, self.numbers, strict=True
        )
        for first, length, number in bounds:
            flat[first : first + length] = number + 1
        return labels

    def _faces(self, runs: _Integers, spacing_mm: tuple[float, float, float]) -> NDArray[np.float64]:
        """The middles of the faces of each run's first and last voxel: their hull is that of all faces."""
        k, j = np.divmod(self.rows[runs], self.shape[1])
        ends = [np.stack([i, j, k], axis=1) for i in (self.starts[runs], self.stops[runs] - 1)]
        centres = np.unique(np.concatenate(ends), axis=0)
        steps = np.concatenate([np.eye(3), -np.eye(3)]) / 2
        return ((centres[:, None] + steps) * spacing_mm).reshape(-1, 3)


def components(mask: Mask) -> Components:
    """The 26-connected components of a mask.

    Source:
        Runs joined by union, as in He, Chao and Suzuki, IEEE Transactions on Image Processing 2008.
    """
    rows, starts, stops = _runs(mask)
    # Rows and planes lie apart by more than they hold, so that no step leads into another row.
    width, height = mask.shape[0] + 2, mask.shape[1] + 2
    k, j = np.divmod(rows, mask.shape[1])
    origins = (k * height + j) * width + 1
    ones, others = _adjacent(origins + starts, origins + stops, width, height)
    links = sparse.coo_array((np.ones(ones.size), (ones, others)), shape=(rows.size,) * 2)
    _, labels = sparse.csgraph.connected_components(links, directed=False)
    _, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
    by_first_voxel = np.argsort(np.argsort(first))
    return Components(
        (mask.shape[0], mask.shape[1], mask.shape[2]),
        rows,
        starts,
        stops,
        by_first_voxel[numbers].astype(np.int64),
        first.size,
    )


def shared_voxels(one: Components, other: Components) -> _Integers:
    """How many voxels each component of one, down, shares with each of the other, across.

    Example:
        >>> mask = np.zeros((4, 1, 1), dtype=bool)
        >>> mask[:3] = True
        >>> shared_voxels(components(mask), components(~mask)).tolist()
        [[0]]
        >>> shared_voxels(components(mask), components(mask)).tolist()
        [[3]]
    """
    width = one.shape[0]
    first, last = one.rows * width + one.starts, one.rows * width + one.stops
    other_first, other_last = other.rows * width + other.starts, other.rows * width + other.stops
    ones, others = _meeting(first, last, other_first, other_last)
    lengths = np.minimum(last[ones], other_last[others]) - np.maximum(first[ones], other_first[others])
    found = np.zeros((one.count, other.count), dtype=np.int64)
    np.add.at(found, (one.numbers[ones], other.numbers[others]), lengths)
    return found


def _runs(mask: Mask) -> tuple[_Integers, _Integers, _Integers]:
    """Row, first and one past the last i of each run."""
    ni, nj, nk = mask.shape
    rows, starts, stops = [], [], []
    padded = np.zeros((nj, ni + 2), dtype=np.bool_)
    for k in range(nk):
        plane = mask[:, :, k].T
        if plane.any():
            padded[:, 1:-1] = plane
            j, i = np.nonzero(padded[:, 1:] != padded[:, :-1])
            # A row begins and ends outside, so beginnings and ends take turns.
            rows.append(k * nj + j[::2])
            starts.append(i[::2])
            stops.append(i[1::2])
    nothing = np.zeros(0, dtype=np.int64)
    return tuple(np.concatenate(items) if items else nothing for items in (rows, starts, stops))  # type: ignore[return-value]


def _adjacent(first: _Integers, last: _Integers, width: int, height: int) -> tuple[_Integers, _Integers]:
    """Pairs of runs that touch, also at an edge or corner only."""
    ones, others = [], []
    for planes, lines in ((0, -1), (-1, -1), (-1, 0), (-1, 1)):
        step = (planes * height + lines) * width
        one, other = _meeting(first + step - 1, last + step + 1, first, last)
        ones.append(one)
        others.append(other)
    return np.concatenate(ones), np.concatenate(others)


def _meeting(
    first: _Integers, last: _Integers, other_first: _Integers, other_last: _Integers
) -> tuple[_Integers, _Integers]:
    """The pairs of overlapping intervals [first, last); the others are apart and ascending."""
    low = np.searchsorted(other_last, first, side="right")
    high = np.searchsorted(other_first, last, side="left")
    counts = np.maximum(high - low, 0)
    ones = np.repeat(np.arange(first.size), counts)
    before = np.repeat(np.cumsum(counts) - counts, counts)
    return ones, np.arange(ones.size) - before + np.repeat(low, counts)


def _diameter(points: NDArray[np.float64]) -> float:
    """The largest distance between two points."""
    if len(points) > _MOST_POINTS:
        points = points[spatial.ConvexHull(points).vertices]
    return float(spatial.distance.pdist(points).max())
