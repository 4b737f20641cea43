"""The hollow organs: stomach, duodenum, small bowel, colon and bladder, with wall, content and gas.

The patient lies on the back, so gas rises to the front and the content has a level.
"""

import numpy as np
from numpy.typing import NDArray

from wirsung.phantom.canvas import Canvas, Solid
from wirsung.phantom.frame import Floats
from wirsung.phantom.patient import Patient
from wirsung.phantom.shapes import Shape, Tube, curve, ellipsoid, smooth_maximum
from wirsung.phantom.tissues import TRUNK, Tissue

STOMACH = (
    ((-60, 2, 90), 27), ((-67, 14, 73), 32), ((-70, 42, 48), 30), ((-60, 60, 25), 25),
    ((-31, 72, 5), 19.5), ((6, 74, 0), 17), ((32, 66, 10), 13), ((44, 60, 18), 8),
)  # fmt: skip
DUODENUM = (
    ((44, 60, 18), 8), ((56, 52, 23), 13), ((63, 37, 10), 13), ((63.5, 26, -15), 13),
    ((61.5, 18, -45), 13), ((51, 13, -68), 12.5), ((25, 12, -75), 11), ((0, 12, -72), 9.5),
    ((-21, 15, -62), 11), ((-31, 22, -38), 11),
)  # fmt: skip
COLON = (
    ((74, 20, -152), 28), ((80, 10, -124), 27), ((98, -6, -88), 24.5), ((110, -12, -66), 24),
    ((98, 26, -62), 22), ((60, 62, -56), 22), ((8, 69, -66), 20), ((-45, 66, -44), 21),
    ((-90, 44, -10), 21), ((-107, 20, 0), 19), ((-113, -8, -18), 17), ((-109, -25, -52), 16),
    ((-90, -15, -96), 14.5), ((-78, 6, -148), 15), ((-56, 14, -178), 16), ((-28, -14, -178), 16),
    ((0, -42, -192), 17), ((2, -60, -222), 20), ((2, -56, -262), 16),
)  # fmt: skip


def paint_stomach(canvas: Canvas, patient: Patient) -> None:
    """Fundus under the left dome, antrum across the midline."""
    full = float(patient.variation("stomach").uniform(0.82, 1.08))
    tube = _tube(STOMACH, full, 10.0)
    codes = (Tissue.STOMACH_WALL, Tissue.STOMACH_CONTENT, Tissue.STOMACH_GAS)
    _paint(canvas, tube, codes, wall_mm=4.0, level_mm=float(patient.variation("stomach").uniform(45, 72)))


def paint_duodenum(canvas: Canvas, patient: Patient) -> None:
    """The C around the head of the pancreas, to the ligament of Treitz."""
    wide = float(patient.variation("duodenum").uniform(0.88, 1.04))
    codes = (Tissue.DUODENUM_WALL, Tissue.DUODENUM_CONTENT, Tissue.DUODENUM_CONTENT)
    _paint(canvas, _tube(DUODENUM, wide, 9.0), codes, wall_mm=2.5, level_mm=1e3, step_mm=1.5)


def paint_colon(canvas: Canvas, patient: Patient) -> None:
    """The frame from caecum to rectum, with haustra."""
    rng = patient.variation("colon")
    tube = _tube(COLON, float(rng.uniform(0.85, 1.05)), 12.0)
    along = np.arange(len(tube.radii)) * 12.0
    haustra = 1 + 0.09 * np.sin(along * (2 * np.pi / 40) + rng.uniform(0, 6))
    codes = (Tissue.COLON_WALL, Tissue.COLON_CONTENT, Tissue.COLON_GAS)
    _paint(
        canvas,
        Tube(tube.points, tube.radii * haustra),
        codes,
        wall_mm=2.5,
        level_mm=float(rng.uniform(35, 65)),
    )


def paint_bladder(canvas: Canvas, patient: Patient) -> None:
    """More or less full."""
    full = float(patient.variation("bladder").uniform(0.75, 1.1))
    shape = ellipsoid((0, 20, -242 + 8 * full), (40 * full, 32 * full, 30 * full))
    codes = (Tissue.BLADDER_WALL, Tissue.BLADDER_URINE, Tissue.BLADDER_URINE)
    _paint(canvas, shape, codes, wall_mm=3.5, level_mm=1e3)


def paint_bowel(canvas: Canvas, patient: Patient) -> None:
    """Loops of small bowel that fill the lower abdomen."""
    phases = patient.variation("bowel").uniform(0, 2 * np.pi, 4).astype(np.float32)
    room = ellipsoid((-4, 36, -124), (98, 46, 84), power=2.6)

    def function(x: Floats, y: Floats, z: Floats) -> Floats:
        turn = np.float32(0.8) * np.sin(x / 62 + phases[0]) + np.float32(0.7) * np.sin(
            y / 50 + z / 75 + phases[1]
        )
        across = z * np.cos(turn) + x * np.sin(turn) + np.float32(9) * np.sin(x / 19 + y / 33 + phases[2])
        deep = (
            y
            + np.float32(10) * np.sin(x / 24 + z / 41 + phases[3])
            + np.float32(6) * np.sin(z / 17 + phases[0])
        )
        u = across / 27 - np.round(across / 27)
        v = (
            deep / 27
            - np.round(deep / 27 + np.float32(0.5) * np.sin(z / 55))
            + np.float32(0.5) * np.sin(z / 55)
        )
        loops = (np.sqrt(u * u + v * v) * 27 - np.float32(12.4)) * np.float32(0.7)
        return smooth_maximum(loops.astype(np.float32), room.function(x, y, z), 6)

    codes = (Tissue.BOWEL_WALL, Tissue.BOWEL_CONTENT, Tissue.BOWEL_GAS)
    _paint(canvas, Shape(room.lower, room.upper, function), codes, wall_mm=2.0, level_mm=66.0)


def _tube(course: tuple[tuple[tuple[float, float, float], float], ...], wide: float, step_mm: float) -> Tube:
    return curve([place for place, _ in course], [radius * wide for _, radius in course], step_mm)


def _paint(
    canvas: Canvas,
    solid: Solid,
    codes: tuple[Tissue, Tissue, Tissue],
    *,
    wall_mm: float,
    level_mm: float,
    step_mm: float = 3.0,
) -> None:
    """Wall, content, and gas above the level; the wall of the trunk is spared."""
    wall, content, gas = codes
    spared = np.zeros(256, dtype=bool)
    spared[list(TRUNK)] = True

    def rule(block: NDArray[np.uint8], distance: Floats, height: Floats) -> None:
        free = ~spared[block]
        np.copyto(block, np.uint8(wall), where=(distance < 0) & free)
        inside = (distance < -wall_mm) & free
        np.copyto(block, np.uint8(content), where=inside)
        np.copyto(block, np.uint8(gas), where=inside & (height > level_mm))

    canvas.layer(solid, codes, rule, step_mm=step_mm, level=True)
