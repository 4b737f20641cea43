"""What tumour a patient is to have: site, size, look, duct and contact with a vessel."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from wirsung.errors import ConfigError, near_names

Site = Literal["head", "body", "tail"]
Attenuation = Literal["hypo", "iso", "hyper"]
ContactVessel = Literal["superior_mesenteric_artery", "celiac_artery", "veins"]

REACHABLE: dict[str, tuple[ContactVessel, ...]] = {
    "head": ("superior_mesenteric_artery", "veins"),
    "body": ("superior_mesenteric_artery", "celiac_artery", "veins"),
    "tail": ("veins",),
}
"""The vessels that pass near enough to each site."""
SMALLEST_CONTACT_MM = 20.0
"""A smaller tumour can't hold a vein and still be as long as planned."""


@dataclass(frozen=True)
class TumourPlan:
    """A tumour to be built.

    Raises:
        ConfigError: An unknown word, a diameter outside 5 to 60 mm, an angle outside 0 to 360 degrees, or a
            vessel that a tumour of that site and size can't touch.

    Example:
        >>> TumourPlan("head", 30.0, "hypo", True, ("veins", 120.0)).contact_deg("veins")
        120.0
    """

    site: Site
    diameter_mm: float
    """Longest diameter, 5 to 60."""
    attenuation: Attenuation = "hypo"
    """Against the parenchyma in the pancreatic phase."""
    dilated_duct: bool = False
    """Whether the duct is wide upstream, that is between tumour and tail."""
    contact: tuple[ContactVessel, float] | None = None
    """A vessel and how much of its circumference the tumour touches, in degrees; else none is touched."""

    def __post_init__(self) -> None:
        for value, words in ((self.site, get_args(Site)), (self.attenuation, get_args(Attenuation))):
            if value not in words:
                msg = f"A tumour can't be {value!r}. {near_names(value, words)}"
                raise ConfigError(msg)
        if not 5 <= self.diameter_mm <= 60:
            msg = f"A tumour's diameter is 5 to 60 mm, but the plan says {self.diameter_mm} mm."
            raise ConfigError(msg)
        if self.contact is not None:
            self._check_contact(*self.contact)

    def contact_deg(self, vessel: str) -> float:
        """How much of the vessel's circumference the tumour is to touch, 0 to 360."""
        return self.contact[1] if self.contact is not None and self.contact[0] == vessel else 0.0

    def _check_contact(self, vessel: str, degrees: float) -> None:
        if vessel not in REACHABLE[self.site]:
            near = near_names(vessel, REACHABLE[self.site])
            msg = f"A tumour of the {self.site} can't touch {vessel!r}. {near}"
            raise ConfigError(msg)
        if not 0 <= degrees <= 360:
            msg = f"A contact angle is 0 to 360 degrees, but the plan says {degrees}."
            raise ConfigError(msg)
        if degrees > 0 and self.diameter_mm < SMALLEST_CONTACT_MM:
            msg = (
                f"A tumour of {self.diameter_mm} mm is too small to touch a vessel by a chosen angle. "
                f"Plan at least {SMALLEST_CONTACT_MM} mm, or no contact."
            )
            raise ConfigError(msg)


@dataclass(frozen=True)
class Tumour:
    """A planned tumour with what chance adds to it."""

    plan: TumourPlan
    along: float
    """Where in its region, 0 at the duodenal and 1 at the splenic end."""
    slimness: tuple[float, float]
    """Second and third diameter as fractions of the longest."""
    upstream_duct_mm: float
    """Width of the duct between tumour and tail."""
    seed: int
    """Of its surface."""


def draw_tumour(rng: np.random.Generator) -> TumourPlan:
    """A plan with the frequencies seen in patients: two thirds in the head, most dark and 15 to 45 mm.

    Source:
        Site and size: Luo et al., Prognostic factors of pancreatic cancer by site, 2013 and SEER summaries
        (head 60 to 70 %, body and tail the rest). About one in ten adenocarcinomas is isoattenuating
        (Prokesch et al., Radiology 2002;224:764); hypervascular ones stand for neuroendocrine tumours.
    """
    site: Site = ("head", "body", "tail")[int(rng.choice(3, p=[0.65, 0.2, 0.15]))]
    diameter = float(np.clip(rng.lognormal(np.log(27), 0.4), 5, 60))
    attenuation: Attenuation = ("hypo", "iso", "hyper")[int(rng.choice(3, p=[0.75, 0.1, 0.15]))]
    dilated = bool(rng.random() < {"head": 0.8, "body": 0.6, "tail": 0.2}[site])
    vessel = REACHABLE[site][int(rng.integers(len(REACHABLE[site])))]
    degrees = float(rng.uniform(30, 360))
    touches = rng.random() < 0.4 and diameter >= SMALLEST_CONTACT_MM
    return TumourPlan(site, diameter, attenuation, dilated, (vessel, degrees) if touches else None)
