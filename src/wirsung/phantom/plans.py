"""Who is in the cohort: centre, phase, tumour and patient of each case, by seed and number alone."""

from dataclasses import dataclass, replace

import numpy as np

from wirsung.errors import ConfigError, near_names
from wirsung.phantom.centres import Centre, centre, draw_phase
from wirsung.phantom.patient import Patient, draw_patient
from wirsung.phantom.settings import PhantomSettings, Phase, Site, contact_request
from wirsung.phantom.tumour import REACHABLE, SMALLEST_CONTACT_MM, TumourPlan, draw_tumour

_TRIES = 2000


@dataclass(frozen=True)
class CasePlan:
    """One case before it is made."""

    id: str
    """phantom_0001, phantom_0002, ..."""
    number: int
    """From 1."""
    centre: Centre
    """Where it is scanned."""
    phase: Phase
    """Contrast phase."""
    patient: Patient
    """Who is scanned, with the tumour if any."""

    @property
    def patient_id(self) -> str:
        """Made up, as the DICOM headers have it."""
        return f"PHANTOM-{self.number:04d}"


def plan_case(settings: PhantomSettings, number: int) -> CasePlan:
    """The plan of case `number`, from 1; the same whatever the number of cases.

    Raises:
        ConfigError: No tumour can be as the settings ask.
    """
    has_tumour = _tumours_among(settings, number) > _tumours_among(settings, number - 1)
    place = centre(settings, _centre_index(settings, number, has_tumour))
    anatomy, disease, scan = np.random.default_rng([settings.seed, 3, number]).spawn(3)
    tumour = plan_tumour(settings, disease) if has_tumour else None
    return CasePlan(
        id=f"phantom_{number:04d}",
        number=number,
        centre=place,
        phase=draw_phase(settings, place, scan),
        patient=draw_patient(anatomy, tumour=tumour),
    )


def plan_tumour(settings: PhantomSettings, rng: np.random.Generator) -> TumourPlan:
    """A tumour as patients have them, among those that the settings allow.

    Raises:
        ConfigError: The contact asked for can't be had at any of the sites and diameters.
    """
    contact = contact_request(settings.contact)
    sites, low_mm, high_mm = _allowed(settings, contact)
    for _ in range(_TRIES):
        plan = draw_tumour(rng)
        if plan.site in sites and low_mm <= plan.diameter_mm <= high_mm:
            break
    else:
        # A narrow range, as 50 to 50 mm: what chance won't give is set.
        site = sites[int(rng.integers(len(sites)))]
        plan = replace(plan, site=site, diameter_mm=float(rng.uniform(low_mm, high_mm)), contact=None)
    return plan if contact is None else replace(plan, contact=contact)  # type: ignore[arg-type]


def _allowed(
    settings: PhantomSettings, contact: tuple[str, float] | None
) -> tuple[tuple[Site, ...], float, float]:
    """Sites and diameters at which the contact asked for can be."""
    low_mm, high_mm = settings.tumour_diameter_mm
    if contact is None:
        return settings.sites, low_mm, high_mm
    vessels = {vessel for site in settings.sites for vessel in REACHABLE[site]}
    if contact[0] not in vessels:
        msg = (
            f"contact names {contact[0]!r}, which no tumour of the {', '.join(settings.sites)} can touch. "
            f"{near_names(contact[0], vessels)}"
        )
        raise ConfigError(msg)
    if high_mm < SMALLEST_CONTACT_MM:
        msg = (
            f"contact needs tumours of at least {SMALLEST_CONTACT_MM} mm, but tumour_diameter_mm ends at "
            f"{high_mm} mm. Raise it, or leave contact out."
        )
        raise ConfigError(msg)
    sites = tuple(site for site in settings.sites if contact[0] in REACHABLE[site])
    return sites, max(low_mm, SMALLEST_CONTACT_MM), high_mm


def _tumours_among(settings: PhantomSettings, cases: int) -> int:
    """How many of the first `cases` have a tumour: their share, rounded, for any number of cases."""
    return round(cases * settings.tumours)


def _centre_index(settings: PhantomSettings, number: int, has_tumour: bool) -> int:
    """Patients with a tumour go to the centres in turn, and those without in turn from the other end."""
    with_tumour = _tumours_among(settings, number)
    if has_tumour:
        return (with_tumour - 1) % settings.centres
    return settings.centres - 1 - (number - with_tumour - 1) % settings.centres
