"""What a case says about its scan: built from nothing, one allowed attribute after the other.

The header is asked for each attribute on the list (see `allowed`) and for no other, so that sequences,
private attributes, overlays and whatever the standard adds next can't come along.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from wirsung.curation.deidentification.allowed import ALLOWED, Check, Parts, Value, keyed_checks
from wirsung.curation.deidentification.profile import METHODS
from wirsung.imaging.dicom_headers import quietly, text

METADATA_FILE = "metadata.json"
"""Beside the image of a case."""

_SCHEMA = 1
_NOTE = "Built from a list of allowed attributes, as these methods ask. This certifies no anonymity."


@dataclass(frozen=True)
class ReleasedMetadata:
    """What is told of one series."""

    attributes: Mapping[str, Value]
    """DICOM's keywords, in DICOM's units, where all headers agree."""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Least and greatest of the numbers that change from slice to slice, such as a modulated tube current."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """How many headers had a value that is not allowed, by attribute; never the values."""

    def as_json(self) -> dict[str, Any]:
        """The content of the file beside the image."""
        return {
            "schema": _SCHEMA,
            "deidentification": {
                "note": _NOTE,
                "longitudinal_temporal_information_modified": "MODIFIED",
                "methods": [
                    {"code": code, "scheme": "DCM", "meaning": meaning} for code, meaning in METHODS.items()
                ],
                "rejected": dict(self.rejected),
            },
            "attributes": dict(self.attributes),
            "ranges": {name: list(bounds) for name, bounds in self.ranges.items()},
        }

    def texts(self) -> set[str]:
        """Every text that is released, to be told from what must not be."""
        found: set[str] = set()
        for value in self.attributes.values():
            found |= {str(part) for part in value} if isinstance(value, list) else {str(value)}
        return found


def release(headers: Sequence[Dataset], key: bytes, patient: str = "") -> ReleasedMetadata:
    """What may be told of one series.

    Args:
        headers: One or more of its headers; of words, only those that all of them share are released.
        key: Of the dataset; it never enters the result.
        patient: In place of PatientID, where the patient is known by another code; all scans of one patient
            must have the same, for their dates to keep their distances.

    Example:
        >>> header = Dataset()
        >>> header.PatientName, header.KVP, header.PatientAge = "A^B", "120", "095Y"
        >>> release([header], bytes(32)).attributes
        {'PatientAge': '090Y', 'KVP': 120.0}
    """
    attributes: dict[str, Value] = {}
    ranges: dict[str, tuple[float, float]] = {}
    rejected: dict[str, int] = {}
    with quietly():
        checks: dict[str, Check] = {**ALLOWED, **keyed_checks(key, patient or _patient(headers))}
        for keyword, check in checks.items():
            parts_of = _parts_once(headers, keyword)
            checked = {parts: check(parts) for parts in set(parts_of)}
            found = [value for parts in parts_of if (value := checked[parts]) is not None]
            if len(found) < len(parts_of):
                rejected[keyword] = len(parts_of) - len(found)
            _settle(keyword, found, attributes, ranges)
    return ReleasedMetadata(attributes, ranges, rejected)


def _settle(
    keyword: str,
    found: list[Value],
    attributes: dict[str, Value],
    ranges: dict[str, tuple[float, float]],
) -> None:
    """One value where all headers agree, the bounds of numbers that differ, and nothing for words that do."""
    if found and all(value == found[0] for value in found):
        attributes[keyword] = found[0]
        return
    numbers = [value for value in found if isinstance(value, int | float)]
    if found and len(numbers) == len(found):
        ranges[keyword] = (min(numbers), max(numbers))


def _patient(headers: Sequence[Dataset]) -> str:
    """By what the patient is told from others: the study stands for one who has no ID."""
    for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID"):
        for header in headers:
            if found := text(header.get(keyword)):
                return found
    return ""


def _parts_once(headers: Sequence[Dataset], keyword: str) -> list[Parts]:
    """The `_parts` of those headers that have any; what many slices share is made a value of once."""
    tag = BaseTag(tag_for_keyword(keyword) or 0)
    known: dict[tuple[str | None, bytes], Parts] = {}
    found: list[Parts] = []
    for header in headers:
        raw: object = header.get_item(tag)
        if raw is None:
            continue
        if (
            not isinstance(raw, RawDataElement)
            or not isinstance(raw.value, bytes)
            or not _is_plain(raw.value)
        ):
            parts = _parts(header, keyword)
        elif (mark := (raw.VR, raw.value)) in known:
            parts = known[mark]
        else:
            parts = known[mark] = _parts(header, keyword)
        if parts:
            found.append(parts)
    return found


def _is_plain(value: bytes) -> bool:
    """Whether the bytes mean the same in every character set."""
    return value.isascii() and b"\x1b" not in value


def _parts(header: Dataset, keyword: str) -> Parts:
    """The values of one element as texts without padding; nothing where it is missing or empty."""
    try:
        value = header.get(keyword)
    except Exception:  # a value that pydicom can't turn into its type; its text would quote the header
        return ("\0",)
    if value is None or isinstance(value, Dataset):
        return ()
    values = value if isinstance(value, MultiValue | list | tuple) else [value]
    parts = tuple(str(part).strip().strip("\0").strip() for part in values)
    return parts if any(parts) else ()
