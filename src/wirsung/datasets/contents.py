"""What a dataset holds, read once: its description, its tables, and what is known of its source.

A dataset may also be no more than the table of a release (`metadata.xlsx`), before any image is downloaded.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from wirsung.datasets.description import DESCRIPTION_FILE, Description, read_description
from wirsung.datasets.layout import Dataset, distinct_names, is_dataset
from wirsung.datasets.manifest import (
    MANIFEST_FILE,
    STRUCTURES_FILE,
    ManifestRow,
    manifest_rows,
    read_manifest,
    read_structures,
)
from wirsung.datasets.release_metadata import (
    ReleaseMetadata,
    read_release_metadata,
    release_cohort,
)
from wirsung.datasets.release_rows import RELEASE_TABLE, row_of_table
from wirsung.datasets.sources import Source, source_named, source_names
from wirsung.datasets.tables.cohort import Cohort, cohort
from wirsung.errors import ManifestError

PROVENANCE_FILE = "provenance.jsonl"
_RELEASE = "pants"
_TOLD_BY_TABLE = (
    *("centre", "phase", "sex", "age_years", "manufacturer", "tumour"),
    *(f"shape_{axis}" for axis in "ijk"),
    *(f"spacing_{axis}_mm" for axis in "ijk"),
)


@dataclass(frozen=True)
class Contents:
    """One dataset, as its tables tell of it."""

    name: str
    root: Path
    description: Description
    manifest: pa.Table
    """As `read_manifest` gives it; made of the folders, or of the release's table, where there is none."""
    structures: pa.Table | None = None
    """What was measured of each mask; None where nothing was."""
    dataset: Dataset | None = None
    """None where there is a table alone."""
    release: ReleaseMetadata | None = None
    source: Source | None = None
    provenance: tuple[Mapping[str, Any], ...] = field(default=())
    """The last line of each case that was curated."""

    @property
    def cases(self) -> int:
        """How many there are."""
        return int(self.manifest.num_rows)

    @property
    def has_manifest(self) -> bool:
        """Whether the manifest is a file of the dataset."""
        return (self.root / MANIFEST_FILE).is_file()

    @property
    def is_described(self) -> bool:
        """Whether the dataset has a `dataset.toml`."""
        return (self.root / DESCRIPTION_FILE).is_file()

    @property
    def annotated(self) -> frozenset[str] | None:
        """The structures that somebody looked for in every case; None where nobody said."""
        told: Iterable[str] = self.description.annotated
        if not told and self.source is not None and not self.source.partial:
            told = self.source.annotated
        return frozenset(told) or None

    def cohort(self) -> Cohort:
        """The columns of Table 1."""
        if self.dataset is None and self.release is not None:
            return release_cohort(self.name, self.release.rows)
        return cohort(self.name, self.manifest, self.structures)


def contents_of(path: Path) -> Contents:
    """Read a dataset's tables, or the table of a release.

    Args:
        path: A dataset, a folder with a release's `metadata.xlsx`, or that file.

    Raises:
        ManifestError: It is none of these, or a table is damaged.
    """
    if path.suffix == ".xlsx":
        return _of_table(path)
    if not is_dataset(path):
        if (path / RELEASE_TABLE).is_file():
            return _of_table(path / RELEASE_TABLE)
        what = (
            "is neither a dataset nor a folder with"
            if path.exists()
            else "does not exist, as a dataset or with"
        )
        msg = f"{path} {what} a release's {RELEASE_TABLE}. Check the path."
        raise ManifestError(msg)
    dataset = Dataset.open(path)
    table = path / RELEASE_TABLE
    release = read_release_metadata(table) if table.is_file() else None
    has_manifest = (path / MANIFEST_FILE).is_file()
    measured = (path / STRUCTURES_FILE).is_file()
    return Contents(
        dataset.name,
        path,
        dataset.description,
        read_manifest(path) if has_manifest else _made_manifest(dataset, release),
        read_structures(path) if measured else None,
        dataset,
        release,
        _source_of(dataset.description, [case.id for case in dataset.cases]),
        _provenance(path),
    )


def distinctly_named(found: Iterable[Contents]) -> list[str]:
    """A name for each, see `distinct_names`."""
    return distinct_names(
        [(item.name, item.root if item.root.is_dir() else item.root.parent) for item in found]
    )


def _of_table(path: Path) -> Contents:
    release = read_release_metadata(path)
    rows = [row_of_table(row) for row in release.rows]
    description = read_description(path.parent)
    source = _source_of(description, [row.case for row in rows])
    name = source.title.partition(":")[0] if source is not None else path.parent.resolve().name
    return Contents(name, path, description, _as_table(rows), release=release, source=source)


def _made_manifest(dataset: Dataset, release: ReleaseMetadata | None) -> pa.Table:
    """Rows of the folders, with what the release's table says of each case."""
    known = {row.case: row for row in release.rows} if release is not None else {}
    rows = []
    for row, case in zip(manifest_rows(dataset), dataset.cases, strict=True):
        told = asdict(row)
        if case.id in known:
            of_table = asdict(row_of_table(known[case.id]))
            told |= {key: of_table[key] for key in _TOLD_BY_TABLE}
        names = case.structure_names()
        rows.append(ManifestRow(**{**told, "structures": names, "has_labels": bool(names)}))
    return _as_table(rows)


def _as_table(rows: Iterable[ManifestRow]) -> pa.Table:
    return pa.Table.from_pylist([asdict(row) for row in rows])


def _source_of(description: Description, cases: list[str]) -> Source | None:
    """The public source that the description names, or that the cases are called after."""
    named = description.source
    if named:
        return source_named(named) if named in source_names() else None
    is_release = bool(cases) and all(case.startswith("PanTS_") for case in cases)
    return source_named(_RELEASE) if is_release else None


def _provenance(root: Path) -> tuple[Mapping[str, Any], ...]:
    """The last line of each case; a line that is no JSON is passed over."""
    path = root / PROVENANCE_FILE
    if not path.is_file():
        return ()
    last: dict[str, Mapping[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and "case" in found:
            last[str(found["case"])] = found
    return tuple(last.values())
