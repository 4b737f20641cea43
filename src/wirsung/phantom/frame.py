"""From the grid's voxels to the standard anatomy: pose, size and the patient's own smooth deformation.

Shapes are described once, in the millimetres of a standard man; a voxel is asked where in him it lies. The
map is evaluated on nodes 12 mm apart and interpolated between them, so it costs almost nothing; it depends on
the patient only, so two grids see one anatomy.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wirsung.phantom.grid import Grid
from wirsung.phantom.patient import Patient

Floats = NDArray[np.float32]
Points = NDArray[np.float64]
"""Points in mm, shape (n, 3)."""
Box = tuple[slice, slice, slice]
NODE_MM = 12.0
STEEPEST = 0.6
"""A bent patient's anatomy is at most so much stretched: below 1 the map is one to one."""
KEPT_MM = 3.0
"""Samples so far apart are few enough to be worked out once, for the whole grid, and kept."""
SMALL_GRID = 2_000_000
"""Up to so many voxels, where each lies is worked out once and kept."""


@dataclass(frozen=True, eq=False)
class Pose:
    """The map between RAS+ mm and the standard anatomy of one patient."""

    patient: Patient

    @cached_property
    def _linear(self) -> Points:
        x, y, z = np.deg2rad(self.patient.rotation_deg)
        about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
        about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
        about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
        return np.asarray(about_z @ about_y @ about_x @ np.diag(self.patient.size))

    @cached_property
    def _waves(self) -> tuple[Points, Points, Points]:
        """Wave vectors, phases and amplitudes; wavelengths of 130 to 260 mm keep the map one to one."""
        patient = self.patient
        own = _draw_waves(patient.chance("deformation"), (130, 260), patient.deformation_mm)
        if not patient.bend_mm:
            return own
        bends = _draw_waves(patient.chance("bend"), (300, 600), patient.bend_mm)
        vectors, phases, amplitudes = (np.concatenate(pair) for pair in zip(own, bends, strict=True))
        steepest = _steepest(vectors, phases, amplitudes)
        return vectors, phases, amplitudes * min(1.0, STEEPEST / steepest)

    def _displacement(self, points: Points) -> Points:
        vectors, phases, amplitudes = self._waves
        return np.asarray(np.sin(points @ vectors.T + phases) @ amplitudes)

    def to_standard(self, points_ras_mm: Points) -> Points:
        """Points of the patient in the standard anatomy."""
        straight = (points_ras_mm - np.array(self.patient.shift_mm)) @ np.linalg.inv(self._linear).T
        return np.asarray(straight + self._displacement(straight))

    def to_patient(self, points: Points, *, rounds: int = 30) -> Points:
        """Points of the standard anatomy in the patient, RAS+ mm; each round is at least twice as exact."""
        straight = points.copy()
        for _ in range(rounds if not self.patient.bend_mm else 2 * rounds):  # no wave is steep: a contraction
            straight = points - self._displacement(straight)
        return np.asarray(straight @ self._linear.T + np.array(self.patient.shift_mm))


def _draw_waves(
    rng: np.random.Generator, lengths_mm: tuple[float, float], amplitude_mm: float
) -> tuple[Points, Points, Points]:
    directions = rng.normal(size=(8, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    vectors = directions * (2 * np.pi / rng.uniform(*lengths_mm, (8, 1)))
    amplitudes = rng.normal(size=(8, 3)) * amplitude_mm / np.sqrt(8)
    return vectors, rng.uniform(0, 2 * np.pi, 8), amplitudes


def _steepest(vectors: Points, phases: Points, amplitudes: Points) -> float:
    """The largest stretch by the waves within the trunk, as the norm of their gradient."""
    axes = np.linspace(-200, 200, 11), np.linspace(-150, 150, 9), np.linspace(-380, 240, 17)
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    slopes = np.cos(places @ vectors.T + phases)
    gradients = np.einsum("pw,wa,wb->pab", slopes, amplitudes, vectors, optimize=True)
    return float(np.linalg.norm(gradients, ord=2, axis=(1, 2)).max())


@dataclass(frozen=True, eq=False)
class Lattice:
    """Sample positions along i, j and k, in voxels, and where they lie in the standard anatomy."""

    positions: tuple[Floats, Floats, Floats]
    x: Floats
    y: Floats
    z: Floats

    def crop(self, box: Box) -> "Lattice":
        """The part within the box, without copying."""
        i, j, k = (position[part] for position, part in zip(self.positions, box, strict=True))
        return Lattice((i, j, k), self.x[box], self.y[box], self.z[box])


def interpolate(values: Floats, source: tuple[Floats, ...], target: tuple[Floats, ...]) -> Floats:
    """The field at other positions of its axes, linear between samples and constant beyond them."""
    along_i, along_j, along_k = (_hats(s, t) for s, t in zip(source, target, strict=True))
    inner = along_j @ (values @ along_k.T)
    return np.asarray((along_i @ inner.reshape(len(inner), -1)).reshape(len(target[0]), *inner.shape[1:]))


def _hats(source: Floats, target: Floats) -> Floats:
    """The matrix that interpolates linearly from one set of positions to another."""
    if len(source) == 1:
        return np.ones((len(target), 1), dtype=np.float32)
    place = np.clip((target - source[0]) / (source[1] - source[0]), 0, len(source) - 1)
    apart = np.abs(place[:, None] - np.arange(len(source), dtype=np.float32))
    return np.asarray(np.maximum(0, 1 - apart), dtype=np.float32)


class Frame:
    """Lattices over one grid for one patient."""

    def __init__(self, patient: Patient, grid: Grid) -> None:
        self.grid = grid
        self.patient = patient
        self.pose = Pose(patient)
        self._nodes = self._positions(NODE_MM)
        corners = np.stack(np.meshgrid(*self._nodes, indexing="ij"), axis=-1).reshape(-1, 3)
        places = corners @ grid.affine[:3, :3].T + grid.affine[:3, 3]
        shape = tuple(len(axis) for axis in self._nodes)
        standard = self.pose.to_standard(places).astype(np.float32).reshape(*shape, 3)
        self._standard = [np.ascontiguousarray(standard[..., axis]) for axis in range(3)]
        self._kept: dict[tuple[int, ...], Lattice] = {}
        self._found: dict[object, Points] = {}
        self._inverse = np.linalg.inv(grid.affine)

    def _positions(self, step_mm: float) -> tuple[Floats, Floats, Floats]:
        """Samples at most `step_mm` apart from first to last voxel, or the voxels where those are coarser."""
        axes = []
        for count, spacing in zip(self.grid.shape, self.grid.spacing_mm, strict=True):
            wanted = count if step_mm <= spacing else int(np.ceil((count - 1) * spacing / step_mm)) + 1
            axes.append(np.linspace(0, count - 1, min(count, wanted), dtype=np.float32))
        return axes[0], axes[1], axes[2]

    def _place(self, positions: tuple[Floats, Floats, Floats]) -> Lattice:
        x, y, z = (interpolate(axis, self._nodes, positions) for axis in self._standard)
        return Lattice(positions, x, y, z)

    def whole(self, step_mm: float) -> Lattice:
        """The lattice over the whole grid, kept for the next call."""
        positions = self._positions(step_mm)
        shape = tuple(map(len, positions))
        if shape not in self._kept:
            self._kept[shape] = self._place(positions)
        return self._kept[shape]

    def window(self, low: Points, high: Points, step_mm: float) -> Lattice | None:
        """The lattice over a range of voxel indices, or None where that lies outside the grid.

        Args:
            low: Smallest index along i, j and k, which may lie outside.
            high: Largest index.
            step_mm: Distance between samples; 0 asks for the voxels themselves.
        """
        first = np.maximum(np.floor(low), 0).astype(int)
        last = np.minimum(np.ceil(high), np.array(self.grid.shape) - 1).astype(int)
        if (first > last).any():
            return None
        if step_mm >= KEPT_MM or np.prod(self.grid.shape) <= SMALL_GRID:
            lattice = self.whole(step_mm)
            return lattice.crop(enclosing(lattice.positions, first, last))
        axes = self._positions(step_mm)
        i, j, k = (axis[part] for axis, part in zip(axes, enclosing(axes, first, last), strict=True))
        return self._place((i, j, k))

    def ras_mm(self, at: Lattice) -> tuple[Floats, Floats, Floats]:
        """Where the samples lie in RAS+ mm."""
        i, j, k = at.positions
        x, y, z = (
            (row[0] * i)[:, None, None] + (row[1] * j)[None, :, None] + (row[2] * k + row[3])[None, None, :]
            for row in self.grid.affine[:3].astype(np.float32)
        )
        return x, y, z

    def indices(self, points: Points) -> Points:
        """Where points of the standard anatomy lie on the grid, in voxels, within a tenth of a millimetre."""
        return np.asarray(
            self.pose.to_patient(points, rounds=4 if self.patient.bend_mm else 3) @ self._inverse[:3, :3].T
            + self._inverse[:3, 3]
        )

    def indices_of(self, owner: object, points: Points) -> Points:
        """As `indices`, worked out once for each owner of points."""
        if owner not in self._found:
            self._found[owner] = self.indices(points)
        return self._found[owner]

    def index_box(self, lower: Points, upper: Points) -> tuple[Points, Points]:
        """The range of indices that holds a box of the standard anatomy."""
        axes = [(a, (a + b) / 2, b) for a, b in zip(lower, upper, strict=True)]
        indices = self.indices(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3))
        # the deformation bulges a little between corners
        margin = 1 + (3.0 + 0.5 * self.patient.bend_mm) / np.array(self.grid.spacing_mm)
        return indices.min(axis=0) - margin, indices.max(axis=0) + margin


def enclosing(positions: tuple[Floats, Floats, Floats], low: Points, high: Points) -> Box:
    """The samples from the last at or below `low` to the first at or above `high`."""
    parts = []
    for axis, a, b in zip(positions, low, high, strict=True):
        first = max(int(np.searchsorted(axis, a, side="right")) - 1, 0)
        last = min(int(np.searchsorted(axis, b, side="left")), len(axis) - 1)
        parts.append(slice(first, max(last, first) + 1))
    return parts[0], parts[1], parts[2]
