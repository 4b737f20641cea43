"""What is known of each curated case: one small JSON in the dataset, written last, so that it says `done`."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wirsung.compute.atomic import write_json, write_text
from wirsung.curation.deidentification.released import METADATA_FILE
from wirsung.datasets.layout import COMBINED_FILE, IMAGE_FOLDERS, LABEL_FOLDERS, MASK_FOLDER, SUFFIX, Subset
from wirsung.datasets.manifest import ManifestRow, StructureRow
from wirsung.imaging.code_files import TABLE, VOXELS

RECORD_FOLDER = ".curation"
PROVENANCE_FILE = "provenance.jsonl"
_SCHEMA = 1


@dataclass(frozen=True)
class Record:
    """One curated case."""

    case: str
    fingerprint: str
    """Of the source's files and of the settings; where it differs, the case is made anew."""
    run: str
    """When the run that made it began, ISO 8601 in UTC."""
    row: ManifestRow
    """Without what `metadata.csv` says."""
    structures: tuple[StructureRow, ...]
    provenance: Mapping[str, Any]
    """What was done to it."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What `metadata.csv` says, by column."""

    def is_on_disk(self, out: Path) -> bool:
        """Whether every file that the record speaks of is there."""
        return all(path.is_file() for path in self._files(out))

    def _files(self, out: Path) -> Iterator[Path]:
        subset: Subset = "test" if self.row.subset == "test" else "train"
        yield out / IMAGE_FOLDERS[subset] / self.case / f"{self.row.modality}{SUFFIX}"
        if self.provenance.get("source") == "dicom":
            yield out / IMAGE_FOLDERS[subset] / self.case / METADATA_FILE
        labels = out / LABEL_FOLDERS[subset] / self.case
        for name in self.row.structures:
            yield labels / MASK_FOLDER / f"{name}{SUFFIX}"
        if self.row.structures:
            yield from (labels / name for name in (COMBINED_FILE, VOXELS, TABLE))


def record_path(out: Path, case: str) -> Path:
    """Where the record of a case lies."""
    return out / RECORD_FOLDER / f"{case}.json"


def write_record(out: Path, record: Record) -> None:
    """Write the record; from then on the case is done."""
    write_json(record_path(out, record.case), {"schema": _SCHEMA, **asdict(record)})


def read_record(out: Path, case: str) -> Record | None:
    """The record of a case that is done and whose files are there, else None."""
    try:
        table = json.loads(record_path(out, case).read_text(encoding="utf-8"))
        if table.pop("schema") != _SCHEMA:
            return None
        row = table.pop("row")
        measured = tuple(StructureRow(**item) for item in table.pop("structures"))
        manifest_row = ManifestRow(**{**row, "structures": tuple(row["structures"])})
        record = Record(**table, row=manifest_row, structures=measured)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a damaged record is as good as none: the case is made anew
    return record if record.is_on_disk(out) else None


def read_records(out: Path) -> dict[str, Record]:
    """The records of all cases that are done, by case."""
    found = (read_record(out, path.stem) for path in sorted((out / RECORD_FOLDER).glob("[!.]*.json")))
    return {record.case: record for record in found if record is not None}


def extend_provenance(out: Path, records: Mapping[str, Record]) -> None:
    """Add a line for each case that the last runs made; lines that are there stay."""
    path = out / PROVENANCE_FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    known = {(line.get("case"), line.get("run")) for line in map(_parsed, lines)}
    for case, record in records.items():
        if (case, record.run) not in known:
            lines.append(
                json.dumps({"schema": _SCHEMA, "case": case, "run": record.run, **record.provenance})
            )
    write_text(path, "".join(f"{line}\n" for line in lines))


def fingerprint(files: Mapping[str, Path], settings: Mapping[str, object]) -> str:
    """A checksum that changes with the role, the size or the time of a file, or with a setting.

    Only roles and numbers enter, no file names: DICOM exports name files after patients.
    """
    stats = {role: path.stat() for role, path in files.items()}
    content = {
        "files": {role: (stat.st_size, stat.st_mtime_ns) for role, stat in stats.items()},
        "settings": {key: repr(value) for key, value in settings.items()},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _parsed(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
