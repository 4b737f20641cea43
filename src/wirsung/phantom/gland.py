"""The pancreas: a lobulated tube from the duodenum to the splenic hilum, with its duct.

Volume 40 to 110 ml, largest at 30 to 40 years and smaller in women and with age (Saisho et al., Clin Anat
2007;20:933; Caglar et al., 2012). The duct is 3 mm wide in the head and 1.5 mm in the tail.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wirsung.phantom.frame import Floats, Frame, Lattice, Points
from wirsung.phantom.patient import Patient
from wirsung.phantom.shapes import Tube, curve, smooth_minimum

CENTRE_LINE = (
    (38, 24, -40), (38, 28, -20), (31, 36, -3), (14, 45, 9), (-8, 45.5, 16),
    (-32, 37, 23), (-56, 19, 31), (-78, -2, 37), (-94, -17, 40),
)  # fmt: skip
CALIBRE = (12.5, 15.0, 13.0, 8.6, 10.0, 10.6, 11.0, 11.0, 8.5)
_COURSE_MM = 5.0
AMPULLA = (52.0, 21.0, -32.0)


@dataclass(frozen=True, eq=False)
class Gland:
    """The gland's tubes; the first runs from head to tail."""

    line: Tube
    uncinate: Tube
    lobule_mm: float
    phases: NDArray[np.float64]

    def index_box(self, frame: Frame) -> tuple[Points, Points]:
        """The range of indices that holds the gland."""
        (low, high), (other_low, other_high) = self.line.index_box(frame), self.uncinate.index_box(frame)
        return np.minimum(low, other_low), np.maximum(high, other_high)

    def distance(self, frame: Frame, lattice: Lattice) -> Floats:
        """Signed distance of the lobulated surface."""
        smooth = smooth_minimum(
            self.line.distance(frame, lattice), self.uncinate.distance(frame, lattice), 8.0
        )
        return smooth + self._lobules(lattice) * np.float32(self.lobule_mm)

    def _lobules(self, at: Lattice) -> Floats:
        a, b, c = (np.float32(phase) for phase in self.phases)
        pitch = np.float32(2 * np.pi / 15)
        return np.asarray(
            np.sin(at.x * pitch + a) * np.sin(at.y * pitch + b)
            + np.sin(at.z * pitch + c) * np.cos(at.x * pitch + b)
        )


def gland(patient: Patient) -> Gland:
    """The gland of one patient."""
    rng = patient.variation("pancreas")
    age = np.clip(1.06 - 0.0035 * (patient.age_years - 40), 0.85, 1.06)
    size = float(age * rng.uniform(0.95, 1.06))
    places, radii = _course(patient)
    line = curve(places, [radius * size for radius in radii], 6.0)
    uncinate = curve([(34, 20, -34), (25, 16, -38), (14, 15.5, -37)], [10 * size, 8 * size, 5.5 * size], 5.0)
    lobule = float(rng.uniform(0.35, 0.6) + 0.006 * max(patient.age_years - 50, 0))
    return Gland(line, uncinate, lobule, rng.uniform(0, 2 * np.pi, 3))


def _course(patient: Patient) -> tuple[Sequence[Sequence[float]], Sequence[float]]:
    """Where the gland runs and how thick it is; where organs vary widely, no two glands run alike."""
    if patient.organ_variety == 1:
        return CENTRE_LINE, CALIBRE
    rng = patient.chance("course of the pancreas")
    free = np.linspace(0.3, 1.0, len(CALIBRE))[:, None]  # the head stays within the duodenum
    places = np.array(CENTRE_LINE) + free * rng.normal(0, _COURSE_MM, (len(CALIBRE), 3))
    return places.tolist(), (np.array(CALIBRE) * rng.uniform(0.75, 1.2, len(CALIBRE))).tolist()


def duct(
    of: Gland, patient: Patient, lesion: Points | None, *, thinnest_mm: float
) -> tuple[Tube, float, float]:
    """The main duct, and its width in mm downstream and upstream of the lesion.

    Args:
        of: The gland.
        patient: Whose tumour says whether the duct is dilated upstream.
        lesion: The lesion's centre in the standard anatomy.
        thinnest_mm: The duct is drawn at least so wide, as a reader draws at least a voxel.
    """
    width = float(patient.variation("duct").uniform(2.0, 3.0))
    line = _duct_line(of)
    widths = np.linspace(width, 0.65 * width, len(line))
    upstream_mm = width
    if lesion is not None and patient.tumour is not None and patient.tumour.upstream_duct_mm > 0:
        upstream_mm = patient.tumour.upstream_duct_mm
        crossing = int(np.argmin(np.linalg.norm(line - lesion, axis=1)))
        widths[crossing:] = upstream_mm
    return Tube(line, np.maximum(widths, thinnest_mm) / 2), width, upstream_mm


def _duct_line(of: Gland) -> Points:
    """The duct's course from the ampulla through the head to the tail."""
    inner = of.line.points[of.line.points[:, 2] > -14][:-2]
    path = [AMPULLA, (46, 24, -25), *(tuple(point) for point in inner[1::2])]
    return curve(path, [1.0] * len(path), 5.0).points
