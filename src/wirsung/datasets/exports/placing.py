"""One case's files in an export: the image linked or copied, the label map written, and a note of both."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wirsung.compute.atomic import atomic_path, storage_error, write_json
from wirsung.compute.cases import Skip
from wirsung.datasets.exports.classes import ExportClasses
from wirsung.datasets.layout import SUFFIX, Case
from wirsung.errors import StorageError, WirsungError
from wirsung.imaging.geometry import same_grid_as
from wirsung.imaging.nifti import read_header, read_image, write_nifti
from wirsung.imaging.nifti_header import NiftiHeader
from wirsung.imaging.orientation import axis_codes
from wirsung.imaging.volume import Volume

NOTES = ".wirsung/cases"
"""Folder of an export that keeps what was made of which files."""
_SCHEMA = 1


@dataclass(frozen=True)
class Places:
    """Where the files of one case go, from the export's folder on."""

    image: str
    labels: str | None = None
    """None where no label map is wanted."""
    sidecars: Mapping[str, Any] = field(default_factory=dict)
    """JSON files: path to content."""

    @property
    def all(self) -> tuple[str, ...]:
        """Every path."""
        return (self.image, *([self.labels] if self.labels else []), *self.sidecars)


@dataclass(frozen=True)
class Placing:
    """What one process needs to export one case."""

    case: Case
    root: Path
    places: Places
    classes: ExportClasses | None
    copy: bool


@dataclass(frozen=True)
class Placed:
    """What was made of a case."""

    files: tuple[str, ...]
    axis_codes: str
    """Of the image, such as RPS."""


def place(task: Placing) -> Placed:
    """Write the case's files, unless they are there and made of the same.

    Raises:
        Skip: They are there.
        ImageError: The image is damaged.
        LabelError: A mask is missing or damaged.
        GeometryError: Image and masks lie on different grids.
        StorageError: The folder can't be written, or can hold no links.
    """
    note = task.root / NOTES / f"{task.case.id}.json"
    key = _key(task)
    before = read_note(note)
    if (
        before is not None
        and before[0] == key
        and all((task.root / name).exists() for name in before[1].files)
    ):
        raise Skip(before[1])
    if before is not None:
        remove(task.root, note, before[1])
    header = read_header(task.case.image_path)
    made = Placed(task.places.all, axis_codes(header.affine))
    try:
        if task.places.labels is not None and task.classes is not None:
            _write_labels(task, task.classes, header, task.root / task.places.labels)
        _place_image(task, header, task.root / task.places.image)
        for name, content in task.places.sidecars.items():
            write_json(task.root / name, content)
    except (WirsungError, OSError):
        remove(task.root, note, made)
        raise
    write_json(note, {"schema": _SCHEMA, "key": key, **asdict(made)})
    return made


def read_note(path: Path) -> tuple[str, Placed] | None:
    """The key and the files that a note tells; None where there is none, or it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != _SCHEMA:
            return None
        return str(content["key"]), Placed(tuple(content["files"]), str(content["axis_codes"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove(root: Path, note: Path, placed: Placed) -> None:
    """Take a case's files out of the export; the note goes last, so that a killed run can go on."""
    for name in placed.files:
        path = root / name
        path.unlink(missing_ok=True)
        folder = path.parent
        while folder != root and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
    note.unlink(missing_ok=True)


def link_or_copy(source: Path, target: Path, *, copy: bool) -> None:
    """Make `target` the file `source`: a link relative to where it lies, or a copy.

    Raises:
        StorageError: The folder can't be written, or can hold no links.
    """
    if copy:
        with atomic_path(target) as partial:
            shutil.copyfile(source, partial)
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(target, error) from error
    aside = target.with_name(f".partial-{os.getpid()}-{target.name}")
    try:
        aside.unlink(missing_ok=True)
        aside.symlink_to(_from(target.parent, source))
        aside.replace(target)
    except OSError as error:
        aside.unlink(missing_ok=True)
        msg = f"{target.parent} can hold no links ({error.strerror}). Run it again with --copy."
        raise StorageError(msg) from error


def _from(folder: Path, source: Path) -> Path:
    """The way to the file itself, whatever links lead to it now."""
    real = source.resolve()
    try:
        return Path(os.path.relpath(real, folder.resolve()))
    except ValueError:  # another drive of Windows
        return real


def _place_image(task: Placing, header: NiftiHeader, target: Path) -> None:
    """Link or copy; an image that other tools would refuse or place elsewhere is written anew."""
    source = task.case.image_path
    if source.name.endswith(SUFFIX) and header.affine_shift_mm == 0:
        link_or_copy(source, target, copy=task.copy)
    else:
        write_nifti(target, read_image(source))


def _write_labels(task: Placing, classes: ExportClasses, header: NiftiHeader, target: Path) -> None:
    # The grid of the image without its voxels: one zero stands for all of them.
    grid = Volume(np.broadcast_to(np.zeros(1, np.uint8), header.shape), header.affine)
    names = ("masks", task.case.image_path.name)
    labels = same_grid_as(classes.label_map(task.case), grid, case=task.case.id, names=names)
    write_nifti(target, labels)


def _key(task: Placing) -> str:
    files = [task.case.image_path, *task.case.label_files]
    classes = task.classes
    told = [
        [_state(path) for path in files],
        asdict(task.places),
        [] if classes is None else [classes.scheme.name, classes.labels],
        [task.case.style.scheme_name, task.case.style.grid, dict(task.case.style.unions)],
        task.copy,
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _state(path: Path) -> list[str | int]:
    """Path, size and time: what changes when the file does."""
    if not path.exists():
        return [str(path.resolve())]
    found = path.stat()
    return [str(path.resolve()), found.st_size, found.st_mtime_ns]
