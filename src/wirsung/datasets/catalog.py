"""The stage `catalog`: the tables of a dataset made, and brought up to date where its files changed.

`manifest.parquet` keeps what it knew and learns what the images say; `structures.parquet`, `lesions.parquet`
and `fingerprints.parquet` are measured. What is found of a case is put down in `.catalog/` at once and
becomes part of the tables at the end, so a killed run loses the cases that it was at.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tyro

from wirsung.compute.cases import Outcome, map_cases, one_cluster
from wirsung.datasets.catalog_found import Found, files_sha256, read_found
from wirsung.datasets.catalog_tables import (
    FINGERPRINTS_FILE,
    FINGERPRINTS_SCHEMA,
    LESIONS_FILE,
    LESIONS_SCHEMA,
    fingerprints_table,
    lesions_table,
)
from wirsung.datasets.layout import Case, Dataset
from wirsung.datasets.manifest import (
    MANIFEST_FILE,
    STRUCTURES_FILE,
    STRUCTURES_SCHEMA,
    ManifestRow,
    read_table,
    rows_of_manifest,
    structures_table,
    write_manifest,
    write_table,
)
from wirsung.errors import ManifestError, counted

_FOLDER = ".catalog"
_FEW = 10
_TABLES = {
    STRUCTURES_FILE: STRUCTURES_SCHEMA,
    LESIONS_FILE: LESIONS_SCHEMA,
    FINGERPRINTS_FILE: FINGERPRINTS_SCHEMA,  # last, as it says of which files the others speak
}


@dataclass(frozen=True)
class CatalogSettings:
    """Make a dataset's tables from its images and masks, or bring them up to date."""

    dataset: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATASET")]
    """The dataset, curated, imported or as released; only tables are written to it."""
    workers: int = 1
    """Cases read at the same time."""
    cluster: str | None = None
    """In place of workers: tcp://HOST:PORT of a Dask scheduler, local:N, or slurm:FILE.toml."""


class Catalog(list[Outcome[None]]):
    """One outcome a case, and what the tables hold now."""

    def __init__(self, outcomes: Sequence[Outcome[None]], notes: Sequence[str]) -> None:
        super().__init__(outcomes)
        self.notes = tuple(notes)

    def lines(self) -> list[str]:
        """For the terminal."""
        return list(self.notes)


@one_cluster()
def catalog(settings: CatalogSettings) -> Catalog:
    """Measure each case whose files changed since its tables were written; a damaged case fails alone.

    Rows of cases that are gone or can't be read are taken out of the measured tables.

    Raises:
        ManifestError: It is not a dataset, or its manifest is damaged.
        StorageError: The dataset's folder can't be written.
    """
    dataset = Dataset.open(settings.dataset)
    root, folder = dataset.root, dataset.root / _FOLDER
    before = {name: _read(root / name, schema) for name, schema in _TABLES.items()}
    known = _marks(before)
    marks = {case.id: files_sha256(case, dataset.description) for case in dataset.cases}
    same = {case for case, mark in marks.items() if known.get(case) == mark}
    kept = {case: found for case in sorted(marks.keys() - same) if (found := _put_down(folder, case, marks))}
    todo = {
        case.id: (case, marks[case.id])
        for case in dataset.cases
        if case.id not in same and case.id not in kept
    }
    made = {item.case: item for item in _measured(todo, folder, settings)}
    new = kept | {case: found for case in made if (found := _put_down(folder, case, marks))}
    old_rows = _manifest(dataset)
    changed = _changed(before[STRUCTURES_FILE], old_rows, new)
    _write(root, before, same, new)
    rows = {case.id: _row(case, old_rows.get(case.id), new.get(case.id)) for case in dataset.cases}
    if rows != old_rows or not (root / MANIFEST_FILE).is_file():
        write_manifest(root, rows.values())
    shutil.rmtree(folder, ignore_errors=True)
    outcomes = [made.get(case.id, Outcome(case.id, "skipped")) for case in dataset.cases]
    return Catalog(outcomes, [_told(root), *_notes(changed, sorted(known.keys() - marks.keys()))])


def _measured(
    todo: Mapping[str, tuple[Case, str]], folder: Path, settings: CatalogSettings
) -> list[Outcome[None]]:
    if not todo:
        return []
    # Here and not above: the compiled loops cost a second, and a run that finds nothing new needs none.
    from wirsung.datasets.catalog_case import CatalogTask, catalog_case

    tasks = {case: CatalogTask(*pair, folder) for case, pair in todo.items()}
    return map_cases(
        catalog_case, tasks, workers=settings.workers, description="catalog", cluster=settings.cluster
    )


def _read(path: Path, schema: pa.Schema) -> pa.Table:
    """The table as it was; an empty one where it is missing or damaged, so that it is made anew."""
    try:
        return read_table(path, schema, "catalog")
    except ManifestError:
        return schema.empty_table()


def _marks(before: Mapping[str, pa.Table]) -> dict[str, str]:
    """By case, the files of which the tables speak; nothing where one of the tables is gone."""
    table = before[FINGERPRINTS_FILE]
    return dict(zip(table["case"].to_pylist(), table["files_sha256"].to_pylist(), strict=True))


def _put_down(folder: Path, case: str, marks: Mapping[str, str]) -> Found | None:
    found = read_found(folder, case)
    return found if found and found.fingerprint.files_sha256 == marks[case] else None


def _manifest(dataset: Dataset) -> dict[str, ManifestRow]:
    """What is known of each case already: by the manifest, else by the table of a release."""
    if (dataset.root / MANIFEST_FILE).is_file():
        return rows_of_manifest(dataset.root)
    # Here and not above: to read a spreadsheet takes a third of a second to import.
    from wirsung.datasets.release_rows import read_release_rows

    return read_release_rows(dataset.root)


def _row(case: Case, old: ManifestRow | None, found: Found | None) -> ManifestRow:
    """What was known stays, but for what the files themselves say."""
    row = old or ManifestRow(case.id, case.id)
    row = replace(row, modality=case.modality, subset=case.subset)
    if found is None:
        return row
    facts = found.facts
    grid: dict[str, Any] = {f"shape_{axis}": side for axis, side in zip("ijk", facts.shape, strict=True)}
    grid |= {f"spacing_{axis}_mm": step for axis, step in zip("ijk", facts.spacing_mm, strict=True)}
    tumour = row.tumour if row.tumour is not None else facts.has_lesion
    return replace(
        row,
        **grid,
        has_labels=bool(facts.structures),
        structures=facts.structures,
        tumour=tumour,
        image_sha256=facts.image_sha256,
    )


def _changed(table: pa.Table, rows: Mapping[str, ManifestRow], new: Mapping[str, Found]) -> list[str]:
    """Cases of whose image or masks the tables held another checksum."""
    if not new:
        return []
    listed = table.filter(pc.is_in(table["case"], pa.array(list(new), pa.string())))
    old = {(row["case"], row["structure"]): row["runs_sha256"] for row in listed.to_pylist()}
    images = {case: row.image_sha256 for case, row in rows.items() if row.image_sha256}
    return sorted(
        case
        for case, found in new.items()
        if images.get(case, found.facts.image_sha256) != found.facts.image_sha256
        or any(old.get((case, row.structure), row.runs_sha256) != row.runs_sha256 for row in found.structures)
    )


def _write(root: Path, before: Mapping[str, pa.Table], same: set[str], new: Mapping[str, Found]) -> None:
    """The tables: rows of cases that are the same, and of those that were measured."""
    if not new and all(_is_whole(root / name, old, same) for name, old in before.items()):
        return
    made = {
        STRUCTURES_FILE: structures_table([row for found in new.values() for row in found.structures]),
        LESIONS_FILE: lesions_table([row for found in new.values() for row in found.lesions]),
        FINGERPRINTS_FILE: fingerprints_table([found.fingerprint for found in new.values()]),
    }
    staying = pa.array(sorted(same), pa.string())
    for name, old in before.items():
        table = pa.concat_tables([old.filter(pc.is_in(old["case"], staying)), made[name]])
        order = pc.sort_indices(table["case"])  # stable: the rows of a case stay in their order
        write_table(root / name, table.take(order))


def _is_whole(path: Path, table: pa.Table, same: set[str]) -> bool:
    return path.is_file() and set(table["case"].to_pylist()) <= same


def _told(root: Path) -> str:
    counts = {name: pq.read_metadata(root / name).num_rows for name in _TABLES}
    return (
        f"{counts[FINGERPRINTS_FILE]:,} scans, {counts[STRUCTURES_FILE]:,} structures and "
        f"{counts[LESIONS_FILE]:,} lesions are in the tables of {root}."
    )


def _notes(changed: Sequence[str], gone: Sequence[str]) -> list[str]:
    lists = (
        ("case holds", "cases hold", "other voxels than the tables said, which are mended", changed),
        ("case is", "cases are", "gone, as are the rows in the tables", gone),
    )
    told = []
    for one, several, what, cases in lists:
        if cases:
            more = f" and {len(cases) - _FEW} more" if len(cases) > _FEW else ""
            told.append(f"{counted(len(cases), one, several)} {what}: {', '.join(cases[:_FEW])}{more}.")
    return told
