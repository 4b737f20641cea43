"""The list of the attributes that may be released, each with the check that its value has to pass.

A value is a number within bounds that a scanner can mean, words of a closed list, a code of a known form, a
new identifier, a moved date or a binned age. There is no free text. To release one more attribute, add it
here, and the tests will ask what the basic profile says of it.
"""

import re
from collections.abc import Callable, Mapping
from math import isfinite

from pydicom.dataset import Dataset

from wirsung.curation.deidentification.dates import moved_date, released_age, weeks_back
from wirsung.curation.deidentification.identifiers import new_uid
from wirsung.imaging.dicom_attributes import KERNELS, kernel_code, read_attributes
from wirsung.imaging.dicom_headers import IMAGES

Value = str | int | float | list[str] | list[int] | list[float]
Parts = tuple[str, ...]
"""The values of one element as texts."""
Check = Callable[[Parts], Value | None]
"""From what the header says to what is released; None where that is nothing allowed."""

_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_IMAGE_TYPE = (
    *("ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "AXIAL", "LOCALIZER", "REFORMATTED", "AVERAGE", "MPR"),
    *("VOLUME", "NONE", "HELIX", "M", "MAGNITUDE", "PHASE", "WATER", "FAT", "IN_PHASE", "OUT_PHASE"),
)
_BODY_PARTS = (
    *("ABDOMEN", "ABDOMENPELVIS", "CHEST", "CHESTABDOMEN", "CHESTABDPELVIS", "PELVIS", "LIVER", "PANCREAS"),
    *("KIDNEY", "HEAD", "NECK", "SPINE", "WHOLEBODY", "EXTREMITY", "HEART"),
)
_POSITIONS = ("HFS", "HFP", "HFDR", "HFDL", "FFS", "FFP", "FFDR", "FFDL")
_SCAN_OPTIONS = (
    *("AXIAL MODE", "HELICAL MODE", "HELIX", "HELICAL_CT", "FS", "PFF", "PFP", "SP", "FC", "RG", "CG", "PPG"),
)

_OWN = (
    *("MONOCHROME1", "MONOCHROME2", "IODINE", "UNKNOWN", "Siemens", "Philips", "Canon", "Toshiba", "Hitachi"),
    *("Fujifilm", "Neusoft"),
)


def _number(low: float, high: float) -> Check:
    """One number within the bounds."""

    def check(parts: Parts) -> float | None:
        found = _floats(parts, low, high)
        return found[0] if found is not None and len(found) == 1 else None

    return check


def _integer(low: int, high: int) -> Check:
    """One whole number within the bounds."""

    def check(parts: Parts) -> int | None:
        found = _floats(parts, low, high)
        is_whole = found is not None and len(found) == 1 and found[0].is_integer()
        return int(found[0]) if found is not None and is_whole else None

    return check


def _numbers(low: float, high: float, counts: tuple[int, ...]) -> Check:
    """So many numbers within the bounds."""

    def check(parts: Parts) -> list[float] | None:
        found = _floats(parts, low, high)
        return found if found is not None and len(found) in counts else None

    return check


def _floats(parts: Parts, low: float, high: float) -> list[float] | None:
    try:
        found = [float(part) for part in parts]
    except ValueError:
        return None
    return found if all(isfinite(value) and low <= value <= high for value in found) else None


def _word(*allowed: str) -> Check:
    """One word of the list."""

    def check(parts: Parts) -> str | None:
        word = parts[0].upper()
        return word if len(parts) == 1 and word in allowed else None

    return check


def _words(*allowed: str) -> Check:
    """Those of the words that are on the list."""

    def check(parts: Parts) -> list[str] | None:
        return [part.upper() for part in parts if part.upper() in allowed] or None

    return check


def _kernel(parts: Parts) -> str | None:
    """Of several, the first one."""
    return kernel_code(parts[0])


def _canonical(keyword: str, name: str) -> Check:
    """Our own word for what the text means, as the reader of headers finds it."""

    def check(parts: Parts) -> str | None:
        header = Dataset()
        setattr(header, keyword, parts[0])
        found = read_attributes(header).get(name)
        return None if found is None else str(found)

    return check


def _age(parts: Parts) -> str | None:
    return released_age(parts[0]) if len(parts) == 1 else None


ALLOWED: Mapping[str, Check] = {
    "SOPClassUID": _word(*(uid for uid in IMAGES if uid)),
    "Modality": _word("CT", "MR"),
    "ImageType": _words(*_IMAGE_TYPE),
    "BurnedInAnnotation": _word("NO"),
    "LossyImageCompression": _word("00", "01"),
    "Manufacturer": _canonical("Manufacturer", "manufacturer"),
    "PatientSex": _word("F", "M", "O"),
    "PatientAge": _age,
    "PatientPosition": _word(*_POSITIONS),
    "BodyPartExamined": _word(*_BODY_PARTS),
    "ContrastBolusAgent": _canonical("ContrastBolusAgent", "contrast_agent"),
    "SeriesNumber": _integer(0, 99_999),
    "AcquisitionNumber": _integer(0, 99_999),
    "Rows": _integer(1, 65_535),
    "Columns": _integer(1, 65_535),
    "PixelSpacing": _numbers(0.01, 100, (2,)),
    "ImageOrientationPatient": _numbers(-1.001, 1.001, (6,)),
    "SliceThickness": _number(0, 200),
    "SpacingBetweenSlices": _number(-200, 200),
    "BitsAllocated": _integer(1, 64),
    "BitsStored": _integer(1, 64),
    "PixelRepresentation": _integer(0, 1),
    "PhotometricInterpretation": _word("MONOCHROME1", "MONOCHROME2"),
    "RescaleSlope": _number(-1e4, 1e4),
    "RescaleIntercept": _number(-1e5, 1e5),
    "RescaleType": _word("HU", "US"),
    "WindowCenter": _numbers(-1e5, 1e5, (1, 2, 3, 4)),
    "WindowWidth": _numbers(0, 1e5, (1, 2, 3, 4)),
    "KVP": _number(0, 400),
    "ExposureTime": _number(0, 1e6),
    "XRayTubeCurrent": _number(0, 2_000),
    "Exposure": _number(0, 1e5),
    "GantryDetectorTilt": _number(-90, 90),
    "TableHeight": _number(-2_000, 2_000),
    "ReconstructionDiameter": _number(1, 2_000),
    "DataCollectionDiameter": _number(1, 2_000),
    "SpiralPitchFactor": _number(0, 10),
    "SingleCollimationWidth": _number(0, 500),
    "TotalCollimationWidth": _number(0, 500),
    "CTDIvol": _number(0, 1_000),
    "ConvolutionKernel": _kernel,
    "ScanOptions": _words(*_SCAN_OPTIONS),
    "ScanningSequence": _words("SE", "IR", "GR", "EP", "RM"),
    "SequenceVariant": _words("SK", "MTC", "SS", "TRSS", "SP", "MP", "OSP", "NONE"),
    "MRAcquisitionType": _word("2D", "3D"),
    "MagneticFieldStrength": _number(0, 30),
    "RepetitionTime": _number(0, 1e5),
    "EchoTime": _number(0, 1e4),
    "InversionTime": _number(0, 1e5),
    "FlipAngle": _number(0, 360),
    "EchoTrainLength": _integer(0, 10_000),
}
"""Keyword to check, for what does not depend on the key."""

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
"""Replaced by UIDs made with the key."""
DATES = ("StudyDate", "SeriesDate", "AcquisitionDate")
"""Moved back by the patient's weeks."""


def keyed_checks(key: bytes, patient: str) -> Mapping[str, Check]:
    """The checks of what depends on the key.

    Args:
        key: Of the dataset.
        patient: What the header calls the patient, or something else that is the same for all of the scans.
    """
    weeks = weeks_back(key, patient)

    def uid(parts: Parts) -> Value | None:
        return new_uid(key, parts[0]) if len(parts) == 1 and _UID.fullmatch(parts[0]) else None

    def day(parts: Parts) -> Value | None:
        return moved_date(parts[0], weeks) if len(parts) == 1 else None

    return dict.fromkeys(UIDS, uid) | dict.fromkeys(DATES, day)


def own_words() -> frozenset[str]:
    """The words of the closed lists, which may be found in any release.

    Example:
        >>> "HFS" in own_words(), "ERIKA" in own_words()
        (True, False)
    """
    lists = (_IMAGE_TYPE, _BODY_PARTS, _POSITIONS, _SCAN_OPTIONS, KERNELS, _OWN)
    return frozenset(word for words in lists for word in words)
