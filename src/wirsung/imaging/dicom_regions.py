"""DICOM objects that draw regions on a series, SEG and RTSTRUCT: which images they speak of.

What a region is called is a header's text. It is compared and never shown: it may name a patient.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pydicom
from pydicom.dataset import Dataset

from wirsung.errors import ImageError
from wirsung.imaging.dicom_headers import quietly, text

Kind = Literal["SEG", "RTSTRUCT"]

SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
_KINDS: dict[str, Kind] = {SEGMENTATION: "SEG", LABEL_MAP: "SEG", STRUCTURE_SET: "RTSTRUCT"}
_SIDES = {"7771000": "left", "24028007": "right"}
"""SNOMED CT's codes for them."""


@dataclass(frozen=True)
class Region:
    """One segment, or one region of interest, by what its object says of it."""

    number: int
    name: str = field(repr=False)
    """SegmentLabel or ROIName."""
    code: str = ""
    """Of SNOMED CT, for what it is; empty where another coding scheme, or none, is used."""
    side: str = ""
    """left, right, or nothing, as a code says."""


@dataclass(frozen=True)
class References:
    """What an object was drawn on."""

    kind: Kind
    series: tuple[str, ...] = field(repr=False)
    """SeriesInstanceUIDs."""
    instances: tuple[str, ...] = field(repr=False)
    """SOPInstanceUIDs."""
    frame_of_reference: str = field(default="", repr=False)


def read_references(path: Path) -> References | None:
    """Which images a SEG or RTSTRUCT was drawn on; None where the file is neither.

    UIDs are taken wherever the header has them, as writers put them in different places.

    Raises:
        ImageError: It is one, and its header is cut or damaged.
    """
    try:
        with quietly():
            header = pydicom.dcmread(path, force=True, stop_before_pixels=True)
            kind = _KINDS.get(text(header.get("SOPClassUID")))
            if kind is None:
                return None
            items = list(_items(header))
            return References(
                kind,
                _uids(items, "SeriesInstanceUID"),
                _uids(items, "ReferencedSOPInstanceUID"),
                _frame_of_reference(header),
            )
    except Exception:  # pydicom's own texts quote the header
        raise damaged(path.name, "its header is cut or damaged") from None


def coded(item: Dataset, meaning: str, side: str) -> tuple[str, str]:
    """The SNOMED CT code and the side in an item, each by the name of its sequence."""
    return _code(item, meaning), _SIDES.get(_code(item, side), "")


def damaged(where: str, why: str) -> ImageError:
    """The error for an object that can't be read."""
    return ImageError(f"{where}: LABELS_DAMAGED, {why}. Export it again from where it came.")


def _code(item: Dataset, sequence: str) -> str:
    found = item.get(sequence) or []
    is_snomed = bool(found) and text(found[0].get("CodingSchemeDesignator")) in (
        "SCT",
        "2.16.840.1.113883.6.96",
    )
    return text(found[0].get("CodeValue")) if is_snomed else ""


def _items(header: Dataset) -> Iterator[Dataset]:
    """Every item of every sequence, but the header itself."""
    for element in header:
        if element.VR == "SQ":
            for item in element.value or ():
                yield item
                yield from _items(item)


def _uids(items: list[Dataset], name: str) -> tuple[str, ...]:
    found = (text(item.get(name)) for item in items)
    return tuple(dict.fromkeys(uid for uid in found if uid))


def _frame_of_reference(header: Dataset) -> str:
    """Of the object, or of the one frame of reference that it refers to."""
    own = text(header.get("FrameOfReferenceUID"))
    listed = [
        text(item.get("FrameOfReferenceUID"))
        for item in header.get("ReferencedFrameOfReferenceSequence") or ()
    ]
    return listed[0] if len(set(listed)) == 1 and listed[0] else own
