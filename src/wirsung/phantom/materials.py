"""What each tissue looks like, as data and how to draw from it: CT numbers by phase, MR signals, texture.

Tissues of the same material look the same in one patient, as both kidneys or all arteries do.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wirsung.phantom.settings import Phase
from wirsung.phantom.tissues import LESION, Tissue

Attenuation = Literal["hypo", "iso", "hyper"]

PHASES: tuple[Phase, ...] = ("non-contrast", "arterial", "venous", "delayed")
"""The order of the CT numbers below."""


@dataclass(frozen=True)
class Material:
    """How one material looks.

    Source:
        CT numbers: the round figures that radiology teaches for 120 kVp without contrast, and at about 35 s
        (late arterial, pancreatic), 70 s (portal venous) and 180 s (delayed) after it; not a measurement.
        MR: brightness on a fat-suppressed T1 spoiled gradient echo and a T2 single-shot fast spin echo,
        ordered after the relaxation times of C. M. J. de Bazelaire et al., Radiology 2004;230:652.
    """

    hu: tuple[float, float, float, float]
    """Mean CT number in each of PHASES."""
    t1: float
    """Signal on T1, where the pancreas has 400."""
    t2: float
    """Signal on T2, where water has 1000."""
    texture_hu: float
    """Standard deviation of the smooth variation inside an organ."""
    jitter_hu: float
    """Standard deviation between patients."""
    tissues: tuple[Tissue, ...]
    """The tissues that are made of it."""


_T = Tissue
MATERIALS: dict[str, Material] = {
    "air": Material((-1000,) * 4, 0, 0, 0, 0, (_T.AIR,)),
    "skin": Material((40, 45, 55, 55), 160, 180, 5, 4, (_T.SKIN,)),
    "fat": Material((-100,) * 4, 90, 560, 6, 4, (_T.FAT,)),
    "muscle": Material((52, 57, 64, 62), 230, 130, 7, 4, (_T.MUSCLE,)),
    "cortical bone": Material(
        (700,) * 4, 25, 25, 60, 50, (_T.CORTICAL_BONE, _T.FEMUR_LEFT_CORTEX, _T.FEMUR_RIGHT_CORTEX)
    ),
    "marrow": Material(
        (200,) * 4, 120, 260, 35, 30, (_T.MARROW, _T.FEMUR_LEFT_MARROW, _T.FEMUR_RIGHT_MARROW)
    ),
    "disc": Material((80, 80, 85, 85), 130, 350, 8, 6, (_T.DISC,)),
    "spinal canal": Material((25, 25, 28, 28), 90, 820, 4, 3, (_T.SPINAL_CANAL,)),
    "heart": Material((42, 220, 150, 112), 170, 150, 12, 8, (_T.HEART,)),
    "arteries": Material(
        (40, 300, 150, 110),
        140,
        60,
        4,
        6,
        (_T.ARTERY, _T.AORTA, _T.CELIAC_ARTERY, _T.SUPERIOR_MESENTERIC_ARTERY),
    ),
    "veins": Material((40, 70, 160, 115), 150, 80, 4, 6, (_T.VEIN, _T.VEINS)),
    "vena cava": Material((40, 65, 135, 112), 150, 80, 6, 6, (_T.POSTCAVA,)),
    "liver vessels": Material((40, 68, 155, 112), 150, 100, 4, 6, (_T.LIVER_VESSEL,)),
    "bowel wall": Material(
        (40, 85, 95, 75),
        260,
        200,
        6,
        5,
        (_T.BOWEL_WALL, _T.COLON_WALL, _T.DUODENUM_WALL, _T.STOMACH_WALL),
    ),
    "bowel content": Material(
        (20,) * 4, 150, 700, 12, 8, (_T.BOWEL_CONTENT, _T.DUODENUM_CONTENT, _T.STOMACH_CONTENT)
    ),
    "stool": Material((30,) * 4, 240, 330, 40, 15, (_T.COLON_CONTENT,)),
    "gas": Material((-960,) * 4, 8, 8, 5, 10, (_T.BOWEL_GAS, _T.COLON_GAS, _T.STOMACH_GAS)),
    "adrenal glands": Material(
        (28, 70, 65, 45), 260, 230, 4, 5, (_T.ADRENAL_GLAND_LEFT, _T.ADRENAL_GLAND_RIGHT)
    ),
    "bladder wall": Material((35, 50, 60, 60), 220, 200, 4, 4, (_T.BLADDER_WALL,)),
    "urine": Material((5, 5, 5, 8), 70, 1000, 1, 3, (_T.BLADDER_URINE,)),
    "bile": Material((10,) * 4, 80, 930, 2, 4, (_T.COMMON_BILE_DUCT, _T.GALL_BLADDER)),
    "pancreatic juice": Material((10,) * 4, 70, 950, 1, 3, (_T.DUCT_HEAD, _T.DUCT_BODY, _T.DUCT_TAIL)),
    "renal cortex": Material(
        (35, 180, 195, 150), 310, 420, 8, 8, (_T.KIDNEY_LEFT_CORTEX, _T.KIDNEY_RIGHT_CORTEX)
    ),
    "renal medulla": Material(
        (33, 85, 180, 152), 220, 540, 8, 8, (_T.KIDNEY_LEFT_MEDULLA, _T.KIDNEY_RIGHT_MEDULLA)
    ),
    "liver": Material((55, 65, 110, 95), 350, 220, 5, 6, (_T.LIVER,)),
    "lung": Material((-850,) * 4, 20, 30, 25, 15, (_T.LUNG_LEFT, _T.LUNG_RIGHT)),
    "pancreas": Material(
        (40, 100, 90, 70), 400, 330, 9, 5, (_T.PANCREAS_HEAD, _T.PANCREAS_BODY, _T.PANCREAS_TAIL)
    ),
    "prostate": Material((40, 55, 75, 75), 220, 420, 6, 4, (_T.PROSTATE,)),
    "spleen": Material((50, 120, 125, 105), 220, 430, 5, 5, (_T.SPLEEN,)),
}
"""All but the lesion, which is told by its difference from the pancreas."""

LESION_HU: dict[Attenuation, tuple[float, float, float, float]] = {
    "hypo": (-6, -45, -35, -15),
    "iso": (0, 0, 0, 0),
    "hyper": (4, 55, 35, 15),
}
"""Difference from the patient's pancreas in each of PHASES: as most adenocarcinomas,
as the few that no phase shows, and as endocrine tumours."""

LESION_MR: dict[Attenuation, tuple[float, float]] = {
    "hypo": (0.6, 1.35),
    "iso": (0.95, 1.1),
    "hyper": (0.75, 1.8),
}
"""Signal on T1 and T2 as a multiple of the patient's pancreas."""

_LESION_TEXTURE_HU = 7.0
# Cardiac output and body size: the same enhancement is up to a fifth lower or higher, in all organs alike.
_ENHANCEMENT = (0.85, 1.15)
_SIGNAL_JITTER = 0.06

Signals = dict[str, float]
"""Mean by material, with `lesion` where there is one: HU, or MR signal before bias and noise."""


def draw_hu(phase: Phase, attenuation: Attenuation | None, rng: np.random.Generator) -> Signals:
    """One patient's CT numbers in that phase, by material."""
    column = PHASES.index(phase)
    strength = rng.uniform(*_ENHANCEMENT)
    found = {
        name: item.hu[0] + strength * (item.hu[column] - item.hu[0]) + item.jitter_hu * _bounded(rng)
        for name, item in MATERIALS.items()
    }
    if attenuation:
        found["lesion"] = found["pancreas"] + strength * LESION_HU[attenuation][column]
    return {name: round(float(value), 2) for name, value in found.items()}


def draw_signals(
    weighting: Literal["t1", "t2"], attenuation: Attenuation | None, rng: np.random.Generator
) -> Signals:
    """One patient's MR signals, by material."""
    found = {
        name: (item.t1 if weighting == "t1" else item.t2) * (1 + _SIGNAL_JITTER * _bounded(rng))
        for name, item in MATERIALS.items()
    }
    if attenuation:
        found["lesion"] = found["pancreas"] * LESION_MR[attenuation][weighting == "t2"]
    return {name: round(float(value), 2) for name, value in found.items()}


def table_of(signals: Signals) -> NDArray[np.float32]:
    """The signal of each tissue code, 256 of them; codes that no material has are NaN."""
    table = np.full(256, np.nan, dtype=np.float32)
    for name, item in MATERIALS.items():
        table[list(item.tissues)] = signals[name]
    if "lesion" in signals:
        table[list(LESION)] = signals["lesion"]
    return table


def textures() -> NDArray[np.float32]:
    """The texture of each tissue code in HU, 256 of them."""
    table = np.zeros(256, dtype=np.float32)
    for item in MATERIALS.values():
        table[list(item.tissues)] = item.texture_hu
    table[list(LESION)] = _LESION_TEXTURE_HU
    return table


def _bounded(rng: np.random.Generator) -> float:
    """Normal, but no patient lies more than two standard deviations off."""
    return float(np.clip(rng.standard_normal(), -2, 2))
