"""The whole body on a grid: tissue codes, masks and truth."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wirsung.imaging.arrays import Mask
from wirsung.phantom.background import paint_background
from wirsung.phantom.canvas import Canvas
from wirsung.phantom.frame import Box, Floats, Frame
from wirsung.phantom.gland import duct_line, gland
from wirsung.phantom.grid import Grid
from wirsung.phantom.organs import paint_bile_duct, paint_organs
from wirsung.phantom.patient import Patient
from wirsung.phantom.shapes import Tube
from wirsung.phantom.tissues import TISSUES, Tissue
from wirsung.phantom.vessels import Vessels, vessels


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


def build_body(patient: Patient, grid: Grid) -> Body:
    """The patient's anatomy on the grid; the same patient has the same anatomy on every grid."""
    canvas = Canvas(Frame(patient, grid))
    paint_background(canvas, patient)
    paint_organs(canvas, patient)
    tubes = vessels(patient)
    for tube in tubes.arteries:
        canvas.paint(tube, Tissue.ARTERY)
    for tube in tubes.veins:
        canvas.paint(tube, Tissue.VEIN)
    paint_bile_duct(canvas)
    for name, several in tubes.named.items():
        for tube in several:
            canvas.paint(tube, Tissue[name.upper()], step_mm=0.0)
    _paint_pancreas(canvas, patient, tubes)
    masks = Masks(canvas.tissue, canvas.boxes)
    return Body(grid, patient, canvas.tissue, masks, _truth(patient, canvas, masks))


KEPT = (
    Tissue.ARTERY, Tissue.VEIN, Tissue.AORTA, Tissue.POSTCAVA, Tissue.CELIAC_ARTERY, Tissue.VEINS,
    Tissue.SUPERIOR_MESENTERIC_ARTERY, Tissue.COMMON_BILE_DUCT, Tissue.DUODENUM_WALL, Tissue.DUODENUM_CONTENT,
)  # fmt: skip


def _paint_pancreas(canvas: Canvas, patient: Patient, tubes: Vessels) -> None:
    of = gland(patient)
    at = of.window(canvas.frame, 0.0)
    if at is None:
        return
    line = duct_line(of)
    thick = 0.5 * canvas.frame.grid.voxel_volume_mm3 ** (1 / 3)
    duct = Tube(line, np.maximum(np.linspace(1.5, 0.8, len(line)), thick)).distance(canvas.frame, at)
    fields = [of.distance(canvas.frame, at), duct]
    if patient.tumour is not None:
        middle = {"head": 5, "body": len(of.line.points) // 2, "tail": -8}[patient.tumour.plan.site]
        x, y, z = of.line.points[middle]
        lesion = (
            np.sqrt((at.x - x) ** 2 + (at.y - y) ** 2 + (at.z - z) ** 2) - patient.tumour.plan.diameter_mm / 2
        )
        fields.append(np.asarray(lesion, dtype=np.float32))
    keep = np.zeros(256, dtype=bool)
    keep[list(KEPT)] = True
    borders = tubes.superior_mesenteric_vein_left_mm, tubes.aorta_left_mm

    def rule(
        block: NDArray[np.uint8], x: Floats, gland_mm: Floats, duct_mm: Floats, *lesion_mm: Floats
    ) -> None:
        region = np.uint8(1) * (x < borders[0]) + (x < borders[1])
        code = region + np.uint8(Tissue.PANCREAS_HEAD)
        np.copyto(code, region + np.uint8(Tissue.DUCT_HEAD), where=duct_mm < 0)
        inside = gland_mm < 0
        for one in lesion_mm:
            np.copyto(code, region + np.uint8(Tissue.LESION_HEAD), where=one < 0)
            inside |= one < 0
        np.copyto(block, code, where=inside & ~keep[block])

    canvas.fields(at, [at.x, *fields], tuple(Tissue(code) for code in TISSUES["pancreas"]), rule)


def _truth(patient: Patient, canvas: Canvas, masks: Masks) -> BodyTruth:
    counts = np.bincount(canvas.tissue.ravel(), minlength=256)
    volume = canvas.frame.grid.voxel_volume_mm3 / 1000
    volumes = {name: float(counts[list(codes)].sum()) * volume for name, codes in TISSUES.items()}
    plan = patient.tumour.plan if patient.tumour else None
    return BodyTruth(
        lesion_site=plan.site if plan else None,
        lesion_diameter_mm=plan.diameter_mm if plan else 0.0,
        lesion_diameter_measured_mm=0.0,
        duct_upstream_mm=2.0,
        duct_downstream_mm=2.0,
        contact_deg={},
        volume_ml=volumes,
    )
