"""One row of the index: what a file's header says of place and kind, and nothing of whose it is.

Identifiers become keyed pseudonyms, and so do the texts that only tell one stack from another; numbers of the
geometry stay. Rows turn back into slices, so that stacks are found in an index as they are in files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydicom.dataset import Dataset

from wirsung.curation.deidentification.originals import Collector
from wirsung.curation.deidentification.self_check import find_leaks
from wirsung.curation.pseudonyms import pseudonym
from wirsung.errors import WirsungError
from wirsung.imaging.dicom_headers import Damaged, SetAside, SliceHeader, read_headers
from wirsung.imaging.dicom_regions import read_references

Row = dict[str, Any]

DAMAGED_LABELS = "LABELS_DAMAGED"
"""In place of a kind: a SEG or RTSTRUCT whose header can't be read."""


@dataclass(frozen=True)
class DrawnFile:
    """A SEG or RTSTRUCT file, and what it was drawn on, as pseudonyms."""

    path: Path
    kind: str
    frame_of_reference: str
    refers_to: tuple[str, ...]
    """Slices (`SliceHeader.instance`), then series (`SliceHeader.series_uid`)."""


_TEXT, _NUMBERS = pa.string(), pa.list_(pa.float64())
ROW_SCHEMA = pa.schema(
    [
        pa.field("file", _TEXT, nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("mtime_ns", pa.int64(), nullable=False),
        pa.field("status", _TEXT, nullable=False),
        pa.field("code", _TEXT),
        *(pa.field(name, _TEXT) for name in ("patient", "study", "series", "modality")),
        *(pa.field(name, _TEXT) for name in ("frame_of_reference", "image_type", "kernel")),
        pa.field("moments", pa.list_(_TEXT)),
        pa.field("frame", pa.int32()),
        pa.field("is_localizer", pa.bool_()),
        pa.field("rows", pa.int32()),
        pa.field("columns", pa.int32()),
        *(pa.field(f"{name}", _NUMBERS) for name in ("position_mm", "orientation", "spacing_mm")),
        pa.field("slope", pa.float64()),
        pa.field("intercept", pa.float64()),
        pa.field("rescale_type", _TEXT),
        pa.field("has_lookup_table", pa.bool_()),
        pa.field("instance", _TEXT),
        pa.field("series_uid", _TEXT),
        pa.field("refers_to", pa.list_(_TEXT)),
        pa.field("tells", pa.list_(_TEXT)),
    ]
)
"""`status` is slice, labels, aside or damaged; the columns after `code` are filled for slices. Labels are SEG
and RTSTRUCT files: `refers_to` says which slices and series they were drawn on. `tells` says which folders
above a file are called after its header's patient: how many lie outside of it, and the attribute."""

_KNOWN_MODALITIES = ("CT", "MR", "PT", "NM", "US", "XA", "CR", "DX", "MG", "RF")
_KNOWN_RESCALE_TYPES = ("", "HU", "US", "HU_MOD")
_DECLARED = ("frame_of_reference", "image_type", "kernel")


def rows_of(path: Path, file: str, stat: tuple[int, int], key: bytes) -> list[Row]:
    """The rows of one file: a row a slice, or one that says why there is none.

    Args:
        path: The file.
        file: How the index calls it.
        stat: Size in bytes, and time of the last change in ns.
        key: For the pseudonyms.
    """
    beginning: Row = {"file": file, "size": stat[0], "mtime_ns": stat[1]}
    try:
        slices = read_headers(path)
    except SetAside as aside:
        labels = _labels_row(path, key) if aside.code == "OTHER_OBJECT" else None
        return [{**beginning, **(labels or {"status": "aside", "code": aside.code})}]
    except Damaged as problem:
        series = _hidden(key, "series", problem.series)
        return [{**beginning, "status": "damaged", "code": problem.code, "series": series}]
    inner = file.split("/")[:-1]
    folders = (path.parents[len(inner)].name, *inner)
    return [
        {
            **beginning,
            "status": "slice",
            **_slice_row(item, key),
            "tells": told_by(folders, item.patient_name, item.series.split("\0")[0]),
        }
        for item in slices
    ]


@lru_cache(maxsize=4096)
def told_by(folders: tuple[str, ...], name: str, patient_id: str) -> list[str]:
    """Which of some folders are called after the patient: their number, from 0, and the attribute.

    Example:
        >>> told_by(("disk", "DOE_JANE", "abdomen"), "Doe^Jane", "0815-4711")
        ['1 PatientName']
    """
    header = Dataset()
    header.PatientName, header.PatientID = name, patient_id
    collector = Collector()
    collector.add(header)
    originals = collector.originals()
    return [
        f"{number} {leak.attribute}"
        for number, folder in enumerate(folders)
        for leak in find_leaks({folder: b""}, originals)
    ]


def slices_of(table: pa.Table, root: Path) -> Iterator[SliceHeader]:
    """The slices among the rows."""
    for row in table.to_pylist():
        if row["status"] == "slice":
            yield _slice(row, root)


def damage_of(row: Mapping[str, Any], root: Path) -> tuple[Path, Damaged]:
    """The file and what is wrong with it."""
    return root / row["file"], Damaged(code=row["code"], series=row["series"] or "")


def labels_of(row: Mapping[str, Any], root: Path) -> DrawnFile:
    """The SEG or RTSTRUCT file of a row."""
    frame, refers_to = row["frame_of_reference"] or "", tuple(row["refers_to"] or ())
    return DrawnFile(root / row["file"], row["code"], frame, refers_to)


def _labels_row(path: Path, key: bytes) -> Row | None:
    """What a SEG or RTSTRUCT refers to; None where the file is neither."""
    try:
        found = read_references(path)
    except WirsungError:
        return {"status": "labels", "code": DAMAGED_LABELS, "refers_to": []}
    if found is None:
        return None
    instances = [_hidden(key, "instance", uid) for uid in found.instances]
    series = [_hidden(key, "uid", uid) for uid in found.series]
    frame = _hidden(key, "frame_of_reference", found.frame_of_reference)
    return {
        "status": "labels",
        "code": found.kind,
        "frame_of_reference": frame,
        "refers_to": instances + series,
    }


def _slice_row(item: SliceHeader, key: bytes) -> Row:
    patient, study, _ = item.series.split("\0")
    modality, *declared = item.declared
    words = {name: _hidden(key, name, text) for name, text in zip(_DECLARED, declared, strict=True)}
    rescale_type = item.rescale_type if item.rescale_type in _KNOWN_RESCALE_TYPES else "OTHER"
    return {
        "patient": _hidden(key, "patient", patient),
        "study": _hidden(key, "study", f"{patient}\0{study}"),
        "series": _hidden(key, "series", item.series),
        "modality": modality if modality in _KNOWN_MODALITIES or not modality else "OTHER",
        **words,
        "moments": [_hidden(key, "moment", text) for text in item.moments],
        "frame": item.frame,
        "is_localizer": item.is_localizer,
        "rows": item.shape[0],
        "columns": item.shape[1],
        "position_mm": item.position,
        "orientation": item.orientation,
        "spacing_mm": item.spacing,
        "slope": item.slope,
        "intercept": item.intercept,
        "rescale_type": rescale_type,
        "has_lookup_table": item.has_lookup_table,
        "instance": _hidden(key, "instance", item.instance),
        "series_uid": _hidden(key, "uid", item.series_uid),
    }


def _slice(row: Mapping[str, Any], root: Path) -> SliceHeader:
    return SliceHeader(
        path=root / row["file"],
        frame=row["frame"],
        series=row["series"],
        modality=row["modality"],
        declared=(row["modality"], *(row[name] for name in _DECLARED)),
        is_localizer=row["is_localizer"],
        shape=(row["rows"], row["columns"]),
        position=_numbers(row["position_mm"]),
        orientation=_numbers(row["orientation"]),
        spacing=_numbers(row["spacing_mm"]),
        slope=row["slope"],
        intercept=row["intercept"],
        rescale_type=row["rescale_type"],
        has_lookup_table=row["has_lookup_table"],
        moments=tuple(row["moments"]),
        instance=row["instance"],
        series_uid=row["series_uid"],
    )


def _hidden(key: bytes, purpose: str, text: str) -> str:
    """A pseudonym; the empty text stays empty, as it means that the header says nothing."""
    return pseudonym(key, purpose, text) if text.strip("\0 ") else ""


def _numbers(values: list[float] | None) -> tuple[float, ...] | None:
    return None if values is None else tuple(values)
