"""Where a case's files go: built in folders beside their place, and put there whole."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wirsung.compute.locks import locked
from wirsung.curation.places import picture_path, report_folder
from wirsung.curation.records import record_path
from wirsung.datasets.layout import COMBINED_FILE, IMAGE_FOLDERS, LABEL_FOLDERS, MASK_FOLDER, SUFFIX, Subset
from wirsung.errors import ConfigError, StorageError

_PARTIAL = ".partial-"


@dataclass(frozen=True)
class Staging:
    """The folders in which one case is built."""

    image_folder: Path
    label_folder: Path

    @property
    def combined_path(self) -> Path:
        """Where the label map is written."""
        return self.label_folder / COMBINED_FILE

    @property
    def mask_folder(self) -> Path:
        """Where the masks are written."""
        return self.label_folder / MASK_FOLDER

    def mask_path(self, structure: str) -> Path:
        """Where a mask is written."""
        return self.mask_folder / f"{structure}{SUFFIX}"


@contextmanager
def sole_writer(out: Path) -> Iterator[None]:
    """Keeps a second run out while this one writes to the dataset; a killed run keeps nobody out.

    Raises:
        ConfigError: Another run writes to it.
    """
    with locked(record_path(out, "").with_name("lock")) as is_sole:
        if not is_sole:
            msg = f"{out} is being written by another run of wirsung curate. Wait until it has ended."
            raise ConfigError(msg)
        yield


@contextmanager
def staged(out: Path, case: str, subset: Subset) -> Iterator[Staging]:
    """Folders to build a case in, which take the place of the case's when the block ends well.

    Where it does not, they vanish. Labels are put in place before the image, and the image before the record
    that the caller writes, so that a killed run leaves at most a case that counts as undone.

    Raises:
        StorageError: The folders can't be made or put in place.
    """
    places = [out / folders[subset] / case for folders in (LABEL_FOLDERS, IMAGE_FOLDERS)]
    labels, image = (place.with_name(_PARTIAL + case) for place in places)
    try:
        _remove(
            labels, image
        )  # of a worker that was killed at this case, whose files must not become part of it
        image.mkdir(parents=True, exist_ok=True)
        yield Staging(image, labels)
        remove_case(out, case)
        for built, place in zip((labels, image), places, strict=True):
            if built.is_dir():
                built.rename(place)
    except OSError as error:
        why = error.strerror or type(error).__name__
        msg = f"Case {case} can't be written to {out} ({why}). Free some space, or write elsewhere."
        raise StorageError(msg) from error
    finally:
        _remove(labels, image)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def remove_case(out: Path, case: str) -> None:
    """Take a case out of the dataset, its record first."""
    record_path(out, case).unlink(missing_ok=True)
    for folder in (*LABEL_FOLDERS.values(), *IMAGE_FOLDERS.values()):
        if (out / folder / case).is_dir():
            shutil.rmtree(out / folder / case)


def clean_leftovers(out: Path) -> None:
    """Remove what a killed run left behind, in the dataset and beside it."""
    names = (*LABEL_FOLDERS.values(), *IMAGE_FOLDERS.values(), record_path(out, "").parent.name, ".")
    beside = (report_folder(out), picture_path(out, "").parent)
    for folder in (*(out / name for name in names), *beside):
        for path in folder.glob(f"{_PARTIAL}*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
