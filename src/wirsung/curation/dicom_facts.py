"""What a DICOM series tells the manifest: an image, numbers and words from closed lists, and whose it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wirsung.imaging.dicom import Series, read_series
from wirsung.imaging.volume import Volume

_COLUMNS = {"sex": "patient_sex", "manufacturer": "manufacturer"}


@dataclass(frozen=True)
class DicomCase:
    """One series."""

    volume: Volume
    is_ct: bool
    facts: Mapping[str, Any]
    """Columns of the manifest, fit to be written."""
    notes: Mapping[str, int]
    """What was repaired or set aside, by code."""
    identity: Mapping[str, str] = field(repr=False)
    """Column to what the header says: only ever to be made a pseudonym, never to be written or shown."""


def read_dicom(files: Sequence[Path]) -> DicomCase:
    """The one series in those files.

    Raises:
        ImageError: They can't be read as one image; the message has a code word.
    """
    series = read_series(files)
    told = {"patient": series.identity.patient_id, "centre": series.identity.institution}
    identity = {column: value for column, value in told.items() if value.strip()}
    return DicomCase(series.volume, series.modality == "CT", _facts(series), series.notes, identity)


def _facts(series: Series) -> dict[str, Any]:
    found: dict[str, Any] = {
        column: series.attributes[name] for column, name in _COLUMNS.items() if name in series.attributes
    }
    if "patient_age_years" in series.attributes:
        found["age_years"] = int(series.attributes["patient_age_years"])
    return found
