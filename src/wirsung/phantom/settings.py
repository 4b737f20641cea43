"""The settings of the stage `phantom`: which synthetic cohort to write."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tyro

from wirsung.errors import ConfigError, near_names

Phase = Literal["non-contrast", "arterial", "venous", "delayed"]
Site = Literal["head", "body", "tail"]
Kind = Literal["contrast", "resolution", "noise", "artefacts", "deformation"]
Randomisation = Kind | Literal["nothing"]

# Counted up whenever the same settings give other files, so that a rerun makes the cases anew.
RECIPE = 1
# What a case does not depend on: where and how fast it is written, and how many others there are.
_NOT_OF_A_CASE = ("out", "cases", "workers", "cluster")


@dataclass(frozen=True)
class PhantomSettings:
    """Write a synthetic cohort of abdominal scans whose truth is known."""

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder for the cohort; run again, and finished cases of the same settings are skipped."""
    cases: int = 8
    """Patients; case k of a seed is the same however many there are."""
    preset: Literal["tiny", "small", "full"] = "tiny"
    """96 x 80 x 75 of 4, 4, 5 mm; 192 x 160 x 110 of 2, 2, 4 mm; 512 x 512 x 300 of 0.8, 0.8, 1.4 mm."""
    format: Literal["nifti", "dicom"] = "nifti"
    """What the scans are written as; the masks are always NIfTI."""
    modality: Literal["ct", "t1", "t2"] = "ct"
    """CT, or T1- or T2-weighted MR."""
    randomise: tuple[Randomisation, ...] = ()
    """Drawn anew for every case, to learn from phantoms alone (mr.nii.gz); nothing: to compare with."""
    centres: int = 3
    """Centres, each with its own scanner, kernel, noise and spacing: centre-1, centre-2, ..."""
    seed: int = 0
    """Another seed, other patients and centres; at least 0."""
    workers: int = 1
    """Cases made at the same time; the files do not depend on it."""
    cluster: str | None = None
    """In place of workers: tcp://HOST:PORT of a Dask scheduler, local:N, or slurm:FILE.toml."""
    tumours: float = 0.5
    """Fraction of the patients with a pancreatic tumour, 0 to 1, spread evenly over the centres."""
    tumour_diameter_mm: tuple[float, float] = (12.0, 50.0)
    """Smallest and largest tumour diameter, 5 to 60 mm; a draw outside is drawn again."""
    sites: tuple[Site, ...] = ("head", "body", "tail")
    """Parts of the pancreas where a tumour may lie."""
    contact: str | None = None
    """A vessel and the degrees of it that every tumour touches, as superior_mesenteric_artery:120."""
    phases: tuple[Phase, ...] = ()
    """Contrast phases of the CTs, each as likely as the others; none: as each centre does, mostly venous."""
    oblique_deg: float = 0.0
    """Tilt of the image grid against the patient, -45 to 45 degrees."""
    readers: int = 1
    """1: the truth alone. 2 or 3: further readers' masks too, in reader-2/ and reader-3/ of each case."""
    reader_dsc: float = 0.86
    """Median Dice of a further reader's masks against the truth over the cohort, 0.5 to 0.99."""

    def __post_init__(self) -> None:
        _check_numbers(self)
        _check_names(self)
        contact_request(self.contact)

    @property
    def image_name(self) -> Literal["ct", "t1", "t2", "mr"]:
        """What the image is to be taken for: a randomised one has no scale and is of no known sequence."""
        return "mr" if self.randomise else self.modality

    def of_a_case(self) -> dict[str, Any]:
        """The settings that a case's files depend on, as JSON holds them."""
        table = {name: value for name, value in asdict(self).items() if name not in _NOT_OF_A_CASE}
        if not self.randomise:
            del table["randomise"]  # so that ordinary cohorts from before it was there stay as they are
        return {"recipe": RECIPE, **json.loads(json.dumps(table))}

    def fingerprint(self) -> str:
        """SHA-256 of what a case's files depend on, 64 hex digits."""
        return hashlib.sha256(json.dumps(self.of_a_case(), sort_keys=True).encode()).hexdigest()


def contact_request(text: str | None) -> tuple[str, float] | None:
    """The vessel and the degrees that the setting `contact` asks for.

    Raises:
        ConfigError: Not VESSEL:DEGREES, or degrees outside 0 to 360.

    Example:
        >>> contact_request("superior_mesenteric_artery:120")
        ('superior_mesenteric_artery', 120.0)
    """
    if text is None:
        return None
    vessel, _, degrees = text.partition(":")
    try:
        angle = float(degrees)
    except ValueError:
        angle = -1.0
    if not vessel or not 0 < angle <= 360:
        msg = (
            f"contact is {text!r}, but it must be a vessel and the degrees of it, above 0 and at most 360. "
            "Write it as superior_mesenteric_artery:120."
        )
        raise ConfigError(msg)
    return vessel, angle


def _check_numbers(settings: PhantomSettings) -> None:
    low_mm, high_mm = settings.tumour_diameter_mm
    ranges = {
        "cases": (settings.cases, 1, 9999),
        "centres": (settings.centres, 1, 999),
        "seed": (settings.seed, 0, 2**63 - 1),
        "workers": (settings.workers, 1, 1024),
        "tumours": (settings.tumours, 0, 1),
        "tumour_diameter_mm (first)": (low_mm, 5, high_mm),
        "tumour_diameter_mm (second)": (high_mm, low_mm, 60),
        "oblique_deg": (settings.oblique_deg, -45, 45),
        "readers": (settings.readers, 1, 3),
        "reader_dsc": (settings.reader_dsc, 0.5, 0.99),
    }
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            msg = f"{name} is {value}, but it must lie between {low} and {high}."
            raise ConfigError(msg)


def _check_names(settings: PhantomSettings) -> None:
    if not settings.sites:
        msg = "sites is empty, but a tumour needs at least one of head, body and tail."
        raise ConfigError(msg)
    if "nothing" in settings.randomise and len(settings.randomise) > 1:
        msg = f"randomise is {' '.join(settings.randomise)}, but nothing stands alone. Leave it out."
        raise ConfigError(msg)
    if settings.randomise and settings.format == "dicom":
        msg = "format is dicom, but a randomised image is of no scanner. Leave --format out."
        raise ConfigError(msg)
    for name, values, known in (
        ("sites", settings.sites, get_args(Site)),
        ("phases", settings.phases, get_args(Phase)),
        ("randomise", settings.randomise, (*get_args(Kind), "nothing")),
    ):
        for value in values:
            if value not in known:
                msg = f"{name} has {value!r}, which is not known. {near_names(value, known)}"
                raise ConfigError(msg)
