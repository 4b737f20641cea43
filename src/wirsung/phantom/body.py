"""The whole body on a grid: tissue codes, masks and truth."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from wirsung.imaging.arrays import Mask
from wirsung.phantom.background import paint_background
from wirsung.phantom.canvas import Canvas
from wirsung.phantom.frame import Box, Frame, Pose
from wirsung.phantom.grid import Grid
from wirsung.phantom.measure import contact_deg, longest_diameter_mm
from wirsung.phantom.organs import paint_organs
from wirsung.phantom.pancreas import Pancreas, paint_pancreas
from wirsung.phantom.patient import Patient
from wirsung.phantom.tissues import TISSUES
from wirsung.phantom.tumour import ContactVessel
from wirsung.phantom.vessels import paint_vessels, vessels


@dataclass(frozen=True, eq=False)
class Masks(Mapping[str, Mask]):
    """The mask of each of the 28 structures, made when asked for; a structure out of reach is empty."""

    tissue: NDArray[np.uint8]
    boxes: dict[int, Box]

    def __getitem__(self, structure: str) -> Mask:
        codes = TISSUES[structure]
        table = np.zeros(256, dtype=bool)
        table[list(codes)] = True
        mask = np.zeros(self.tissue.shape, dtype=bool)
        for code in codes:
            if code in self.boxes:
                box = self.boxes[code]
                mask[box] = table[self.tissue[box]]
        return mask

    def __iter__(self) -> Iterator[str]:
        return iter(TISSUES)

    def __len__(self) -> int:
        return len(TISSUES)


@dataclass(frozen=True)
class BodyTruth:
    """What is known of a body because it was built so."""

    lesion_site: str | None
    lesion_diameter_mm: float
    """Longest diameter as planned; 0 without a lesion."""
    lesion_diameter_measured_mm: float
    """Longest diameter of the mask on this grid."""
    duct_upstream_mm: float
    """Width of the duct between the lesion and the tail."""
    duct_downstream_mm: float
    """Width of the duct between the ampulla and the lesion, and everywhere without a lesion."""
    contact_deg: dict[str, float]
    """Planned contact of the lesion with each vessel that it may touch."""
    volume_ml: dict[str, float] = field(default_factory=dict)
    """Volume of each structure's mask on this grid."""


@dataclass(frozen=True, eq=False)
class Body:
    """A patient's anatomy on a grid."""

    grid: Grid
    patient: Patient
    tissue: NDArray[np.uint8]
    """A `Tissue` code per voxel."""
    masks: Masks
    truth: BodyTruth

    def contact_deg(self, vessel: ContactVessel) -> float:
        """How much of the vessel's circumference the lesion touches, measured on the masks, 0 to 360."""
        pose = Pose(self.patient)
        lesion, wall = self.masks["pancreatic_lesion"], self.masks[vessel]
        tubes = vessels(self.patient).named[vessel]
        return max(contact_deg(lesion, wall, self.grid, pose.to_patient(tube.points)) for tube in tubes)


def build_body(patient: Patient, grid: Grid) -> Body:
    """The patient's anatomy on the grid; the same patient has the same anatomy on every grid."""
    canvas = Canvas(Frame(patient, grid))
    paint_background(canvas, patient)
    paint_organs(canvas, patient)
    tubes = vessels(patient)
    paint_vessels(canvas, tubes)
    made = paint_pancreas(canvas, patient, tubes)
    masks = Masks(canvas.tissue, canvas.boxes)
    return Body(grid, patient, canvas.tissue, masks, _truth(patient, canvas, masks, made))


def _truth(patient: Patient, canvas: Canvas, masks: Masks, made: Pancreas) -> BodyTruth:
    rows = np.array_split(canvas.tissue, 16)  # bincount widens its input to 64 bits
    counts = np.sum([np.bincount(some.ravel(), minlength=256) for some in rows], axis=0)
    volume = canvas.frame.grid.voxel_volume_mm3 / 1000
    plan = patient.tumour.plan if patient.tumour else None
    return BodyTruth(
        lesion_site=plan.site if plan else None,
        lesion_diameter_mm=plan.diameter_mm if plan else 0.0,
        lesion_diameter_measured_mm=longest_diameter_mm(masks["pancreatic_lesion"], canvas.frame.grid)
        if plan
        else 0.0,
        duct_upstream_mm=made.duct_upstream_mm,
        duct_downstream_mm=made.duct_downstream_mm,
        contact_deg={vessel: plan.contact_deg(vessel) if plan else 0.0 for vessel in get_args(ContactVessel)},
        volume_ml={name: float(counts[list(codes)].sum()) * volume for name, codes in TISSUES.items()},
    )
