"""What a DICOM series tells the manifest: an image, numbers and words from closed lists, and whose it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wirsung.curation.deidentification.burned_in import refuse_burned_in
from wirsung.curation.deidentification.headers import ScanHeaders, read_scan_headers
from wirsung.curation.deidentification.originals import Originals
from wirsung.curation.deidentification.released import ReleasedMetadata, release
from wirsung.imaging.dicom import Series, read_series
from wirsung.imaging.dicom_parsing import ParsedFiles
from wirsung.imaging.volume import Volume


class FileNumbers:
    """What messages call the files of a case, as their names may be a patient's.

    Example:
        >>> FileNumbers([Path("x/b"), Path("x/a")])(Path("x/b"))
        'file 2 of 2'
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._numbers = {path: number for number, path in enumerate(sorted(files), start=1)}

    def __call__(self, path: Path) -> str:
        """Its number among the case's files, in the order of their paths."""
        number = self._numbers.get(path)
        return f"file {number} of {len(self._numbers)}" if number else "a file beside it"


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
    released: ReleasedMetadata
    """What is told of the scan beside the image."""
    identity: Mapping[str, str] = field(repr=False)
    """Column to what the header says: only ever to be made a pseudonym, never to be written or shown."""
    originals: Originals = field(repr=False)
    """What the headers of all the files say of persons and places, to be searched for in what is written."""


def read_dicom(
    files: Sequence[Path],
    key: bytes,
    patient: str = "",
    *,
    is_reviewed: bool = False,
    even_spacing: bool = False,
    case: str = "",
) -> DicomCase:
    """The one series in those files.

    Args:
        files: Those of other series and objects are set aside.
        key: Of the dataset, for the new identifiers and the dates.
        patient: As another source than the headers calls the patient.
        is_reviewed: Whether somebody has looked for text in the images and found none.
        even_spacing: Whether slices at uneven distances are put onto an even grid.
        case: For messages, which name no folder and no file: these may be called after a patient.

    Raises:
        ImageError: They can't be read as one image, or may show text; the message has a code word.
    """
    parsed = ParsedFiles()
    series = read_series(
        files, resample_uneven=even_spacing, where=case, name_of=FileNumbers(files), parsed=parsed
    )
    headers: ScanHeaders = read_scan_headers(files, series.identity.series_uid, parsed)
    if not is_reviewed:
        refuse_burned_in(headers.slices, series.volume, is_ct=series.modality == "CT")
    released = release(headers.slices, key, patient)
    told = {"patient": series.identity.patient_id, "centre": series.identity.institution}
    identity = {column: value for column, value in told.items() if value.strip()}
    return DicomCase(
        series.volume,
        series.modality == "CT",
        _facts(series),
        series.notes,
        released,
        identity,
        headers.originals,
    )


def _facts(series: Series) -> dict[str, Any]:
    found: dict[str, Any] = {
        column: series.attributes[name] for column, name in _COLUMNS.items() if name in series.attributes
    }
    if "patient_age_years" in series.attributes:
        found["age_years"] = int(series.attributes["patient_age_years"])
    return found
