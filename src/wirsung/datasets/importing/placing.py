"""One case of a source into the dataset: links or copies under our names, and its row of the manifest."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wirsung.compute.atomic import storage_error, write_json
from wirsung.compute.cases import Skip
from wirsung.datasets.foreign_labels import LABEL_MAP_FILE, LabelStyle, read_labels, write_drawn
from wirsung.datasets.importing.finding import one_of
from wirsung.datasets.layout import (
    IMAGE_FOLDERS,
    LABEL_FOLDERS,
    MASK_FOLDER,
    PLAIN_SUFFIX,
    SUFFIX,
    Case,
    Modality,
    Subset,
)
from wirsung.datasets.manifest import ManifestRow
from wirsung.errors import GeometryError, ManifestError, StorageError
from wirsung.imaging.nifti import read_header

RECORDS = ".import"
_SCHEMA = 1
PARTIAL = ".partial-"
"""How the name of a half made folder begins; hidden ones are no cases."""


@dataclass(frozen=True)
class CaseImport:
    """All that a worker needs to import one case."""

    id: str
    folder: Path
    """Of the source."""
    out: Path
    images: tuple[str, ...]
    """Paths from the source's folder; more than one where it is there twice."""
    labels: tuple[str, ...]
    masks: Mapping[str, tuple[str, ...]]
    """By our names."""
    subset: Subset
    modality: Modality
    link: str
    """symbolic, hard or copy."""
    style: LabelStyle
    annotated: tuple[str, ...]
    partial: bool
    begun: bool = False
    """Whether a run that was cut off may have left the case half done."""
    told: Mapping[str, Any] = field(default_factory=dict)
    """What id and table tell of the case: columns of the manifest."""


def import_case(task: CaseImport) -> ManifestRow:
    """Put the case into the dataset, whole or not at all.

    Raises:
        Skip: It is there already, and nothing changed; carries the row.
        ManifestError: A file is there twice with different content, or the dataset has another such case.
        GeometryError: The label map does not fit its image.
        ImageError: A header can't be read.
        StorageError: A link is refused, or the disk is full.
    """
    files = _chosen(task)
    record = task.out / RECORDS / f"{task.id}.json"
    state = _state(task, files)
    known = _read_record(record)
    if known is not None and known.get("state") == state and _is_there(task, files):
        raise Skip(_row_of(known["row"]))
    row = _row(task, files)
    if known is None and not task.begun:
        _check_free(task)
    with _replacing(task, LABEL_FOLDERS) as labels:
        if len(files) > 1:
            _fill_labels(task, files, labels)
            row = _with_labels(task, files, labels, row)
        else:
            labels.rmdir()
    with _replacing(task, IMAGE_FOLDERS) as images:
        _put(task, files["image"], images / _image_name(task, files["image"]))
    write_json(record, {"schema": _SCHEMA, "state": state, "row": asdict(row)})
    return row


def recorded_row(out: Path, case: str) -> ManifestRow | None:
    """The row of a case that was imported before; None where it was not."""
    known = _read_record(out / RECORDS / f"{case}.json")
    return None if known is None else _row_of(known["row"])


def place_link(target: Path, name: Path, how: str) -> None:
    """Let `name` stand for `target`: a relative symbolic link, a hard link, or a copy.

    Raises:
        StorageError: The file system refuses it; the message says what to do.
    """
    try:
        if how == "symbolic":
            name.symlink_to(os.path.relpath(target, name.parent))
        elif how == "hard":
            name.hardlink_to(target)
        else:
            shutil.copyfile(target, name)
            _flush(name)
    except (OSError, NotImplementedError) as error:
        if how == "copy":
            raise storage_error(name, error if isinstance(error, OSError) else OSError()) from error
        other = "--link symbolic" if how == "hard" else "--link hard"
        why = getattr(error, "strerror", None) or type(error).__name__
        msg = f"{name.parent} takes no {how} links to {target.parent} ({why}). Use {other}, or --copy."
        raise StorageError(msg) from error


def _chosen(task: CaseImport) -> dict[str, str]:
    """What each file is for, to its path from the source's folder; the label map is `label`."""
    files = {"image": one_of(list(task.images), task.folder)}
    if task.labels:
        files["label"] = one_of(list(task.labels), task.folder)
    for name, paths in task.masks.items():
        files[f"{MASK_FOLDER}/{name}"] = one_of(list(paths), task.folder)
    return files


def _state(task: CaseImport, files: Mapping[str, str]) -> dict[str, Any]:
    """What must not have changed for the case to be skipped."""
    stats = {use: (task.folder / path).stat() for use, path in files.items()}
    return {
        "files": {use: [files[use], stat.st_size, stat.st_mtime_ns] for use, stat in stats.items()},
        "folder": os.path.relpath(task.folder, task.out),
        "how": [task.link, task.subset, task.modality, task.style.scheme_name, task.style.grid],
        "told": dict(task.told),
    }


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return table if table.get("schema") == _SCHEMA and "row" in table else None


def _row_of(values: Mapping[str, Any]) -> ManifestRow:
    return ManifestRow(**{**values, "structures": tuple(values["structures"])})


def _is_there(task: CaseImport, files: Mapping[str, str]) -> bool:
    case = _case(task, task.out / IMAGE_FOLDERS[task.subset], task.out / LABEL_FOLDERS[task.subset])
    return case.image_path.is_file() and len(case.label_files) == len(files) - 1


def _case(task: CaseImport, images: Path, labels: Path) -> Case:
    return Case(task.id, task.subset, task.modality, images / task.id, labels / task.id, task.style)


def _row(task: CaseImport, files: Mapping[str, str]) -> ManifestRow:
    """The row, from the image's header and what is told; no voxel is read."""
    header = read_header(task.folder / files["image"])
    if "label" in files:
        other = read_header(task.folder / files["label"])
        if other.shape != header.shape:
            msg = f"the label map has shape {other.shape}, but the image {header.shape}. Find the right one."
            raise GeometryError(msg)
    spacing_mm = np.linalg.norm(header.affine[:3, :3], axis=0).round(6).tolist()
    values: dict[str, Any] = {"patient": task.id, **task.told}
    values |= {f"shape_{axis}": length for axis, length in zip("ijk", header.shape, strict=True)}
    values |= {f"spacing_{axis}_mm": length for axis, length in zip("ijk", spacing_mm, strict=True)}
    return ManifestRow(case=task.id, modality=task.modality, subset=task.subset, **values)


def _fill_labels(task: CaseImport, files: Mapping[str, str], folder: Path) -> None:
    if "label" in files:
        _put(task, files["label"], folder / LABEL_MAP_FILE)
    masks = [use for use in files if use.startswith(MASK_FOLDER)]
    if masks:
        (folder / MASK_FOLDER).mkdir()
    for use in masks:
        _put(task, files[use], folder / f"{use}{SUFFIX}")


def _with_labels(task: CaseImport, files: Mapping[str, str], folder: Path, row: ManifestRow) -> ManifestRow:
    """The row with the labels in it; what was not drawn in this case is written beside them."""
    image = task.folder / files["image"]
    if task.partial and "label" in files:
        labels = read_labels(folder, task.style, image)
        present = set(np.unique(labels.voxels).tolist())
        scheme = task.style.scheme
        write_drawn(folder, [name for name in scheme.mask_names() if present & set(scheme.mask_values(name))])
    held = Case(task.id, task.subset, task.modality, image.parent, folder, task.style).structure_names()
    if not task.partial and not set(task.annotated) <= set(held):
        write_drawn(folder, held)
    return ManifestRow(**{**asdict(row), "has_labels": bool(held), "structures": held})


def _check_free(task: CaseImport) -> None:
    """Pass where nothing of that name is in the dataset that an import did not put there."""
    for name in (*IMAGE_FOLDERS.values(), *LABEL_FOLDERS.values()):
        if (task.out / name / task.id).exists():
            msg = f"{name}/{task.id} is there already and was not imported. Choose another --out, or move it."
            raise ManifestError(msg)


def _image_name(task: CaseImport, path: str) -> str:
    return f"{task.modality}{SUFFIX if path.endswith('.gz') else PLAIN_SUFFIX}"


def _put(task: CaseImport, path: str, name: Path) -> None:
    place_link(task.folder / path, name, task.link)


@contextmanager
def _replacing(task: CaseImport, folders: Mapping[Subset, str]) -> Iterator[Path]:
    """A folder that becomes the case's when the block ends well; what stood there goes."""
    final = task.out / folders[task.subset] / task.id
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=final.parent))
    except OSError as error:
        raise storage_error(final, error) from error
    try:
        yield partial
        for name in folders.values():
            if (task.out / name / task.id).exists():
                shutil.rmtree(task.out / name / task.id)
        if partial.exists():
            partial.chmod(0o755)
            partial.replace(final)
    finally:
        with suppress(OSError):
            shutil.rmtree(partial)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
