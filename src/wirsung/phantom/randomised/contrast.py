"""Contrast: how bright and how even each tissue is, as on CT, as on MR, or as on nothing that exists.

Brightness is in units in which the soft-tissue window of a CT runs from 0 to 1000.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wirsung.phantom.appearance import TABLE_CODES, TABLE_HU
from wirsung.phantom.materials import (
    MATERIALS,
    PHASES,
    Attenuation,
    Signals,
    draw_hu,
    draw_signals,
    table_of,
    textures,
)

Style = Literal["ct", "mr", "random"]
STYLES: dict[Style, float] = {"ct": 0.35, "mr": 0.25, "random": 0.4}
"""How often a look is a known one made uncertain, or tells nothing of the tissue."""
WINDOW_HU = (-160.0, 240.0)
"""What a CT shows between its darkest and its brightest."""
FULL = 1000.0
"""The brightest that a CT shows."""
_WINDOW_LOW_HU, _WINDOW_HIGH_HU = (-220.0, -110.0), (150.0, 330.0)
_UNCERTAIN_HU = 14.0
_UNCERTAIN_SIGNAL = 0.35
_TEXTURE_OF_SIGNAL = 0.006
_SPREAD = (0.0, 45.0)
_DARKEST_AIR = (0.0, 40.0)
_HOLLOW = ("air", "gas", "lung")


@dataclass(frozen=True, eq=False)
class Look:
    """Brightness and texture by tissue code."""

    means: NDArray[np.float32]
    """256 of them; NaN where no tissue has the code."""
    spread: NDArray[np.float32]
    """Standard deviation of the smooth texture, 256 of them."""
    windowed: bool
    """Whether the image ends at 0 and FULL, as a CT in a window; else it is a magnitude."""
    material: Mapping[str, float]
    """Mean by material, as the truth tells it."""


def window(hu: NDArray[np.floating], low_hu: float, high_hu: float) -> NDArray[np.float32]:
    """CT numbers in units of the window: 0 at its lower end and FULL at its upper one, not cut off.

    Example:
        >>> window(np.array([-160.0, 40.0, 240.0, 640.0]), -160.0, 240.0).tolist()
        [0.0, 500.0, 1000.0, 2000.0]
    """
    return np.asarray((hu - low_hu) * (FULL / (high_hu - low_hu)), dtype=np.float32)


def plain_look(signals: Signals, modality: Literal["ct", "t1", "t2"]) -> Look:
    """The look that the ordinary phantom has: CT in WINDOW_HU, MR as it is."""
    if modality == "ct":
        return _ct_look(signals, *WINDOW_HU)
    means = table_of(signals)
    means[list(TABLE_CODES)] = 0  # nothing of it is seen on MR
    return Look(means, textures() * _TEXTURE_OF_SIGNAL * means, False, signals)


def draw_look(attenuation: Attenuation | None, rng: np.random.Generator) -> tuple[Style, Look]:
    """A new look of every tissue.

    Materials that are one on any scan, as both kidneys, stay one; all else is drawn anew. Air outside the
    body is always dark, as on every scan.

    Args:
        attenuation: Of the tumour, if there is one.
        rng: Draws the style and all within it.
    """
    style: Style = tuple(STYLES)[int(rng.choice(len(STYLES), p=list(STYLES.values())))]
    if style == "ct":
        look = _random_ct(attenuation, rng)
    else:
        signals = _random_mr(attenuation, rng) if style == "mr" else _any(attenuation is not None, rng)
        means = table_of(signals)
        means[list(TABLE_CODES)] = float(rng.uniform(0, 60))
        look = Look(means, np.zeros(256, dtype=np.float32), False, signals)
    spread = rng.uniform(*_SPREAD, 256).astype(np.float32)
    spread[0] = 0  # air outside
    return style, Look(look.means, spread, look.windowed, look.material)


def _ct_look(signals: Signals, low_hu: float, high_hu: float) -> Look:
    means = table_of(signals)
    means[list(TABLE_CODES)] = TABLE_HU
    scale = FULL / (high_hu - low_hu)
    return Look(window(means, low_hu, high_hu), textures() * np.float32(scale), True, signals)


def _random_ct(attenuation: Attenuation | None, rng: np.random.Generator) -> Look:
    phase = PHASES[int(rng.integers(len(PHASES)))]
    signals = draw_hu(phase, attenuation, rng)
    signals = {name: value + _UNCERTAIN_HU * float(rng.normal()) for name, value in signals.items()}
    return _ct_look(signals, float(rng.uniform(*_WINDOW_LOW_HU)), float(rng.uniform(*_WINDOW_HIGH_HU)))


def _random_mr(attenuation: Attenuation | None, rng: np.random.Generator) -> Signals:
    """Either weighting, each signal uncertain; fat is suppressed or not."""
    signals = draw_signals("t1" if rng.random() < 0.5 else "t2", attenuation, rng)
    scale = float(rng.uniform(0.8, 2.0))
    signals = {
        name: scale * value * float(np.exp(_UNCERTAIN_SIGNAL * rng.normal()))
        for name, value in signals.items()
    }
    signals["fat"] = float(rng.uniform(20, FULL))
    return signals


def _any(tumour: bool, rng: np.random.Generator) -> Signals:
    signals = {name: float(rng.uniform(0, FULL)) for name in MATERIALS}
    hollow_dark = rng.random() < 0.8
    for name in _HOLLOW:
        dark = float(rng.uniform(*_DARKEST_AIR))
        if name == "air" or hollow_dark:
            signals[name] = dark
    if tumour:
        signals["lesion"] = float(rng.uniform(0, FULL))
    return signals
