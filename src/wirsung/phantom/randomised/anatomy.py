"""Deformation: adults more different than any cohort has them, without a fold or a tear."""

from dataclasses import replace

import numpy as np

from wirsung.phantom.patient import Patient

SCALES = (0.85, 1.15)
"""Of the whole body along x, y and z, beside the patient's own size."""
FAT_MM = (4.0, 45.0)
"""Under the skin."""
ROTATION_DEG = 8.0
"""At most, about each axis."""
SHIFT_MM = (15.0, 12.0, 15.0)
"""At most, along each axis."""
DEFORMATION_MM = (3.0, 7.0)
"""Amplitude of waves of 130 to 260 mm."""
BEND_MM = (4.0, 18.0)
"""Amplitude of waves of 300 to 600 mm."""
ORGAN_VARIETY = 4.0
"""How many times as wide the ranges of sizes and places of each organ are."""


def varied(patient: Patient, rng: np.random.Generator) -> Patient:
    """The patient with another build, pose, smooth deformation and organs; sex, age and tumour stay.

    The anatomy stays whole: the deformation is applied to the place where the shapes are asked for, and is
    one to one, so that no organ is torn and neighbours stay neighbours.
    """
    x, y, z = (float(value) for value in np.array(patient.size) * rng.uniform(*SCALES, 3))
    return replace(
        patient,
        size=(x, y, z),
        subcutaneous_fat_mm=float(rng.uniform(*FAT_MM)),
        rotation_deg=_triple(rng.uniform(-ROTATION_DEG, ROTATION_DEG, 3)),
        shift_mm=_triple(rng.uniform(-1, 1, 3) * SHIFT_MM),
        deformation_mm=float(rng.uniform(*DEFORMATION_MM)),
        bend_mm=float(rng.uniform(*BEND_MM)),
        organ_variety=ORGAN_VARIETY,
    )


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
