"""The vessels of the upper abdomen as tubes.

Calibres: aorta 15 to 25 mm at the level of the kidneys (Rogers et al., JACC Imaging 2013: men 19, women 17),
superior mesenteric artery 6 to 8, celiac artery 6 to 9, portal vein 10 to 14, splenic vein 7 to 10 mm.
"""

from dataclasses import dataclass

import numpy as np

from wirsung.phantom.canvas import Canvas
from wirsung.phantom.patient import Patient
from wirsung.phantom.shapes import Tube, curve
from wirsung.phantom.tissues import Tissue

CONFLUENCE = (14.0, 31.0, 8.0)
"""Where splenic and superior mesenteric vein join, behind the neck of the pancreas."""


@dataclass(frozen=True, eq=False)
class Vessels:
    """Tubes by structure; `branches` are arteries and veins that PanTS doesn't name."""

    named: dict[str, tuple[Tube, ...]]
    arteries: tuple[Tube, ...]
    veins: tuple[Tube, ...]

    @property
    def superior_mesenteric_vein_left_mm(self) -> float:
        """The left border of the vein behind the neck, x in the standard anatomy."""
        return CONFLUENCE[0] - float(self.named["veins"][0].radii[-1])

    @property
    def aorta_left_mm(self) -> float:
        """The left edge of the aorta at the pancreas, x in the standard anatomy."""
        aorta = self.named["aorta"][0]
        nearest = int(np.argmin(np.abs(aorta.points[:, 2] - 15)))
        return float(aorta.points[nearest, 0] - aorta.radii[nearest])


def vessels(patient: Patient) -> Vessels:
    """The vessels of one patient."""
    rng = patient.variation("vessels")
    wide = 9.3 + 0.03 * (patient.age_years - 60) + float(rng.uniform(-0.7, 0.9))
    calibre = float(rng.uniform(0.92, 1.1))
    aorta = curve(
        [(-8, -14, 190), (-12, -16, 110), (-11, -10, 50), (-10, -8, 15), (-8, -7, -30), (-3, -7, -95)],
        [wide * 1.25, wide * 1.2, wide * 1.1, wide, wide * 0.95, wide * 0.85],
    )
    postcava = curve(
        [(14, -9, -100), (22, -8, -60), (25, -8, 0), (26, -5, 45), (27, 2, 85), (24, 10, 128), (20, 18, 150)],
        [9.5, 10, 11, 12, 12.5, 12.5, 12],
    )
    celiac = curve([(-10, -2, 38), (-9, 10, 39.5), (-8, 20, 38)], [4.4, 3.9 * calibre, 3.6 * calibre], 3.0)
    mesenteric = curve(
        [(-9, -1, 21), (-8, 9, 16), (-6.5, 16, 5), (-5, 21, -12), (-3, 25, -38), (0, 29, -66), (6, 32, -92)],
        [4.4, 3.8 * calibre, 3.7 * calibre, 3.6 * calibre, 3.4 * calibre, 3.0 * calibre, 2.4],
        4.0,
    )
    named = {
        "aorta": (aorta,),
        "postcava": (postcava,),
        "celiac_artery": (celiac,),
        "superior_mesenteric_artery": (mesenteric,),
        "veins": _portal_system(calibre),
    }
    return Vessels(named, _arteries(calibre), _veins(calibre))


def _portal_system(calibre: float) -> tuple[Tube, ...]:
    superior_mesenteric = curve(
        [(20, 36, -88), (17, 34, -50), (15, 32, -20), CONFLUENCE],
        [4.2 * calibre, 5.0 * calibre, 5.6 * calibre, 6.2 * calibre],
        4.0,
    )
    splenic = curve(
        [(-104, -36, 40), (-84, -22, 36), (-56, 3, 29), (-32, 19.5, 20), (-8, 27, 12), CONFLUENCE],
        [3.6, 3.9 * calibre, 4.2 * calibre, 4.5 * calibre, 4.7 * calibre, 5.0 * calibre],
        5.0,
    )
    portal = curve(
        [CONFLUENCE, (22, 27, 26), (36, 21, 45), (50, 17, 60)],
        [6.4 * calibre, 6.3 * calibre, 6.2 * calibre, 6.0 * calibre],
        5.0,
    )
    return superior_mesenteric, splenic, portal


def _arteries(calibre: float) -> tuple[Tube, ...]:
    """Common hepatic, splenic, left gastric, renal and iliac arteries."""
    splenic = curve(
        [(-8, 20, 38), (-24, 22, 34), (-40, 13, 42), (-58, 0, 38), (-76, -14, 45), (-100, -34, 48)],
        [3.0, 2.9 * calibre, 2.8, 2.7, 2.6, 2.2],
        4.0,
    )
    return (
        splenic,
        curve(
            [(-8, 20, 38), (8, 26, 37), (22, 34, 38), (34, 32, 50), (44, 26, 62)],
            [2.8, 2.7, 2.5, 2.2, 2.0],
            4.0,
        ),
        curve([(-8, 20, 38), (-14, 26, 56), (-16, 34, 72)], [2.0, 1.7, 1.4], 4.0),
        curve([(-3, -6, -2), (18, -21, -6), (46, -42, -18)], [3.0, 2.7, 2.4]),
        curve([(-17, -9, 2), (-32, -26, 0), (-46, -38, -6)], [3.0, 2.7, 2.4]),
        curve(
            [(-3, -7, -93), (18, -12, -130), (38, -35, -165), (62, 10, -215), (80, 38, -262), (88, 32, -330)],
            [6.5, 5.5, 5.0, 4.8, 4.5, 4.2],
            14.0,
        ),
        curve(
            [
                (-3, -7, -93),
                (-20, -12, -130),
                (-40, -35, -165),
                (-62, 10, -215),
                (-80, 38, -262),
                (-88, 32, -330),
            ],
            [6.5, 5.5, 5.0, 4.8, 4.5, 4.2],
            14.0,
        ),
    )


def _veins(calibre: float) -> tuple[Tube, ...]:
    """Renal and iliac veins; the left renal vein passes between aorta and superior mesenteric artery."""
    return (
        curve([(-48, -30, -10), (-30, -6, -6), (-8, 8, -7), (14, 2, -5)], [4.2, 4.2, 3.2, 4.5]),
        curve([(28, -10, -12), (38, -26, -16), (48, -38, -22)], [4.2, 4.0, 3.6]),
        curve(
            [(14, -9, -98), (28, -22, -130), (46, -42, -165), (58, 2, -215), (72, 32, -262), (78, 26, -330)],
            [7.5, 6.5, 6.0, 5.5, 5.2, 5.0],
            14.0,
        ),
        curve(
            [
                (14, -9, -98),
                (-12, -20, -130),
                (-46, -42, -165),
                (-58, 2, -215),
                (-72, 32, -262),
                (-78, 26, -330),
            ],
            [7.5, 6.5, 6.0, 5.5, 5.2, 5.0],
            14.0,
        ),
    )


def paint_vessels(canvas: Canvas, tubes: Vessels) -> None:
    """Unnamed branches first, then the named ones over their origins."""
    for tube in tubes.veins:
        canvas.paint(tube, Tissue.VEIN, step_mm=1.5)
    for tube in tubes.arteries:
        canvas.paint(tube, Tissue.ARTERY, step_mm=1.0)
    for name, several in tubes.named.items():
        large = name in ("aorta", "postcava")
        for tube in several:
            canvas.paint(tube, Tissue[name.upper()], step_mm=2.0 if large else 0.0)
