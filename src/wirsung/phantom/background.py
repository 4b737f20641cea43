"""Skin, fat, muscle, bone and lung: what lies around the organs."""

import numpy as np

from wirsung.phantom.canvas import Block, Canvas, Solid, shell_rule
from wirsung.phantom.frame import Floats, Lattice
from wirsung.phantom.patient import Patient
from wirsung.phantom.shapes import Shape, curve, ellipsoid
from wirsung.phantom.tissues import Tissue

BONE = (Tissue.MARROW, Tissue.CORTICAL_BONE)
LEVELS = (-420.0, -340, -290, -240, -190, -150, -100, -50, 0, 50, 100, 150, 220)
MUSCLE_HALF_WIDTH = (165.0, 168, 165, 160, 152, 147, 142, 143, 147, 150, 150, 148, 145)
MUSCLE_HALF_DEPTH = (106.0, 109, 110, 109, 106, 104, 102, 103, 106, 109, 112, 114, 114)
CAVITY_HALF_WIDTH = (60.0, 60, 75, 95, 118, 126, 127, 129, 133, 137, 137, 134, 128)


def rounded_oblong(
    x: Floats, y: Floats, half_width: Floats | np.float32, half_depth: Floats | np.float32
) -> Floats:
    """About the distance from an upright cylinder whose section is a superellipse of power 2.5."""
    u, v = np.abs(x / half_width), np.abs(y / half_depth)
    total = u * u * np.sqrt(u) + v * v * np.sqrt(v)
    # the root of power 2.5 less one, right to second order at the surface and many times as fast
    norm = (total - 1) / (np.float32(1.75) + np.float32(0.75) * total)
    return np.asarray(norm * np.minimum(half_width, half_depth))


def paint_background(canvas: Canvas, patient: Patient) -> None:
    """Skin, fat, muscle, skeleton, lungs and heart."""
    _paint_wall(canvas, patient)
    for side in (1, -1):
        psoas = curve(
            [(30 * side, -46, 30), (36 * side, -44, -40), (48 * side, -36, -110), (62 * side, -8, -190)],
            [7, 16, 21, 15],
        )
        canvas.paint(psoas, Tissue.MUSCLE)
    _paint_spine(canvas)
    _paint_ribs(canvas)
    _paint_pelvis(canvas)
    _paint_chest(canvas)


def _paint_wall(canvas: Canvas, patient: Patient) -> None:
    at = canvas.frame.whole(4.0)
    width, depth, cavity = (
        _by_level(at, values) for values in (MUSCLE_HALF_WIDTH, MUSCLE_HALF_DEPTH, CAVITY_HALF_WIDTH)
    )
    muscle = rounded_oblong(at.x, at.y + 3, width, depth)
    fat = np.float32(patient.subcutaneous_fat_mm)
    skin = rounded_oblong(at.x, at.y + 3, width + fat, depth + fat * np.float32(0.9))
    inner = rounded_oblong(at.x, at.y - 10, cavity, cavity * np.float32(0.2) + np.float32(56))

    def rule(block: Block, skin: Floats, muscle: Floats, inner: Floats) -> None:
        np.copyto(block, np.uint8(Tissue.FAT), where=skin < 0)
        np.copyto(block, np.uint8(Tissue.SKIN), where=np.abs(skin + 1) < 1)
        np.copyto(block, np.uint8(Tissue.MUSCLE), where=(muscle < 0) & (inner > 0))

    canvas.fields(at, [skin, muscle, inner], (Tissue.FAT, Tissue.SKIN, Tissue.MUSCLE), rule)


def _by_level(at: Lattice, values: tuple[float, ...]) -> Floats:
    table = np.interp(np.arange(LEVELS[0], LEVELS[-1] + 1), LEVELS, values).astype(np.float32)
    return np.asarray(table[np.clip(at.z - LEVELS[0], 0, len(table) - 1).astype(np.intp)])


def _paint_spine(canvas: Canvas) -> None:
    frame = canvas.frame
    at = frame.window(*frame.index_box(np.array([-48.0, -112, -140]), np.array([48.0, -14, 220])), 2.0)
    if at is None:
        return
    level = np.abs((at.z - 17) / np.float32(35.5) - np.round((at.z - 17) / np.float32(35.5))) * np.float32(
        35.5
    )
    waist = np.float32(22.5) - np.float32(2.0) * np.cos(level * np.float32(np.pi / 17.75))
    body = rounded_oblong(at.x, at.y + 41, waist, waist * np.float32(0.75))
    canal = np.sqrt((at.x / np.float32(1.25)) ** 2 + (at.y + 68) ** 2) - np.float32(8)
    arch = np.maximum(canal - 6, level - 13)
    spinous = np.maximum(np.maximum(np.abs(at.x) - 3.5, np.abs(at.y + 86) - 17), level - 11)
    transverse = np.maximum(np.maximum(np.abs(at.y + 66) - 4.5, np.abs(at.x) - 42), level - 6)
    arch = np.minimum(np.minimum(arch, spinous), transverse)
    below = np.float32(-143) - at.z

    def rule(block: Block, body: Floats, arch: Floats, canal: Floats, level: Floats) -> None:
        bone = np.minimum(body, arch) < 0
        shell = (np.minimum(body, arch) > -1.8) | ((level > 12) & (level < 13.5))
        np.copyto(block, np.uint8(Tissue.MARROW), where=bone)
        np.copyto(block, np.uint8(Tissue.CORTICAL_BONE), where=bone & shell)
        np.copyto(block, np.uint8(Tissue.DISC), where=(body < 0) & (level > 13.5))
        np.copyto(block, np.uint8(Tissue.SPINAL_CANAL), where=canal < 0)

    codes = (Tissue.MARROW, Tissue.CORTICAL_BONE, Tissue.DISC, Tissue.SPINAL_CANAL)
    fields = [np.maximum(body, below), np.maximum(arch, below), np.maximum(canal, below), level]
    canvas.fields(at, [np.asarray(field, dtype=np.float32) for field in fields], codes, rule)


def _paint_ribs(canvas: Canvas) -> None:
    for side in (1, -1):
        for number, top in enumerate((172, 144, 116, 88, 60, 34, 10)):
            reach = (170.0, 170, 165, 155, 140, 100, 65)[number]
            angles = np.deg2rad(np.linspace(-72, -72 + reach, 9))
            drop = 62 * (np.linspace(0, reach, 9) / 170)
            points = [
                (side * 141 * np.cos(a) ** 0.9 if np.cos(a) > 0 else 0.0, 2 + 100 * np.sin(a), top - d)
                for a, d in zip(angles, drop, strict=True)
            ]
            _paint_bone(canvas, curve(points, [5.0] * 9, 26.0), 1.6)


def _paint_bone(canvas: Canvas, solid: Solid, shell_mm: float) -> None:
    canvas.layer(solid, BONE, shell_rule(*BONE, shell_mm))


def _paint_pelvis(canvas: Canvas) -> None:
    """Sacrum, iliac wings, sockets and rami."""
    _paint_bone(
        canvas, curve([(0, -58, -150), (0, -80, -180), (0, -92, -215), (0, -82, -250)], [30, 24, 15, 6]), 2.5
    )
    for side in (1, -1):
        _paint_bone(canvas, curve([(12 * side, -68, -160), (58 * side, -60, -158)], [22, 17]), 2.0)
        _paint_bone(canvas, _wing(side), 1.8)
        _paint_bone(canvas, ellipsoid((92 * side, -10, -246), (34, 33, 36)), 2.5)
        pubis = curve([(84 * side, 0, -236), (55 * side, 30, -250), (8 * side, 46, -262)], [14, 8, 8])
        ischium = curve(
            [(88 * side, -24, -262), (66 * side, -34, -296), (38 * side, 8, -300), (8 * side, 44, -270)],
            [15, 14, 8, 7],
        )
        _paint_bone(canvas, pubis, 2.0)
        _paint_bone(canvas, ischium, 2.0)
        gap = ellipsoid((92 * side, -8, -248), (27, 27, 27))
        canvas.paint(gap, Tissue.MUSCLE)


def _wing(side: int) -> Shape:
    """The iliac bone: a thin bowl that opens to the front and the middle."""
    bowl = ellipsoid((52 * side, -6, -172), (64, 66, 112))

    def function(x: Floats, y: Floats, z: Floats) -> Floats:
        low = np.clip((-150 - z) / 70, 0, 1)
        plate = np.abs(bowl.function(x, y, z)) - (np.float32(4.5) + 6 * low)
        crest = z + 92 + np.float32(0.012) * (y + 10) ** 2
        front = y - 36 - np.float32(0.22) * (z + 100)
        middle = np.float32(58) - side * x - np.float32(0.55) * (y + 20)
        return np.asarray(np.maximum.reduce([plate, crest, front, middle, -244 - z]), dtype=np.float32)

    return Shape(
        np.array([min(30 * side, 128 * side), -84.0, -250]),
        np.array([max(30 * side, 128 * side), 72.0, -88]),
        function,
    )


def _paint_chest(canvas: Canvas) -> None:
    at = canvas.frame.window(
        *canvas.frame.index_box(np.array([-150.0, -110, 35]), np.array([150.0, 110, 230])), 3.0
    )
    if at is None:
        return
    cavity = rounded_oblong(at.x, at.y - 10, np.float32(133), np.float32(82))
    right = ellipsoid((70, 6, 34), (79, 83, 92)).function(at.x, at.y, at.z)
    left = ellipsoid((-68, 2, 30), (80, 82, 84)).function(at.x, at.y, at.z)
    middle = np.abs(at.x + 4) - np.float32(26) + np.maximum(at.y + 20, 0) * np.float32(-0.25)
    heart = ellipsoid((-28, 38, 152), (62, 52, 50), (0, 25, 0)).function(at.x, at.y, at.z)
    spine = rounded_oblong(at.x, at.y + 44, np.float32(30), np.float32(32))
    floor = np.float32(48) + np.maximum(at.y, 0) * np.float32(0.9) - at.z
    lung = np.maximum.reduce(np.stack([cavity + 2, -right, -left, -middle, -heart, -spine, floor]))
    chest = np.maximum(heart, np.maximum(-right, -left))

    def rule(block: Block, lung: Floats, heart: Floats, x: Floats) -> None:
        np.copyto(block, np.uint8(Tissue.LUNG_RIGHT), where=(lung < 0) & (x > 0))
        np.copyto(block, np.uint8(Tissue.LUNG_LEFT), where=(lung < 0) & (x <= 0))
        np.copyto(block, np.uint8(Tissue.HEART), where=heart < 0)

    codes = (Tissue.LUNG_RIGHT, Tissue.LUNG_LEFT, Tissue.HEART)
    canvas.fields(at, [lung.astype(np.float32), chest.astype(np.float32), at.x], codes, rule)
