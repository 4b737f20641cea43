"""What may leave a DICOM header: a short list of attributes, each checked, and no free text.

Numbers must be finite, words must be on a list. Whatever fails its check is left out, not cleaned. What names
a patient or an institution is kept apart in `Identity`, for pseudonyms to be made of.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

from pydicom.dataset import Dataset

from wirsung.imaging.dicom_headers import text

_VENDORS = {
    "GE": r"^ge\b|general electric",
    "Siemens": r"siemens",
    "Philips": r"philips|marconi|picker",
    "Canon": r"canon",
    "Toshiba": r"toshiba",
    "Hitachi": r"hitachi",
    "Fujifilm": r"fujifilm",
    "UIH": r"^uih\b|united imaging",
    "Neusoft": r"neusoft",
}
_IODINE = r"iod|iohex|iopam|iopro|iover|ioxa|iomer|imeron|omnipaq|ultravi|visipaq|isovue|optiray|xenetix"
KERNELS = (
    *("STANDARD", "SOFT", "STND", "DETAIL", "LUNG", "CHEST", "BONE", "BONEPLUS", "EDGE", "ULTRA"),
    *("A", "B", "C", "D", "E", "F", "L", "UB", "YA", "YB", "YC", "YD", "YE"),
)
"""Kernels that are words, in capitals."""
_KERNEL = re.compile(r"[A-Z][a-z]?[0-9]{2}[a-z]?( [1-5])?|FC[0-9]{2}|B_(SOFT|SHARP|VSOFT)_[A-C]")
_POSITIONS = ("HFS", "HFP", "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL")
_OLDEST_YEARS = 90

_NUMBERS = {
    "kvp": "KVP",
    "exposure_time_ms": "ExposureTime",
    "tube_current_ma": "XRayTubeCurrent",
    "exposure_mas": "Exposure",
    "slice_thickness_mm": "SliceThickness",
    "reconstruction_diameter_mm": "ReconstructionDiameter",
    "gantry_tilt_degrees": "GantryDetectorTilt",
    "table_height_mm": "TableHeight",
    "pitch": "SpiralPitchFactor",
    "ctdi_vol_mgy": "CTDIvol",
    "field_strength_t": "MagneticFieldStrength",
    "repetition_time_ms": "RepetitionTime",
    "echo_time_ms": "EchoTime",
    "inversion_time_ms": "InversionTime",
    "flip_angle_degrees": "FlipAngle",
}


@dataclass(frozen=True, repr=False)
class Identity:
    """What names a patient, as the header gives it: for making pseudonyms, never to be shown or stored."""

    patient_id: str
    institution: str
    study_uid: str
    series_uid: str

    def __repr__(self) -> str:
        return "Identity(hidden)"


def read_identity(header: Dataset) -> Identity:
    """Who and where, for making pseudonyms."""
    names = ("PatientID", "InstitutionName", "StudyInstanceUID", "SeriesInstanceUID")
    return Identity(*(text(header.get(name)) for name in names))


def read_attributes(header: Dataset) -> dict[str, str | float]:
    """The attributes on the list that are present and pass their check.

    Example:
        >>> header = Dataset()
        >>> header.Manufacturer, header.PatientAge, header.KVP = "SIEMENS Healthineers", "093Y", "120"
        >>> read_attributes(header)
        {'manufacturer': 'Siemens', 'patient_age_years': 90.0, 'kvp': 120.0}
    """
    words: dict[str, Callable[[Dataset], str | float | None]] = {
        "modality": lambda header: _one_of(header.get("Modality"), ("CT", "MR")),
        "manufacturer": _vendor,
        "patient_sex": lambda header: _one_of(header.get("PatientSex"), ("F", "M", "O")),
        "patient_age_years": _age_years,
        "patient_position": lambda header: _one_of(header.get("PatientPosition"), _POSITIONS),
        "convolution_kernel": _kernel,
        "contrast_agent": _contrast,
    }
    found = {name: read(header) for name, read in words.items()}
    found |= {name: _number(header.get(keyword)) for name, keyword in _NUMBERS.items()}
    return {name: value for name, value in found.items() if value is not None}


def _one_of(value: object, allowed: tuple[str, ...]) -> str | None:
    word = text(value).upper()
    return word if word in allowed else None


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if isfinite(number) else None


def _vendor(header: Dataset) -> str | None:
    given = text(header.get("Manufacturer")).lower()
    return next((name for name, pattern in _VENDORS.items() if re.search(pattern, given)), None)


def _age_years(header: Dataset) -> float | None:
    """Ages of 90 and more become 90, for so old a patient may be known by it."""
    match = re.fullmatch(r"(\d{1,3})([DWMY])", text(header.get("PatientAge")).upper())
    if match is None:
        return None
    per_year = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}[match[2]]
    return min(round(int(match[1]) / per_year, 1), float(_OLDEST_YEARS))


def kernel_code(text: str) -> str | None:
    """A kernel as it is written, where it has a form that vendors give theirs; the case matters, as in B30f.

    Example:
        >>> kernel_code("B30f"), kernel_code("MUELLER4")
        ('B30f', None)
    """
    return text if text.upper() in KERNELS or _KERNEL.fullmatch(text) else None


def _kernel(header: Dataset) -> str | None:
    """Of several, the first one."""
    return kernel_code(text(header.get("ConvolutionKernel")).split("\\")[0].strip())


def _contrast(header: Dataset) -> str | None:
    """IODINE, UNKNOWN where some agent is named, or nothing."""
    agent = text(header.get("ContrastBolusAgent")).lower()
    if not agent:
        return None
    return "IODINE" if re.search(_IODINE, agent) else "UNKNOWN"
