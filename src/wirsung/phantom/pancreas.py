"""Gland, duct, lesion and bile duct painted together, split into head, body and tail.

The borders are those of the PanTS annotation standard (Li et al. 2025, appendix C): the head lies right of
the left border of the superior mesenteric vein, the tail left of the left edge of the aorta, the body between
them. Each includes what lies in it of duct and lesion, so that together they are the pancreas.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wirsung.phantom.canvas import Canvas, Rule
from wirsung.phantom.frame import Floats, Frame, Lattice, enclosing
from wirsung.phantom.gland import Gland, duct, gland
from wirsung.phantom.lesion import Lesion, place_lesion
from wirsung.phantom.patient import Patient
from wirsung.phantom.shapes import FAR_MM, Tube, curve, smooth_minimum
from wirsung.phantom.tissues import TISSUES, Tissue
from wirsung.phantom.vessels import Vessels

VESSELS = (
    Tissue.ARTERY, Tissue.VEIN, Tissue.AORTA, Tissue.POSTCAVA, Tissue.CELIAC_ARTERY, Tissue.VEINS,
    Tissue.SUPERIOR_MESENTERIC_ARTERY, Tissue.COMMON_BILE_DUCT,
    Tissue.CORTICAL_BONE, Tissue.MARROW, Tissue.DISC,
)  # fmt: skip
"""What the lesion spares."""
SPARED = (*VESSELS, Tissue.DUODENUM_WALL, Tissue.DUODENUM_CONTENT, Tissue.MUSCLE)
"""What the gland spares."""
BILE_DUCT = ((46, 28, 58), (40, 30, 40), (39, 22, 15), (42, 17, -8), (48, 18, -24), (54, 20, -34))


@dataclass(frozen=True)
class Pancreas:
    """What was painted, for the truth."""

    duct_downstream_mm: float
    duct_upstream_mm: float


def paint_pancreas(canvas: Canvas, patient: Patient, tubes: Vessels) -> Pancreas:
    """Paint the pancreas with its parts, duct and lesion, and the bile duct that runs through its head."""
    frame = canvas.frame
    wide = patient.variation("bile duct").uniform(3.0, 3.8)
    canvas.paint(curve(BILE_DUCT, [wide] * 6, 4.0), Tissue.COMMON_BILE_DUCT, step_mm=0.0)
    of = gland(patient)
    lesion = None if patient.tumour is None else place_lesion(patient.tumour, of, tubes, frame.pose)
    voxel_mm = frame.grid.voxel_volume_mm3 ** (1 / 3)
    course, downstream_mm, upstream_mm = duct(
        of, patient, None if lesion is None else lesion.centre, thinnest_mm=voxel_mm
    )
    at = _window(frame, of, lesion)
    if at is not None:
        gland_mm = of.distance(frame, at)
        fields = [at.x, gland_mm, course.distance(frame, at)]
        if lesion is not None:
            _add_lesion(fields, lesion, of, frame, at)
        borders = tubes.superior_mesenteric_vein_left_mm, tubes.aorta_left_mm
        canvas.fields(at, fields, tuple(Tissue(code) for code in TISSUES["pancreas"]), _rule(borders))
    return Pancreas(downstream_mm, upstream_mm)


def _window(frame: Frame, of: Gland, lesion: Lesion | None) -> Lattice | None:
    low, high = of.index_box(frame)
    if lesion is not None:
        lesion_low, lesion_high = lesion.index_box(frame)
        low, high = np.minimum(low, lesion_low), np.maximum(high, lesion_high)
    return frame.window(low, high, 0.0)


def _add_lesion(fields: list[Floats], lesion: Lesion, of: Gland, frame: Frame, at: Lattice) -> None:
    """Append the lesion's distance, and let the gland bulge around it and reach out to it."""
    box = enclosing(at.positions, *lesion.index_box(frame))
    part = at.crop(box)
    lesion_mm = np.full(at.x.shape, FAR_MM, dtype=np.float32)
    lesion_mm[box] = lesion.distance(frame, part)
    nearest = of.line.points[np.argmin(np.linalg.norm(of.line.points - lesion.centre, axis=1))]
    thick = min(8.0, 0.35 * 2 * float(lesion.blob.half_mm[2]) + 2)
    bridge = Tube(np.array([nearest, lesion.centre]), np.array([thick, thick]))
    gland_mm = smooth_minimum(fields[1][box], bridge.distance(frame, part), 6.0)
    fields[1][box] = smooth_minimum(gland_mm, lesion_mm[box], 5.0)
    fields.append(lesion_mm)


def _rule(borders: tuple[float, float]) -> Rule:
    kept_by_gland, kept_by_lesion = np.zeros(256, dtype=bool), np.zeros(256, dtype=bool)
    kept_by_gland[list(SPARED)] = True
    kept_by_lesion[list(VESSELS)] = True

    def rule(
        block: NDArray[np.uint8], x: Floats, gland_mm: Floats, duct_mm: Floats, *lesion_mm: Floats
    ) -> None:
        region = (x < borders[0]).astype(np.uint8) + (x < borders[1])
        code = region + np.uint8(Tissue.PANCREAS_HEAD)
        np.copyto(code, region + np.uint8(Tissue.DUCT_HEAD), where=duct_mm < 0)
        inside = (gland_mm < 0) & ~kept_by_gland[block]
        for distance in lesion_mm:
            ill = (distance < 0) & ~kept_by_lesion[block]
            np.copyto(code, region + np.uint8(Tissue.LESION_HEAD), where=ill)
            inside |= ill
        np.copyto(block, code, where=inside)

    return rule
