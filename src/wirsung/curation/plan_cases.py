"""What curating would make of each case, from the index and from headers alone; no voxel is read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from wirsung.compute.cases import map_cases
from wirsung.curation.index import Index
from wirsung.curation.intake import Source
from wirsung.curation.plan_rates import Kind
from wirsung.curation.verdicts import Verdict, judge_failure, judge_notes
from wirsung.imaging.nifti import read_header

_NO_CODE = "UNREADABLE_CASE"
_PLAIN_CODE = "CASE_REFUSED"
"""Where nothing is wrong with the image itself, as far as its header tells."""


@dataclass(frozen=True)
class Extent:
    """How much of SRC there is to read for a case."""

    kind: Kind = "ct"
    voxels: int = 0
    files: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class PlannedCase:
    """One case and what would become of it."""

    case: str
    verdict: Verdict
    """From headers; reading the pixels may add to it."""
    extent: Extent
    has_labels: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether it would not be in the dataset."""
        return self.verdict.kind == "quarantine"


def planned_cases(
    sources: Sequence[Source], index: Index | None, *, workers: int = 1, cluster: str | None = None
) -> list[PlannedCase]:
    """What would become of each source.

    Args:
        sources: As `curate` would go through them.
        index: Of SRC, where there is DICOM.
        workers: Processes that read the headers of NIfTI files.
        cluster: In their place.

    Raises:
        StorageError: The index can't be read.
    """
    dicom = [item for item in sources if item.kind == "dicom"]
    found = _dicom_extents(dicom, index) if index is not None and dicom else {}
    files = {item.case: item for item in sources if item.kind == "nifti" and not item.problem}
    outcomes = (
        map_cases(_nifti_extent, files, workers=workers, description="headers", cluster=cluster)
        if files
        else []
    )
    refused = {item.case: item.message for item in outcomes if item.status == "failed"}
    found |= {item.case: item.value for item in outcomes if item.value is not None}
    return [
        PlannedCase(
            item.case,
            _verdict(item, refused.get(item.case, "")),
            found.get(item.case, Extent()),
            item.has_labels,
        )
        for item in sources
    ]


def _verdict(source: Source, problem: str) -> Verdict:
    why = source.problem or problem
    if not why:
        return judge_notes(dict.fromkeys(source.repairs, 1))
    found = judge_failure(why)
    if found.code == _NO_CODE and not problem:
        return Verdict(found.kind, _PLAIN_CODE, why)
    return found


def _nifti_extent(source: Source) -> Extent:
    header = read_header(source.image)
    kind: Kind = "ct" if source.modality in (None, "ct") else "mr"
    return Extent(kind, prod(header.shape), 1, source.image.stat().st_size)


def _dicom_extents(sources: Iterable[Source], index: Index) -> dict[str, Extent]:
    """By case; voxels are those of all slices that lie with its own, so copies count too."""
    files = _slice_files(index)
    by_folder = _by_folder(files)
    listed = {path for item in sources for path in item.files}
    by_file = _by_file(files, listed, index.root) if listed else {}
    below = _Below(by_folder)
    found = {}
    for item in sources:
        if item.files:
            parts = [by_file[path] for path in item.files if path in by_file]
        else:
            folder = _relative(item.image, index.root)
            parts = list(below.parts(folder) if item.is_deep else _one(by_folder, folder))
        found[item.case] = _sum(parts)
    return found


def _slice_files(index: Index) -> pa.Table:
    """A row a file with slices that are no scouts: file, folder, size, voxels, and whether it is MR."""
    slices = index.slices(["file", "size", "rows", "columns", "modality", "is_localizer"])
    slices = slices.filter(pc.invert(slices["is_localizer"]))
    voxels = pc.multiply(slices["rows"].cast(pa.int64()), slices["columns"].cast(pa.int64()))
    slices = slices.append_column("voxels", voxels)
    slices = slices.append_column("mr", pc.equal(slices["modality"], "MR").cast(pa.int64()))
    files = slices.group_by("file").aggregate([("size", "max"), ("voxels", "sum"), ("mr", "max")])
    folder = pc.replace_substring_regex(files["file"], r"^[^/]*$", "/")
    return files.append_column("folder", pc.replace_substring_regex(folder, r"/[^/]*$", ""))


def _by_folder(files: pa.Table) -> dict[str, Extent]:
    sums = files.group_by("folder").aggregate(
        [("size_max", "sum"), ("voxels_sum", "sum"), ("mr_max", "max"), ("file", "count")]
    )
    return {
        row["folder"]: Extent(
            "mr" if row["mr_max_max"] else "ct",
            row["voxels_sum_sum"],
            row["file_count"],
            row["size_max_sum"],
        )
        for row in sums.to_pylist()
    }


def _by_file(files: pa.Table, wanted: set[Path], root: Path) -> dict[Path, Extent]:
    names = pa.array([_relative(path, root) for path in wanted])
    rows = files.filter(pc.is_in(files["file"], value_set=names)).to_pylist()
    return {
        root / row["file"]: Extent("mr" if row["mr_max"] else "ct", row["voxels_sum"], 1, row["size_max"])
        for row in rows
    }


class _Below:
    """What lies in a folder and all its own, without going through all folders each time."""

    def __init__(self, by_folder: Mapping[str, Extent]) -> None:
        self._parts: dict[str, list[Extent]] = {}
        for folder, extent in by_folder.items():
            steps = folder.split("/") if folder else []
            for depth in range(len(steps) + 1):
                self._parts.setdefault("/".join(steps[:depth]), []).append(extent)

    def parts(self, folder: str) -> Sequence[Extent]:
        return self._parts.get(folder, [])


def _one(by_folder: Mapping[str, Extent], folder: str) -> Iterator[Extent]:
    if folder in by_folder:
        yield by_folder[folder]


def _relative(path: Path, root: Path) -> str:
    """As the index calls it; the root itself is empty."""
    name = path.relative_to(root).as_posix()
    return "" if name == "." else name


def _sum(parts: Sequence[Extent]) -> Extent:
    kind: Kind = "mr" if any(part.kind == "mr" for part in parts) else "ct"
    return Extent(
        kind,
        sum(part.voxels for part in parts),
        sum(part.files for part in parts),
        sum(part.bytes for part in parts),
    )
