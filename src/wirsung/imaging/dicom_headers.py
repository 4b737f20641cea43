"""What the headers of DICOM files say, one record a slice; pixels are read elsewhere.

A file that is whole but no slice is set aside with a code; one that should be a slice and is damaged is a
problem of its whole series. Texts of a header never reach a message or a representation.
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID

from wirsung.imaging.dicom_parsing import ParsedFiles

_SILENT = logging.CRITICAL + 1
_NESTING = ("SQ", "UN", None)
"""What a sequence may be stored as: implicit files don't say."""
_PREAMBLE = 128
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
"""How a DICOM file without preamble begins: group 0002 or 0008, in either byte order."""

IMAGES = {
    "": "",
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "MR",
}
"""SOP classes that hold slices, plain, enhanced and converted, with their modality; all else is set aside."""

_COLOURS = ("RGB", "YBR", "PALETTE", "ARGB", "HSV", "CMYK")
_DICOM_ROOT = "1.2.840.10008."
_DIRECTORY = "1.2.840.10008.1.3.10"
"""DICOMDIR, the table of contents of a disk, which has a SOP class in its file meta only."""
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

_TAGS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "ImageType",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "PatientID",
    "PatientName",
    "InstitutionName",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "ModalityLUTSequence",
    "ConvolutionKernel",
    "AcquisitionNumber",
    "AcquisitionTime",
    "TemporalPositionIdentifier",
    "EchoNumbers",
    "EchoTime",
    "TriggerTime",
    "DiffusionBValue",
    "InversionTime",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
_TAG_NUMBERS = tuple(tag for tag in map(tag_for_keyword, _TAGS) if tag is not None)

_MOMENTS = (
    "AcquisitionNumber",
    "TemporalPositionIdentifier",
    "EchoNumbers",
    "EchoTime",
    "DiffusionBValue",
    "InversionTime",
    "TriggerTime",
    "AcquisitionTime",
)
"""What may tell two stacks of one series apart that lie at the same place, in the order of trust."""


class SetAside(Exception):  # noqa: N818 - not an error
    """A file that is no slice, with the code that says why."""

    def __init__(self, *, code: str) -> None:
        super().__init__(code)
        self.code = code


class Damaged(Exception):  # noqa: N818 - becomes the problem of a stack
    """A file that should be slices and is damaged, with its series where that could still be read."""

    def __init__(self, *, code: str, series: str) -> None:
        super().__init__(code)
        self.code = code
        self.series = series


@dataclass(frozen=True)
class SliceHeader:
    """One slice: where it lies, what its numbers mean, and what tells it from other slices."""

    path: Path
    frame: int
    """Its place in a multi-frame file, else 0."""
    series: str = field(repr=False)
    """Patient, study and series as one text, to be compared and never shown."""
    modality: str
    declared: tuple[str, ...] = field(repr=False)
    """Modality, frame of reference, image type and kernel: whatever makes two stacks of one series."""
    is_localizer: bool
    shape: tuple[int, int]
    """Rows and columns."""
    position: tuple[float, ...] | None
    """Of the first pixel's centre, LPS+ mm."""
    orientation: tuple[float, ...] | None
    """Direction of a row, then of a column, LPS+."""
    spacing: tuple[float, ...] | None
    """Between rows, then between columns, mm."""
    slope: float | None
    intercept: float | None
    rescale_type: str = field(repr=False)
    has_lookup_table: bool
    moments: tuple[str, ...] = field(repr=False)
    instance: str = field(default="", repr=False)
    """SOPInstanceUID, by which other objects refer to the slice."""
    series_uid: str = field(default="", repr=False)
    """SeriesInstanceUID."""
    patient_name: str = field(default="", repr=False)
    """To be compared and never shown."""


def is_dicom_file(path: Path) -> bool:
    """Whether the content, not the name, is DICOM: it has the preamble, else an image's tags."""
    try:
        with path.open("rb") as file:
            beginning = file.read(_PREAMBLE + 4)
        if beginning[_PREAMBLE:] == b"DICM":
            return True
        if beginning[:2] not in _FIRST_GROUPS:
            return False
        with quietly():
            header = pydicom.dcmread(
                path, force=True, stop_before_pixels=True, specific_tags=["SOPClassUID", "Rows", "Columns"]
            )
            return "SOPClassUID" in header or ("Rows" in header and "Columns" in header)
    except Exception:  # whatever fails to parse is not DICOM
        return False


@contextmanager
def quietly() -> Iterator[None]:
    """Without pydicom's warnings and log, which quote the header, and its checks that nobody asks for."""
    log = logging.getLogger("pydicom")
    level = log.level
    if level != _SILENT:  # setting it is slow
        log.setLevel(_SILENT)
    try:
        with warnings.catch_warnings(), pydicom.config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        if level != _SILENT:
            log.setLevel(level)


def read_headers(path: Path, parsed: ParsedFiles | None = None) -> list[SliceHeader]:
    """Every slice of a DICOM file, mostly one.

    Args:
        path: A file of any kind.
        parsed: Where somebody else asks about the file too, for it to be parsed once.

    Raises:
        SetAside: The file is no slice.
        Damaged: It can't be opened, or its header is cut or contradicts itself.
    """
    if not _is_readable(path):
        raise Damaged(code="UNREADABLE", series="")
    if not is_dicom_file(path):
        if _is_cut_preamble(path):
            raise Damaged(code="HEADER_TRUNCATED", series="")
        raise SetAside(code="NOT_DICOM")
    series = ""
    try:
        with quietly():
            header = _chosen(path, parsed)
            series = series_key(header)
            _check_kind(header, series)
            frames = _frames(header, series)
            return [_slice(path, number, header, lookup) for number, lookup in enumerate(frames)]
    except (SetAside, Damaged):
        raise
    except Exception:  # pydicom's own texts quote the header
        raise Damaged(code="HEADER_DAMAGED", series=series) from None


def _chosen(path: Path, parsed: ParsedFiles | None) -> Dataset:
    if parsed is not None:
        return parsed.chosen(path, _TAG_NUMBERS)
    return pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=list(_TAG_NUMBERS))


def _is_cut_preamble(path: Path) -> bool:
    """Whether the file holds the zeros that a DICOM file begins with, and ends there."""
    size = path.stat().st_size
    return 0 < size < _PREAMBLE + 4 and not path.read_bytes().strip(b"\0DICM")


def _is_readable(path: Path) -> bool:
    try:
        with path.open("rb"):
            return True
    except OSError:
        return False


def series_key(header: Dataset) -> str:
    """Patient, study and series, to be compared and never shown."""
    names = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")
    return "\0".join(text(header.get(name)) for name in names)


def text(value: object) -> str:
    """A header's value as text; nothing is the empty text."""
    if value is None:
        return ""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\\".join(str(part) for part in value)
    return str(value).strip()


def numbers(value: object, count: int) -> tuple[float, ...] | None:
    """Exactly `count` numbers, NaN included, or None where the value is not that."""
    if value is None:
        return None
    parts = value if isinstance(value, MultiValue) else np.atleast_1d(np.asarray(value, dtype=object))
    try:
        found = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        return None
    return found if len(found) == count else None


def _check_kind(header: Dataset, series: str) -> None:
    sop_class = text(header.get("SOPClassUID"))
    meta = getattr(header, "file_meta", None)
    if meta is not None and text(meta.get("MediaStorageSOPClassUID")) == _DIRECTORY:
        raise SetAside(code="OTHER_OBJECT")
    if sop_class == _SECONDARY_CAPTURE or sop_class.startswith(_SECONDARY_CAPTURE + "."):
        raise SetAside(code="SECONDARY_CAPTURE")
    if sop_class not in IMAGES and _is_whole_uid(sop_class):
        raise SetAside(code="OTHER_OBJECT")
    if sop_class not in IMAGES or "Rows" not in header or "Columns" not in header:
        raise Damaged(code="HEADER_TRUNCATED", series=series)
    photometric = text(header.get("PhotometricInterpretation"))
    if int(header.get("SamplesPerPixel", 1)) != 1 or photometric.startswith(_COLOURS):
        raise SetAside(code="SECONDARY_CAPTURE")
    if photometric not in ("MONOCHROME1", "MONOCHROME2", ""):
        raise Damaged(code="HEADER_TRUNCATED", series=series)
    if "SCREEN SAVE" in text(header.get("ImageType")).upper():
        raise SetAside(code="SECONDARY_CAPTURE")


def _is_whole_uid(uid: str) -> bool:
    """Whether it is registered or private, rather than one of DICOM's own that was cut."""
    registered = UID(uid).name != uid
    return registered or not (uid.startswith(_DICOM_ROOT) or _DICOM_ROOT.startswith(uid))


def _frames(header: Dataset, series: str) -> list[Callable[[str], Any]]:
    """For each frame how to look a value up: in its own groups, then the shared ones, then the header."""
    groups = header.get("PerFrameFunctionalGroupsSequence") or []
    count = int(header.get("NumberOfFrames") or 1)
    if groups and len(groups) != count:
        raise Damaged(code="FRAMES_MISSING", series=series)
    shared = list(header.get("SharedFunctionalGroupsSequence") or [])
    places = [[group, *shared, header] for group in groups] or [[header]] * count
    return [_lookup(place) for place in places]


def _lookup(places: list[Dataset]) -> Callable[[str], Any]:
    def find(name: str) -> Any:  # noqa: ANN401 - a header's value
        for place in places:
            if name in place:
                return place.get(name)
            for tag, raw in place.items():
                if raw.VR not in _NESTING:
                    continue  # without making a value of it, which takes most of the time
                element = place[tag]
                inside = element.value[0] if element.VR == "SQ" and element.value else None
                if inside is not None and name in inside:
                    return inside.get(name)
        return None

    return find


def _modality(header: Dataset) -> str:
    """As both the header and the SOP class say; nothing where they contradict each other."""
    said, implied = text(header.get("Modality")).upper(), IMAGES[text(header.get("SOPClassUID"))]
    return "" if said and implied and said != implied else said or implied


def _slice(path: Path, frame: int, header: Dataset, find: Callable[[str], Any]) -> SliceHeader:
    modality = _modality(header)
    image_type = text(find("FrameType") or header.get("ImageType")).upper()
    kernel = text(find("ConvolutionKernel"))
    declared = (modality, text(header.get("FrameOfReferenceUID")), image_type, kernel)
    slope, intercept = (numbers(find(name), 1) for name in ("RescaleSlope", "RescaleIntercept"))
    return SliceHeader(
        path=path,
        frame=frame,
        series=series_key(header),
        modality=modality,
        declared=declared,
        is_localizer="LOCALIZER" in image_type,
        shape=(int(header.Rows), int(header.Columns)),
        position=numbers(find("ImagePositionPatient"), 3),
        orientation=numbers(find("ImageOrientationPatient"), 6),
        spacing=numbers(find("PixelSpacing"), 2),
        slope=slope[0] if slope else None,
        intercept=intercept[0] if intercept else None,
        rescale_type=text(find("RescaleType")).upper(),
        has_lookup_table="ModalityLUTSequence" in header,
        moments=tuple(text(find(name)) for name in _MOMENTS),
        instance=text(header.get("SOPInstanceUID")),
        series_uid=text(header.get("SeriesInstanceUID")),
        patient_name=text(header.get("PatientName")),
    )
