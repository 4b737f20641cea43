"""`wirsung import`: a public source's folder as a dataset, by reference."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import cast

from wirsung.compute.atomic import storage_error, write_bytes, write_json, write_text
from wirsung.compute.cases import Outcome, map_cases
from wirsung.datasets.description import DESCRIPTION_FILE, Description, read_description, write_description
from wirsung.datasets.foreign_labels import LabelStyle
from wirsung.datasets.importing.finding import Found, FoundCase, find_cases, list_files
from wirsung.datasets.importing.imported import REPORT_FILE, Imported
from wirsung.datasets.importing.listing import SourceList
from wirsung.datasets.importing.placing import (
    PARTIAL,
    RECORDS,
    CaseImport,
    import_case,
    place_link,
    recorded_row,
)
from wirsung.datasets.importing.series import Prepared, prepare_series
from wirsung.datasets.importing.settings import ImportSettings
from wirsung.datasets.importing.source_table import SourceTable, read_source_table
from wirsung.datasets.layout import IMAGE_FOLDERS, LABEL_FOLDERS, Modality, Subset, is_case_id
from wirsung.datasets.manifest import MANIFEST_FILE, ManifestRow, rows_of_manifest, write_manifest
from wirsung.datasets.sources import Source, source_named
from wirsung.errors import ConfigError, ManifestError

SCHEME_FILE = "scheme.toml"
BEGUN = "begun"
"""While a run is on, the cases that it may leave half done; gone when it ends."""
_SCHEMA = 1


def import_source(settings: ImportSettings) -> Imported | Prepared | SourceList:
    """Import the source's folder, or list the sources; a source of DICOM is prepared for curation.

    Raises:
        ConfigError: The source or a setting is wrong, or DATASET is something else already.
        ManifestError: The folder is not the source's, holds two layouts of it, or its table is damaged.
        StorageError: The disk takes no such links.
    """
    if settings.source == "list":
        return SourceList()
    source = source_named(settings.source)
    folder, out = _places(settings, source)
    files = list_files(folder)
    found = find_cases(source, folder, files)
    how = "copy" if settings.copy else settings.link
    _try_link(out, folder / files[0], how)
    if found.layout.is_dicom:
        return prepare_series(source, found, (folder, out), how, settings.workers)
    table = read_source_table(source, folder, files) if settings.table else None
    style = _describe(source, out)
    pattern = CaseImport(
        "", folder, out, (), (), {}, "train", "ct", how, style, source.annotated, partial=source.partial
    )
    tasks = _tasks(source, found, table, pattern)
    write_text(out / RECORDS / BEGUN, "\n".join(tasks))
    outcomes = map_cases(
        import_case, tasks, workers=settings.workers, description="Importing", cluster=settings.cluster
    )
    made = Imported(outcomes, source, out, found, table, _gone(out, outcomes))
    _write_manifest(out, outcomes)
    write_json(out / REPORT_FILE, {"schema": _SCHEMA, **made.as_json()})
    (out / RECORDS / BEGUN).unlink()
    return made


def _places(settings: ImportSettings, source: Source) -> tuple[Path, Path]:
    """The source's folder and the dataset's, with no link in their names."""
    if settings.path is None or settings.out is None:
        msg = (
            "Name the folder and the dataset: "
            f"wirsung import {source.name} {settings.path or 'PATH'} --out {settings.out or 'DATASET'}"
        )
        raise ConfigError(msg)
    folder, out = settings.path.resolve(), settings.out.resolve()
    if out == folder or folder in out.parents:
        msg = f"--out {settings.out} lies in {settings.path}, which is only read. Choose a folder beside it."
        raise ConfigError(msg)
    if (out / DESCRIPTION_FILE).is_file():
        there = read_description(out)
        if there.source != source.name:
            msg = f"{settings.out} is the dataset {there.name!r} of another source. Choose another --out."
            raise ConfigError(msg)
    elif any((out / name).exists() for name in IMAGE_FOLDERS.values()):
        msg = f"{settings.out} holds a dataset that was not imported. Choose another --out."
        raise ConfigError(msg)
    return folder, out


def _try_link(out: Path, file: Path, how: str) -> None:
    """Refuse once, before 10,000 cases do."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=out) as trial:
            if how != "copy":
                place_link(file, Path(trial) / "link", how)
    except OSError as error:
        raise storage_error(out, error) from error


def _describe(source: Source, out: Path) -> LabelStyle:
    """Write `dataset.toml` first, so that what is imported can be read at any time."""
    scheme = source.label_scheme
    if scheme.endswith(".toml"):
        write_bytes(out / SCHEME_FILE, Path(scheme).read_bytes())
        scheme = SCHEME_FILE
    description = Description(
        source.name,
        licence=source.licence.name,
        source=source.name,
        annotated=source.annotated,
        label_scheme=scheme,
        label_grid=source.label_grid,
        unions=source.unions,
    )
    if not (out / DESCRIPTION_FILE).is_file() or read_description(out) != description:
        write_description(out, description)
    return description.label_style(out)


def _tasks(
    source: Source, found: Found, table: SourceTable | None, pattern: CaseImport
) -> dict[str, CaseImport]:
    tasks: dict[str, CaseImport] = {}
    begun = _begun(pattern.out)
    for own, case in found.cases.items():
        name = source.case_id(own)
        if not is_case_id(name) or name in tasks:
            msg = f"{source.name}: {name!r} is no id of a case, or two cases have it. Mend its id_template."
            raise ManifestError(msg)
        tasks[name] = _task(
            source,
            case,
            dict(table.rows.get(own, {})) if table else {},
            replace(pattern, id=name, begun=name in begun),
        )
    return tasks


def _begun(out: Path) -> set[str]:
    """The cases that a run which was cut off may have left half done."""
    path = out / RECORDS / BEGUN
    if not path.is_file():
        return set()
    for folder in (*IMAGE_FOLDERS.values(), *LABEL_FOLDERS.values()):
        for partial in (out / folder).glob(f"{PARTIAL}*"):
            shutil.rmtree(partial)
    return set(path.read_text(encoding="utf-8").split("\n"))


def _task(source: Source, case: FoundCase, told: dict[str, object], pattern: CaseImport) -> CaseImport:
    ours = {theirs: name for name, theirs in source.mask_names.items()}
    subset = str(told.pop("subset", case.part.subset))
    by_id = {"patient": source.patient(case.own), "centre": source.centre(case.own)}
    return replace(
        pattern,
        images=tuple(case.images),
        labels=tuple(case.labels),
        masks={ours.get(name, name): tuple(paths) for name, paths in case.masks.items()},
        subset=cast(Subset, subset),
        modality=cast(Modality, case.part.modality),
        told={column: value for column, value in by_id.items() if value is not None} | told,
    )


def _gone(out: Path, outcomes: list[Outcome[ManifestRow]]) -> tuple[str, ...]:
    names = {outcome.case for outcome in outcomes}
    return tuple(sorted(path.stem for path in (out / RECORDS).glob("*.json") if path.stem not in names))


def _write_manifest(out: Path, outcomes: list[Outcome[ManifestRow]]) -> None:
    """One row for each case that is in the dataset; what others measured of unchanged cases stays."""
    known = _known_rows(out)
    rows: dict[str, ManifestRow] = {}
    made = {outcome.case: outcome for outcome in outcomes}
    for case in _cases_in(out):
        outcome = made.get(case)
        is_new = outcome is not None and outcome.status == "done"
        row = outcome.value if is_new and outcome else known.get(case) or recorded_row(out, case)
        rows[case] = row or ManifestRow(case, case)
    write_manifest(out, rows.values())


def _cases_in(out: Path) -> list[str]:
    folders = [out / name for name in IMAGE_FOLDERS.values()]
    return [
        path.name
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    ]


def _known_rows(out: Path) -> dict[str, ManifestRow]:
    if not (out / MANIFEST_FILE).is_file():
        return {}
    try:
        return rows_of_manifest(out)
    except ManifestError:
        return {}  # damaged: it is written anew from the records
