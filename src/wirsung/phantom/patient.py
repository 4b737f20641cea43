"""Who is scanned: sex, age, build, pose and the tumour, drawn from a seed."""

from dataclasses import dataclass
from typing import Any, Literal
from zlib import crc32

import numpy as np

from wirsung.phantom.tumour import Tumour, TumourPlan

Sex = Literal["F", "M"]
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Patient:
    """A patient of the phantom; two equal patients have the same anatomy on every grid."""

    sex: Sex
    age_years: int
    size: Triple
    """Scale of the skeleton and organs along x, y and z, about 0.88 to 1.07."""
    subcutaneous_fat_mm: float
    """Thickness of the fat under the skin at the flank, 8 to 40."""
    rotation_deg: Triple
    """Pose on the table, about x, y and z, within a few degrees."""
    shift_mm: Triple
    """Pose on the table, in RAS+."""
    deformation_mm: float
    """Amplitude of the smooth deformation that makes the anatomy the patient's own."""
    seed: int
    """Of the deformation and the organs' own variations."""
    tumour: Tumour | None = None
    organ_variety: float = 1.0
    """How many times as wide as in most adults the organs' own variations are, at least 1."""
    bend_mm: float = 0.0
    """Amplitude of further waves, 300 to 600 mm long, that move whole organs against each other."""

    def variation(self, organ: str) -> np.random.Generator:
        """Chance that belongs to one organ, whatever else is drawn; its ranges are wider with organ_variety.

        Example:
            >>> patient = draw_patient(np.random.default_rng(1))
            >>> float(patient.variation("liver").random()) == float(patient.variation("liver").random())
            True
        """
        if self.organ_variety == 1:
            return self.chance(organ)
        return _Wide(self.chance(organ).bit_generator, self.organ_variety)

    def chance(self, name: str) -> np.random.Generator:
        """As `variation`, with the ranges as they are asked for."""
        return np.random.default_rng([self.seed, crc32(name.encode())])


class _Wide(np.random.Generator):
    """A generator whose uniform ranges are wider than asked for, about the same middle."""

    def __init__(self, bits: np.random.BitGenerator, factor: float) -> None:
        super().__init__(bits)
        self.factor = factor

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:  # noqa: ANN401 - as numpy's
        middle, half = (high + low) / 2, self.factor * (high - low) / 2
        return super().uniform(middle - half, middle + half, size)


def draw_patient(rng: np.random.Generator, *, tumour: TumourPlan | None = None) -> Patient:
    """An adult of 20 to 90 years, with the tumour that the plan asks for.

    The same generator state gives the same body with and without a tumour.
    """
    sex: Sex = "F" if rng.random() < 0.45 else "M"
    stature = (0.95 if sex == "F" else 1.0) * float(np.clip(rng.normal(1.0, 0.025), 0.95, 1.05))
    own = np.clip(rng.normal(1.0, 0.01, 3), 0.98, 1.02)
    seed = int(rng.integers(2**31))
    fat = float(np.clip(rng.lognormal(np.log(19 if sex == "F" else 15), 0.35), 8, 40))
    return Patient(
        sex=sex,
        age_years=int(np.clip(rng.normal(63, 13), 20, 90)),
        size=_triple(stature * own),
        subcutaneous_fat_mm=fat,
        rotation_deg=_triple(np.clip(rng.normal(0, 1.5, 3), -4, 4)),
        shift_mm=_triple(np.clip(rng.normal(0, 4.0, 3), -10, 10)),
        deformation_mm=float(rng.uniform(3.0, 6.0)),
        seed=seed,
        tumour=None if tumour is None else _realise(tumour, seed),
    )


def _realise(plan: TumourPlan, seed: int) -> Tumour:
    rng = np.random.default_rng([seed, 7])
    return Tumour(
        plan=plan,
        along=float(rng.uniform(0.3, 0.7)),
        slimness=(float(rng.uniform(0.75, 0.9)), float(rng.uniform(0.65, 0.8))),
        upstream_duct_mm=float(rng.uniform(4.5, 9.0)) if plan.dilated_duct else 0.0,
        seed=int(rng.integers(2**31)),
    )


def _triple(values: np.ndarray) -> Triple:
    x, y, z = (float(value) for value in values)
    return x, y, z
