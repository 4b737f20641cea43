"""Shapes of the standard anatomy as signed distances: negative inside, in mm, exact near the surface only.

A shape knows the box it lies in and is evaluated there only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from wirsung.phantom.frame import Floats, Frame, Lattice, Points

FAR_MM = 60.0
"""The distance of everything that is not near."""
Function = Callable[[Floats, Floats, Floats], Floats]


@dataclass(frozen=True, eq=False)
class Shape:
    """A function of the place in the standard anatomy, with the box outside which it is positive."""

    lower: Points
    upper: Points
    function: Function

    def window(self, frame: Frame, step_mm: float) -> Lattice | None:
        """The samples that the shape needs, or None where the grid doesn't reach it."""
        return frame.window(*frame.index_box(self.lower, self.upper), step_mm)

    def distance(self, frame: Frame, lattice: Lattice) -> Floats:
        """Signed distance at each sample."""
        return self.function(lattice.x, lattice.y, lattice.z)


@dataclass(frozen=True, eq=False)
class Tube:
    """A tube of varying calibre along a curve."""

    points: Points
    radii: NDArray[np.float64]

    def window(self, frame: Frame, step_mm: float) -> Lattice | None:
        """The samples that the tube needs, or None where the grid doesn't reach it."""
        return frame.window(*self.index_box(frame), step_mm)

    def index_box(self, frame: Frame) -> tuple[Points, Points]:
        """The range of indices that holds the tube."""
        low, high = self._ranges(frame, 4.0)
        return np.asarray(low.min(axis=0)), np.asarray(high.max(axis=0))

    def distance(self, frame: Frame, lattice: Lattice) -> Floats:
        """Signed distance at each sample; far from the tube, `FAR_MM`."""
        step = max(
            float(axis[1] - axis[0]) * spacing if len(axis) > 1 else 0.0
            for axis, spacing in zip(lattice.positions, frame.grid.spacing_mm, strict=True)
        )
        field = np.full(lattice.x.shape, FAR_MM, dtype=np.float32)
        low, high = self._ranges(frame, 1.5 * step + 2.0)
        starts = [
            np.searchsorted(axis, a, "right") - 1 for axis, a in zip(lattice.positions, low.T, strict=True)
        ]
        stops = [
            np.searchsorted(axis, b, "left") + 1 for axis, b in zip(lattice.positions, high.T, strict=True)
        ]
        first = np.maximum(np.array(starts), 0).T
        last = np.minimum(np.array(stops).T, field.shape)
        for index in np.flatnonzero((last > first).all(axis=1)):
            i, j, k = (slice(a, b) for a, b in zip(first[index].tolist(), last[index].tolist(), strict=True))
            near = field[i, j, k]
            np.minimum(near, self._segment(int(index), lattice.crop((i, j, k))), out=near)
        return field

    def _ranges(self, frame: Frame, margin_mm: float) -> tuple[Points, Points]:
        """The range of indices around each segment."""
        indices = frame.indices_of(self, self.points)
        reach = np.maximum(self.radii[:-1], self.radii[1:])[:, None] * 1.12 + margin_mm
        reach = reach / np.array(frame.grid.spacing_mm)
        low = np.minimum(indices[:-1], indices[1:]) - reach
        return low, np.maximum(indices[:-1], indices[1:]) + reach

    def _segment(self, index: int, at: Lattice) -> Floats:
        start, end = self.points[index], self.points[index + 1]
        ahead = end - start
        squared = float(ahead @ ahead) or 1.0
        x, y, z = (a - np.float32(s) for a, s in zip((at.x, at.y, at.z), start, strict=True))
        u, v, w = (np.float32(d / squared) for d in ahead)
        along = np.minimum(np.maximum(x * u + y * v + z * w, np.float32(0)), np.float32(1))
        u, v, w = (np.float32(d) for d in ahead)
        x -= along * u
        y -= along * v
        z -= along * w
        along *= np.float32(self.radii[index + 1] - self.radii[index])
        along += np.float32(self.radii[index])
        return np.asarray(np.sqrt(x * x + y * y + z * z) - along)


def curve(points: Sequence[Sequence[float]], radii: Sequence[float], step_mm: float = 8.0) -> Tube:
    """A tube along the smooth curve through the points; each row is x, y, z of the standard anatomy."""
    line, samples, lengths = _course(tuple(tuple(map(float, point)) for point in points), step_mm)
    return Tube(line, np.interp(samples, lengths, radii))


@lru_cache(maxsize=512)
def _course(points: tuple[tuple[float, ...], ...], step_mm: float) -> tuple[Points, Points, Points]:
    """Places along the curve, their distance along its chords, and that of the points; most curves recur."""
    knots = np.array(points)
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    samples = np.linspace(0, lengths[-1], max(int(np.ceil(lengths[-1] / step_mm)) + 1, 2))
    if len(knots) > 2:
        line = np.asarray(CubicSpline(lengths, knots, bc_type="natural")(samples))
    else:
        line = knots[0] + (samples / lengths[-1])[:, None] * (knots[1] - knots[0])
    for array in (line, samples, lengths):
        array.flags.writeable = False
    return line, samples, lengths


def ellipsoid(
    centre: Sequence[float],
    radii: Sequence[float],
    rotation_deg: Sequence[float] = (0.0, 0.0, 0.0),
    power: float = 2.0,
) -> Shape:
    """An ellipsoid, or a rounded box for a power above 2, turned about x, then y, then z."""
    turn = rotation(rotation_deg)
    half = np.array(radii, dtype=float)
    reach = np.sqrt((turn**2) @ half**2) if power == 2 else np.abs(turn) @ half
    middle = np.array(centre, dtype=float)
    inward = (turn.T / half[:, None]).astype(np.float32)
    scale = np.float32(half.min())

    def function(x: Floats, y: Floats, z: Floats) -> Floats:
        x, y, z = x - np.float32(middle[0]), y - np.float32(middle[1]), z - np.float32(middle[2])
        terms = [np.abs(row[0] * x + row[1] * y + row[2] * z) for row in inward]
        if power != 2:
            total = sum(term ** np.float32(power) for term in terms)
            return np.asarray((total ** np.float32(1 / power) - 1) * scale)
        norm = np.sqrt(terms[0] ** 2 + terms[1] ** 2 + terms[2] ** 2)
        slope = np.sqrt(sum((term / np.float32(h)) ** 2 for term, h in zip(terms, half, strict=True)))
        return np.asarray(norm * (norm - 1) / np.maximum(slope, np.float32(1e-6)))

    return Shape(middle - reach, middle + reach, function)


def rotation(degrees: Sequence[float]) -> NDArray[np.float64]:
    """The matrix that turns about x, then y, then z."""
    x, y, z = np.deg2rad(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def smooth_minimum(a: Floats, b: Floats, width_mm: float) -> Floats:
    """The union of two shapes with a fillet."""
    blend = np.maximum(np.float32(width_mm) - np.abs(a - b), 0)
    return np.asarray(np.minimum(a, b) - blend * blend * np.float32(0.25 / width_mm))


def smooth_maximum(a: Floats, b: Floats, width_mm: float) -> Floats:
    """The intersection of two shapes with a rounded edge."""
    return -smooth_minimum(-a, -b, width_mm)
