"""The organs around the pancreas."""

import numpy as np

from wirsung.phantom.canvas import Canvas
from wirsung.phantom.patient import Patient
from wirsung.phantom.shapes import Shape, Tube, curve, ellipsoid, smooth_maximum, smooth_minimum
from wirsung.phantom.frame import Floats
from wirsung.phantom.tissues import Tissue

HOLLOW = {
    "colon": (Tissue.COLON_WALL, Tissue.COLON_CONTENT, Tissue.COLON_GAS),
    "duodenum": (Tissue.DUODENUM_WALL, Tissue.DUODENUM_CONTENT, Tissue.DUODENUM_CONTENT),
    "stomach": (Tissue.STOMACH_WALL, Tissue.STOMACH_CONTENT, Tissue.STOMACH_GAS),
    "bladder": (Tissue.BLADDER_WALL, Tissue.BLADDER_URINE, Tissue.BLADDER_URINE),
    "bowel": (Tissue.BOWEL_WALL, Tissue.BOWEL_CONTENT, Tissue.BOWEL_GAS),
}


def liver(patient: Patient) -> Shape:
    right = ellipsoid((70, 2, 34), (74, 84, 86))
    left = ellipsoid((2, 50, 68), (72, 40, 36), (0, 12, 0))
    column = ellipsoid((4, -40, 40), (40, 44, 160), power=4)
    kidney = ellipsoid((62, -50, -20), (35, 34, 58))

    def function(x: Floats, y: Floats, z: Floats) -> Floats:
        floor = np.float32(-62) + np.float32(0.85) * (np.float32(135) - x) - np.float32(0.10) * y
        cut = (floor - z) * np.float32(0.75)
        lobe = smooth_maximum(right.function(x, y, z), cut, 12)
        whole = smooth_minimum(lobe, left.function(x, y, z), 15)
        whole = smooth_maximum(whole, -column.function(x, y, z), 8)
        return smooth_maximum(whole, -kidney.function(x, y, z), 8)

    return Shape(np.array([-76.0, -90, -75]), np.array([150.0, 98, 125]), function)


def spleen(patient: Patient) -> Shape:
    body = ellipsoid((-106, -44, 56), (27, 42, 50), (10, 12, 25))
    dent = ellipsoid((-70, -22, 46), (32, 40, 60))

    def function(x: Floats, y: Floats, z: Floats) -> Floats:
        return smooth_maximum(body.function(x, y, z), -dent.function(x, y, z), 8)

    return Shape(body.lower, body.upper, function)


def kidney(patient: Patient, side: int) -> Shape:
    centre = np.array([62.0, -46, -26]) if side > 0 else np.array([-60.0, -44, -8])
    body = ellipsoid(centre, (27, 24, 54), (12, side * 10, side * 20))
    hilum = ellipsoid(centre + np.array([-26.0 * side, 12, 0]), (20, 16, 16))

    def function(x: Floats, y: Floats, z: Floats) -> Floats:
        return smooth_maximum(body.function(x, y, z), -hilum.function(x, y, z), 8)

    return Shape(body.lower, body.upper, function)


def stomach(patient: Patient) -> Tube:
    return curve(
        [
            (-62, -18, 84),
            (-70, -2, 70),
            (-72, 28, 48),
            (-58, 60, 22),
            (-28, 78, 4),
            (6, 80, 2),
            (32, 70, 12),
            (44, 62, 18),
        ],
        [30, 36, 33, 28, 23, 19, 14, 9],
    )


def duodenum(patient: Patient) -> Tube:
    return curve(
        [
            (44, 62, 18),
            (56, 52, 22),
            (66, 36, 10),
            (67, 25, -15),
            (64, 18, -45),
            (50, 13, -68),
            (25, 11, -75),
            (0, 12, -72),
            (-20, 14, -62),
            (-29, 22, -38),
        ],
        [9, 13, 13, 13, 13, 12.5, 11, 10, 11, 11],
    )


def colon(patient: Patient) -> Tube:
    return curve(
        [
            (92, 22, -152),
            (102, 8, -120),
            (112, -14, -80),
            (114, -14, -55),
            (98, 26, -50),
            (60, 70, -52),
            (10, 84, -62),
            (-45, 80, -42),
            (-95, 40, 0),
            (-118, 0, 12),
            (-124, -30, -5),
            (-120, -34, -50),
            (-114, -26, -110),
            (-95, 6, -155),
            (-62, 10, -180),
            (-28, -18, -178),
            (0, -48, -190),
            (2, -66, -220),
            (2, -62, -262),
        ],
        [30, 28, 25, 24, 22, 21, 21, 20, 19, 18, 16, 15, 14.5, 14, 15, 15, 16, 20, 16],
    )


def paint_organs(canvas: Canvas, patient: Patient) -> None:
    """Every organ but the pancreas and the vessels."""
    _hollow(canvas, colon(patient), "colon", wall_mm=2.5, gas_above_mm=45.0)
    canvas.paint(liver(patient), Tissue.LIVER)
    _hollow(canvas, stomach(patient), "stomach", wall_mm=4.0, gas_above_mm=72.0)
    canvas.paint(spleen(patient), Tissue.SPLEEN)
    for side, name in ((1, "RIGHT"), (-1, "LEFT")):
        _kidney(canvas, kidney(patient, side), name)
        _femur(canvas, side, name)
        _adrenal(canvas, side, name)
    gall_bladder = curve([(44, 36, 30), (56, 50, 10), (66, 66, -14)], [5, 12, 16])
    canvas.paint(gall_bladder, Tissue.GALL_BLADDER)
    _hollow(canvas, ellipsoid((0, 18, -238), (40, 32, 30)), "bladder", wall_mm=3.5, gas_above_mm=1e3)
    if patient.sex == "M":
        canvas.paint(ellipsoid((0, 8, -278), (23, 16, 18)), Tissue.PROSTATE)
    _hollow(canvas, duodenum(patient), "duodenum", wall_mm=2.5, gas_above_mm=1e3, step_mm=0.0)


def paint_bile_duct(canvas: Canvas) -> None:
    """The common bile duct from the liver's hilum to the ampulla."""
    line = curve(
        [(46, 28, 58), (40, 30, 40), (38, 22, 15), (41, 16, -8), (47, 18, -24), (53, 21, -34)], [3.4] * 6, 4.0
    )
    canvas.paint(line, Tissue.COMMON_BILE_DUCT, step_mm=0.0)


def _hollow(
    canvas: Canvas, solid: object, name: str, *, wall_mm: float, gas_above_mm: float, step_mm: float = 3.0
) -> None:
    wall, content, gas = HOLLOW[name]

    def rule(block: np.ndarray, distance: Floats, height: Floats) -> None:
        np.copyto(block, np.uint8(wall), where=distance < 0)
        inside = distance < -wall_mm
        np.copyto(block, np.uint8(content), where=inside)
        np.copyto(block, np.uint8(gas), where=inside & (height > gas_above_mm))

    canvas.layer(solid, (wall, content, gas), rule, step_mm=step_mm, level=True)


def _kidney(canvas: Canvas, solid: Shape, side: str) -> None:
    cortex, medulla = Tissue[f"KIDNEY_{side}_CORTEX"], Tissue[f"KIDNEY_{side}_MEDULLA"]

    def rule(block: np.ndarray, distance: Floats) -> None:
        np.copyto(block, np.uint8(cortex), where=distance < 0)
        np.copyto(block, np.uint8(medulla), where=distance < -7)

    canvas.layer(solid, (cortex, medulla), rule)


def _femur(canvas: Canvas, side: int, name: str) -> None:
    cortex, marrow = Tissue[f"FEMUR_{name}_CORTEX"], Tissue[f"FEMUR_{name}_MARROW"]

    def rule(block: np.ndarray, distance: Floats) -> None:
        np.copyto(block, np.uint8(marrow), where=distance < 0)
        np.copyto(block, np.uint8(cortex), where=np.abs(distance + 1.5) < 1.5)

    for line, radii in (
        ([(92, -8, -248), (94, -8, -249)], [24, 24]),
        ([(96, -8, -251), (128, -12, -282), (138, -10, -310), (136, -4, -352)], [14, 18, 15, 13]),
    ):
        canvas.layer(curve([(side * x, y, z) for x, y, z in line], radii), (cortex, marrow), rule)


def _adrenal(canvas: Canvas, side: int, name: str) -> None:
    tissue = Tissue[f"ADRENAL_GLAND_{name}"]
    x, y, z = (34.0, -24.0, 44.0) if side > 0 else (-34.0, -18.0, 36.0)
    for dx, dy, dz in ((3, -16, -6), (11, -13, -8)):
        limb = curve([(x, y, z), (x + side * dx, y + dy, z + dz)], [3.2, 2.4], 4.0)
        canvas.paint(limb, tissue, step_mm=0.0)
