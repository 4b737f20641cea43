"""The tumour's shape: a blob of the planned length, and a cuff around the vessel that it is to touch.

The blob lies in the patient's own millimetres, so that its longest diameter is the plan's whatever the
deformation. It keeps clear of every vessel that it isn't to touch; around the touched one, a cuff covers the
planned part of the circumference and the rest of the wall stays free.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from wirsung.phantom.frame import Floats, Frame, Lattice, Points, Pose
from wirsung.phantom.gland import Gland
from wirsung.phantom.patient import Triple
from wirsung.phantom.shapes import FAR_MM, Tube
from wirsung.phantom.tumour import Tumour
from wirsung.phantom.vessels import Vessels

GAP_MM = 2.5
"""Between the lesion and a vessel that it doesn't touch."""
CUFF_MM = 3.0
CONTACTS: dict[tuple[str, str], tuple[int, Triple, Triple]] = {
    ("head", "superior_mesenteric_artery"): (0, (-4, 23, -27), (0.9, -0.45, 0.0)),
    ("head", "veins"): (0, (15, 32, -22), (1.0, -0.1, 0.0)),
    ("body", "superior_mesenteric_artery"): (0, (-5, 21, -13), (-0.6, 0.8, 0.0)),
    ("body", "celiac_artery"): (0, (-8.5, 14, 39), (-0.8, 0.0, -0.6)),
    ("body", "veins"): (1, (-19, 24.5, 15), (0.0, 1.0, 0.1)),
    ("tail", "veins"): (1, (-66, -6, 33), (-0.3, 0.9, 0.2)),
}
"""For each site and vessel: which of its tubes, near which place, and on which side the tumour lies."""
OBSTACLES = (
    (0, -41, 0, 24), (0, -41, 40, 24), (0, -41, -40, 24), (60, -46, -40, 27), (60, -46, -10, 27),
    (-60, -44, -25, 27), (-60, -44, 10, 27), (-106, -44, 56, 30),
)  # fmt: skip
"""Spine, kidneys and spleen, as x, y, z and radius in the standard anatomy."""


@dataclass(frozen=True, eq=False)
class Blob:
    """A smooth, slightly uneven ellipsoid in RAS+ mm."""

    centre: Points
    axes: Points
    """Rows: unit vectors of the longest, second and third axis."""
    half_mm: Points
    waves: Points
    """Rows: direction and phase of the unevenness."""

    def radius(self, directions: Points) -> Points:
        """How far the surface lies along unit vectors of the blob's own scaled axes, about 1."""
        phases = directions @ self.waves[:, :3].T + self.waves[:, 3]
        return np.asarray(1 + 0.045 * np.sin(phases).sum(axis=-1))

    def distance(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """About the signed distance from the surface."""
        inward = (self.axes / self.half_mm[:, None]).astype(np.float32)
        x, y, z = (a - np.float32(c) for a, c in zip((x, y, z), self.centre, strict=True))
        u, v, w = (row[0] * x + row[1] * y + row[2] * z for row in inward)
        norm = np.sqrt(u * u + v * v + w * w) + np.float32(1e-6)
        surface = np.ones_like(norm)
        for a, b, c, phase in self.waves.astype(np.float32):
            surface += np.float32(0.045) * np.sin((u * a + v * b + w * c) / norm + phase)
        return np.asarray((norm - surface) * np.float32(self.half_mm.min()))

    def surface(self, count: int) -> Points:
        """Points on the surface, evenly spread, in RAS+ mm."""
        directions = _sphere(count)
        return np.asarray(
            (directions * self.radius(directions)[:, None] * self.half_mm) @ self.axes + self.centre
        )


@dataclass(frozen=True, eq=False)
class Contact:
    """Where and how far the lesion touches a vessel, in the standard anatomy."""

    tube: Tube
    place: Points
    axis: Points
    bend: Points
    """Second derivative of the vessel's course, per mm."""
    towards: Points
    """Unit vector from the vessel to the lesion, across the axis."""
    radius_mm: float
    half_length_mm: float
    degrees: float

    def surface(self) -> Points:
        """Points on the outside of the cuff, in the standard anatomy."""
        half = min(np.deg2rad(self.degrees) / 2, np.pi)
        angles, along = np.meshgrid(np.linspace(-half, half, 25), np.linspace(-1, 1, 3) * self.half_length_mm)
        s, phi = along.ravel()[:, None], angles.ravel()[:, None]
        side = np.cross(self.axis, self.towards)
        across = np.cos(phi) * self.towards + np.sin(phi) * side
        return np.asarray(
            self.place + s * self.axis + s * s * self.bend / 2 + across * (self.radius_mm + CUFF_MM)
        )

    def polar(self, at: Lattice) -> tuple[Floats, Floats, Floats]:
        """Place along the axis, distance from it and angle to the lesion's side, in mm, mm and radians."""
        offset = [a - np.float32(p) for a, p in zip((at.x, at.y, at.z), self.place, strict=True)]
        along = sum(o * np.float32(a) for o, a in zip(offset, self.axis, strict=True))
        across = [
            o - along * np.float32(a) - along * along * np.float32(b / 2)
            for o, a, b in zip(offset, self.axis, self.bend, strict=True)
        ]
        radial = np.sqrt(sum(part * part for part in across)) + np.float32(1e-6)
        cosine = sum(part * np.float32(t) for part, t in zip(across, self.towards, strict=True)) / radial
        return np.asarray(along), np.asarray(radial), np.arccos(np.clip(cosine, -1, 1))


@dataclass(frozen=True, eq=False)
class Lesion:
    """The whole lesion of one patient."""

    blob: Blob
    contact: Contact | None
    vessels: tuple[Tube, ...]
    """Those to keep clear of."""
    centre: Points
    """In the standard anatomy."""

    def index_box(self, frame: Frame) -> tuple[Points, Points]:
        """The range of indices that holds the lesion."""
        points = self.blob.surface(60)
        if self.contact is not None:
            place = frame.pose.to_patient(self.contact.place[None])
            reach = self.contact.half_length_mm + self.contact.radius_mm + CUFF_MM
            points = np.concatenate([points, place - reach, place + reach])
        inverse = np.linalg.inv(frame.grid.affine)
        indices = points @ inverse[:3, :3].T + inverse[:3, 3]
        margin = 1 + 3.0 / np.array(frame.grid.spacing_mm)
        return indices.min(axis=0) - margin, indices.max(axis=0) + margin

    def distance(self, frame: Frame, lattice: Lattice) -> Floats:
        """About the signed distance; negative somewhere even where the lesion is smaller than a voxel."""
        field = self.blob.distance(*frame.ras_mm(lattice))
        for tube in self.vessels:
            field = np.maximum(field, np.float32(GAP_MM) - tube.distance(frame, lattice))
        if self.contact is not None:
            field = self._with_contact(field, frame, lattice)
        nearest = float(field.min())
        return field if nearest < 0 else field - np.float32(nearest + 1e-3)

    def _with_contact(self, field: Floats, frame: Frame, lattice: Lattice) -> Floats:
        of = self.contact
        if of is None:
            return field
        along, radial, angle = of.polar(lattice)
        edge = (angle - np.float32(np.deg2rad(of.degrees) / 2)) * radial
        if of.degrees >= 360:
            edge = np.full_like(edge, -FAR_MM)
        ends = np.abs(along) - np.float32(of.half_length_mm)
        free = np.maximum(ends, edge)
        near = np.float32(GAP_MM) - of.tube.distance(frame, lattice)
        field = np.maximum(field, np.minimum(near, free))
        cuff = np.maximum(np.maximum(radial - np.float32(of.radius_mm + CUFF_MM), edge), ends)
        return np.asarray(np.minimum(field, cuff))


def place_lesion(tumour: Tumour, of: Gland, tubes: Vessels, pose: Pose) -> Lesion:
    """The lesion where its plan wants it, moved and turned to keep clear of the other vessels."""
    rng = np.random.default_rng(tumour.seed)
    plan = tumour.plan
    waves = np.column_stack([rng.normal(size=(3, 3)) * 2.2, rng.uniform(0, 2 * np.pi, 3)])
    contact = _contact(tumour, tubes) if plan.contact_deg(plan.contact[0] if plan.contact else "") else None
    vessels = tuple(
        tube
        for name in tubes.named
        for tube in tubes.named[name]
        if contact is None or tube is not contact.tube
    )
    obstacles = _Obstacles(vessels, contact, pose)
    half = np.array([1.0, *tumour.slimness]) * plan.diameter_mm / 2
    if contact is not None:
        half[1:] = np.minimum(
            half[1:], [half[0] * 0.8, (plan.diameter_mm - contact.radius_mm - CUFF_MM) / 2 - 0.5]
        )
        candidates = _beside(contact, half, pose)
    else:
        candidates = _around(_base(tumour, of, tubes), plan.diameter_mm, pose)
    best = candidates[
        int(np.argmin(obstacles.overlaps(candidates, half, waves) + [it[2] for it in candidates]))
    ]
    blob = _scaled(Blob(best[0], best[1], half, waves), contact, plan.diameter_mm, obstacles)
    return Lesion(blob, contact, vessels, pose.to_standard(blob.centre[None])[0])


Candidate = tuple[Points, Points, float]
"""Centre, axes and a penalty for being far from where the plan wants it."""


def _around(base: Points, diameter_mm: float, pose: Pose) -> list[Candidate]:
    centre = pose.to_patient(base[None])[0]
    turns = [
        _axes(np.array(long))
        for long in ((1, 0.2, 0.1), (0.2, 0.1, 1), (0.7, 0.2, 0.7), (0.7, 0.2, -0.7), (0.3, 1, 0.2))
    ]
    return [
        (centre + step * diameter_mm * direction, axes, 0.35 * step)
        for step in (0.0, 0.15, 0.3, 0.45)
        for direction in (_sphere(16) if step else np.zeros((1, 3)))
        for axes in turns
    ]


def _beside(contact: Contact, half: Points, pose: Pose) -> list[Candidate]:
    candidates = []
    side = np.cross(contact.axis, contact.towards)
    for turn in np.deg2rad((0, 30, -30, 60, -60, 90)):
        long = np.cos(turn) * contact.axis + np.sin(turn) * side
        ends = pose.to_patient(
            np.array([contact.place, contact.place + contact.towards, contact.place + long])
        )
        outward = ends[1] - ends[0]
        outward /= np.linalg.norm(outward)
        along = ends[2] - ends[0]
        along -= (along @ outward) * outward
        along /= np.linalg.norm(along)
        axes = np.array([along, np.cross(outward, along), outward])
        for shift in (0.0, 0.35, -0.35):
            centre = ends[0] + outward * (half[2] + contact.radius_mm * 0.4) + along * shift * half[0]
            candidates.append((centre, axes, 0.1 * abs(shift)))
    return candidates


class _Obstacles:
    """What a blob should not run into, as spheres in RAS+ mm."""

    def __init__(self, vessels: tuple[Tube, ...], contact: Contact | None, pose: Pose) -> None:
        spheres = np.concatenate([_spheres(tube) for tube in vessels])
        if contact is not None:
            own = _spheres(contact.tube)
            far = np.abs((own[:, :3] - contact.place) @ contact.axis) > contact.half_length_mm
            spheres = np.concatenate([spheres, own[far]])
        points, radii = spheres[:, :3], spheres[:, 3] + GAP_MM
        solid = np.array(OBSTACLES, dtype=float)
        self.pose = pose
        self.vessels = len(points)
        self.radii = np.concatenate([radii, solid[:, 3]])
        self.tree = cKDTree(pose.to_patient(np.concatenate([points, solid[:, :3]])))

    def overlaps(self, candidates: list[Candidate], half: Points, waves: Points) -> Points:
        """How much of each blob's surface lies inside something, in mm, weighted towards its two tips."""
        unit = Blob(np.zeros(3), np.eye(3), half, waves)
        tips = np.repeat(np.outer([1, -1, 0.9, -0.9], half * (1, 0, 0)), 3, axis=0)
        spots = np.concatenate([unit.surface(28), tips])
        axes = np.array([it[1] for it in candidates])
        centres = np.array([it[0] for it in candidates])
        distance, index = self.tree.query(spots @ axes + centres[:, None], k=4)
        depth = (self.radii[index] - distance).max(axis=-1)
        return np.asarray(np.maximum(depth, 0).mean(axis=-1))

    def clear_surface(self, blob: Blob, count: int) -> Points:
        """Points of the blob's surface, drawn in to where no vessel cuts it off."""
        points = blob.surface(count)
        for _ in range(5):
            distance, index = self.tree.query(points, k=4)
            cut = ((self.radii[index] > distance) & (index < self.vessels)).any(axis=-1)
            if not cut.any():
                break
            points[cut] += (blob.centre - points[cut]) * 0.12
        return points


def _spheres(tube: Tube) -> Points:
    """The tube as spheres about 2 mm apart: rows of x, y, z and radius."""
    along = np.arange(0, len(tube.points) - 1 + 1e-6, 1 / 3)
    rows = np.column_stack([tube.points, tube.radii])
    return np.column_stack([np.interp(along, np.arange(len(rows)), column) for column in rows.T])


def _contact(tumour: Tumour, tubes: Vessels) -> Contact:
    plan = tumour.plan
    name, degrees = plan.contact or ("veins", 0.0)
    number, place, side = CONTACTS[plan.site, name]
    tube = tubes.named[name][number]
    nearest = int(np.clip(np.argmin(np.linalg.norm(tube.points - place, axis=1)), 1, len(tube.points) - 2))
    before, here, after = tube.points[nearest - 1 : nearest + 2]
    axis = (after - before) / np.linalg.norm(after - before)
    step = np.linalg.norm(after - before) / 2
    towards = np.array(side) - (np.array(side) @ axis) * axis
    length = 4.0 if name == "celiac_artery" else float(np.clip(plan.diameter_mm / 6, 4.0, 7.0))
    return Contact(
        tube=tube,
        place=here,
        axis=axis,
        bend=(after - 2 * here + before) / step**2,
        towards=towards / np.linalg.norm(towards),
        radius_mm=float(tube.radii[nearest]),
        half_length_mm=length,
        degrees=degrees,
    )


def _base(tumour: Tumour, of: Gland, tubes: Vessels) -> Points:
    """The place on the gland's centre line that the plan names."""
    x = of.line.points[:, 0]
    left_of_vein, left_of_aorta = tubes.superior_mesenteric_vein_left_mm, tubes.aorta_left_mm
    inside = {
        "head": x > left_of_vein + 10,
        "body": (x < left_of_vein) & (x > left_of_aorta),
        "tail": (x < left_of_aorta - 10) & (x > x.min() + 6),
    }[tumour.plan.site]
    numbers = np.flatnonzero(inside)
    return np.asarray(of.line.points[numbers[int(tumour.along * (len(numbers) - 1))]])


def _scaled(blob: Blob, contact: Contact | None, diameter_mm: float, obstacles: _Obstacles) -> Blob:
    """The blob such that it is, with the cuff, as long as planned; its side at the vessel stays in place."""
    cuff = np.zeros((0, 3)) if contact is None else obstacles.pose.to_patient(contact.surface())
    anchor = blob.centre if contact is None else blob.centre - blob.axes[2] * blob.half_mm[2]
    smallest, largest = 0.3, 1.5
    for _ in range(11):
        scale = (smallest + largest) / 2
        centre = anchor + (blob.centre - anchor) * scale
        sized = Blob(centre, blob.axes, blob.half_mm * scale, blob.waves)
        longest = float(pdist(np.concatenate([obstacles.clear_surface(sized, 200), cuff])).max())
        smallest, largest = (scale, largest) if longest < diameter_mm else (smallest, scale)
    return sized


def _axes(long: Points) -> Points:
    first = long / np.linalg.norm(long)
    second = np.cross(first, [0.0, 1.0, 0.0] if abs(first[1]) < 0.8 else [1.0, 0.0, 0.0])
    second /= np.linalg.norm(second)
    return np.array([first, second, np.cross(first, second)])


def _sphere(count: int) -> NDArray[np.float64]:
    """Unit vectors spread evenly along a spiral."""
    number = np.arange(count) + 0.5
    height = 1 - 2 * number / count
    turn = np.pi * (1 + 5**0.5) * number
    ring = np.sqrt(1 - height**2)
    return np.column_stack([ring * np.cos(turn), ring * np.sin(turn), height])
