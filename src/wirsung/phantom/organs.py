"""The organs around the pancreas.

Volumes of adults on CT (Geraghty et al., Abdom Imaging 2004;29:480 and textbooks): liver 1000 to 2000 ml,
spleen 100 to 315, a kidney 110 to 200, an adrenal gland 2 to 6, gall bladder 15 to 60, prostate 15 to 50.
The tails of real populations are wider.
"""

import numpy as np
from numpy.typing import NDArray

from wirsung.phantom.canvas import Canvas, shell_rule
from wirsung.phantom.frame import Floats
from wirsung.phantom.hollow import paint_bladder, paint_bowel, paint_colon, paint_duodenum, paint_stomach
from wirsung.phantom.patient import Patient
from wirsung.phantom.shapes import Shape, curve, ellipsoid, smooth_maximum, smooth_minimum
from wirsung.phantom.tissues import TRUNK, Tissue

Block = NDArray[np.uint8]
LIVER_VESSELS = (
    ([(50, 17, 60), (74, 8, 62), (108, -14, 56)], [5.5, 4.5, 2]),
    ([(74, 8, 62), (92, 26, 48), (104, 40, 26)], [4, 3, 2]),
    ([(50, 17, 60), (34, 34, 70), (6, 54, 74), (-30, 58, 74)], [4.5, 4, 3, 1.8]),
    ([(25, 6, 108), (62, 2, 96), (104, -8, 76)], [5.5, 4.5, 2]),
    ([(25, 6, 108), (52, 34, 92), (74, 52, 58)], [5, 4, 2]),
    ([(25, 6, 108), (10, 38, 92), (-16, 54, 84)], [4.5, 3.5, 2]),
)


def paint_organs(canvas: Canvas, patient: Patient) -> None:
    """Every organ but the pancreas and the vessels outside the liver."""
    paint_bowel(canvas, patient)
    paint_colon(canvas, patient)
    _paint_liver(canvas, patient)
    paint_stomach(canvas, patient)
    canvas.paint(_spleen(patient), Tissue.SPLEEN, spare=TRUNK)
    for side, name in ((1, "RIGHT"), (-1, "LEFT")):
        _paint_kidney(canvas, patient, side, name)
        _paint_femur(canvas, side, name)
        _paint_adrenal(canvas, side, name)
    wide = patient.variation("gall bladder").uniform(0.88, 1.2)
    gall_bladder = curve([(46, 34, 30), (56, 50, 10), (66, 64, -14)], [4 * wide, 11 * wide, 15 * wide])
    canvas.paint(gall_bladder, Tissue.GALL_BLADDER)
    paint_bladder(canvas, patient)
    if patient.sex == "M":
        large = float(patient.variation("prostate").uniform(0.82, 1.1))
        canvas.paint(ellipsoid((0, 8, -278), (24 * large, 17 * large, 18 * large)), Tissue.PROSTATE)
    else:
        canvas.paint(ellipsoid((0, -16, -226), (25, 17, 32), (25, 0, 0)), Tissue.MUSCLE)  # the uterus
    paint_duodenum(canvas, patient)


def _paint_liver(canvas: Canvas, patient: Patient) -> None:
    canvas.paint(_liver(patient), Tissue.LIVER, spare=TRUNK)
    for points, radii in LIVER_VESSELS:
        canvas.paint(curve(points, radii, 18.0), Tissue.LIVER_VESSEL, step_mm=2.0, over=(Tissue.LIVER,))


def _liver(patient: Patient) -> Shape:
    """A dome under the right diaphragm, cut by a floor that rises to the left, and a left lobe."""
    rng = patient.variation("liver")
    size = float(rng.uniform(0.95, 1.03))
    right = ellipsoid((71, 3, 35), (74 * size, 86, 87 * size))
    left = ellipsoid((4, 48, 70), (float(rng.uniform(62, 80)), 40, 34), (0, 14, 0))
    column = ellipsoid((0, -44, 30), (40, 46, 190), power=2.6)
    kidney = ellipsoid((62, -52, -20), (34, 34, 58))
    lowest = np.float32(rng.uniform(-66, -50))

    def function(x: Floats, y: Floats, z: Floats) -> Floats:
        away = np.float32(135) - x
        floor = lowest + np.float32(0.7) * away + np.float32(0.0016) * away * away - np.float32(0.12) * y
        lobe = smooth_maximum(right.function(x, y, z), (floor - z) * np.float32(0.7), 14)
        whole = smooth_minimum(lobe, left.function(x, y, z), 18)
        whole = smooth_maximum(whole, -column.function(x, y, z), 12)
        return smooth_maximum(whole, -kidney.function(x, y, z), 10)

    return Shape(np.array([-82.0, -90, -80]), np.array([150.0, 98, 128]), function)


def _spleen(patient: Patient) -> Shape:
    rng = patient.variation("spleen")
    size = float(rng.uniform(0.97, 1.13))
    body = ellipsoid((-99, -36, 55), (27 * size, 43 * size, 53 * size), (10, 12, 25))
    dent = ellipsoid((-62, -14, 46), (32, 40, 62))

    def function(x: Floats, y: Floats, z: Floats) -> Floats:
        return smooth_maximum(body.function(x, y, z), -dent.function(x, y, z), 10)

    return Shape(body.lower, body.upper, function)


def _paint_kidney(canvas: Canvas, patient: Patient, side: int, name: str) -> None:
    """A bean with its sinus open to the middle; the right one lies lower."""
    rng = patient.variation(f"kidney {name}")
    centre = np.array([61.0, -43, -26]) if side > 0 else np.array([-60.0, -41, -8])
    centre += rng.uniform(-1, 1, 3) * (2, 1, 5)
    size = float(rng.uniform(1.0, 1.09))
    body = ellipsoid(centre.tolist(), (27 * size, 24 * size, 54 * size), (12, side * 10, side * 20))
    sinus = ellipsoid((centre + np.array([-20.0 * side, 9, 0])).tolist(), (19, 12, 21), (0, 0, side * 20))
    cortex, medulla = Tissue[f"KIDNEY_{name}_CORTEX"], Tissue[f"KIDNEY_{name}_MEDULLA"]

    def function(x: Floats, y: Floats, z: Floats) -> Floats:
        return smooth_maximum(body.function(x, y, z), -sinus.function(x, y, z), 8)

    def rule(block: Block, outer: Floats) -> None:
        np.copyto(block, np.uint8(cortex), where=outer < 0)
        np.copyto(block, np.uint8(medulla), where=outer < -7)

    canvas.layer(Shape(body.lower, body.upper, function), (cortex, medulla), rule)


def _paint_femur(canvas: Canvas, side: int, name: str) -> None:
    """Head, neck and shaft to 5 cm below the lesser trochanter."""
    cortex, marrow = Tissue[f"FEMUR_{name}_CORTEX"], Tissue[f"FEMUR_{name}_MARROW"]
    head = ellipsoid((92 * side, -8, -248), (24, 24, 24))
    neck = curve([(95 * side, -8, -250), (112 * side, -10, -266), (130 * side, -12, -284)], [15, 13.5, 17])
    shaft = curve([(133 * side, -12, -276), (134 * side, -10, -310), (131 * side, -4, -352)], [15, 16, 13.5])
    lattice = canvas.frame.window(
        *canvas.frame.index_box(
            np.array([side * 105.0 - 50, -42, -370]), np.array([side * 105.0 + 50, 24, -218])
        ),
        2.0,
    )
    if lattice is None:
        return
    parts = [solid.distance(canvas.frame, lattice) for solid in (head, neck, shaft)]
    whole = smooth_minimum(smooth_minimum(parts[0], parts[1], 5), parts[2], 6)
    canvas.fields(lattice, [whole], (marrow, cortex), shell_rule(marrow, cortex, 3.0))


def _paint_adrenal(canvas: Canvas, side: int, name: str) -> None:
    """A body with two limbs behind it, like an inverted Y, above and before the kidney's upper pole."""
    tissue = Tissue[f"ADRENAL_GLAND_{name}"]
    x, y, z = (33.0, -24.0, 46.0) if side > 0 else (-35.0, -17.0, 42.0)
    for end in ((4, -19, -10), (15, -16, -10), (6, -3, -20)):
        limb = curve([(x, y, z), (x + side * end[0], y + end[1], z + end[2])], [4.9, 3.1], 5.0)
        canvas.paint(limb, tissue, step_mm=0.0, over=(Tissue.FAT, Tissue.LIVER, Tissue.MUSCLE))
