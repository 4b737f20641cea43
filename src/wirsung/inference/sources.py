"""What to predict: the cases behind a file, a folder or a dataset."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wirsung.datasets.layout import MODALITIES, Dataset, is_dataset
from wirsung.datasets.splits import Split, read_split
from wirsung.errors import ConfigError, ManifestError
from wirsung.imaging.dicom import is_dicom_file, read_series
from wirsung.imaging.nifti import read_image
from wirsung.imaging.volume import Volume

_SUFFIXES = (".nii.gz", ".nii")


@dataclass(frozen=True)
class Source:
    """One image to predict."""

    kind: Literal["nifti", "dicom"]
    path: Path
    """The file, or the folder of the series."""

    def volume(self) -> Volume:
        """The image.

        Raises:
            ImageError: It is missing or damaged.
        """
        return read_image(self.path) if self.kind == "nifti" else read_series(self.path).volume

    def key(self) -> str:
        """Another one when the file or a file of the series changes."""
        files = [self.path] if self.kind == "nifti" else sorted(_files(self.path))
        states = [
            (file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()
        ]
        return hashlib.sha256(json.dumps(states).encode()).hexdigest()


def find_sources(path: Path, split: str = "all", fold: int | None = None) -> dict[str, Source]:
    """Case id to image, sorted by id.

    Args:
        path: A NIfTI file, a DICOM series folder, a folder of either, or a dataset.
        split: Of a dataset: all, test or validation.
        fold: Whose validation cases; None with the other splits.

    Raises:
        ManifestError: Nothing to predict is there, or two images are of the same name.
        ConfigError: A split is asked of what is no dataset, or the fold does not exist.
    """
    if is_dataset(path):
        return _of_dataset(Dataset.open(path), split, fold)
    if split != "all":
        msg = f"{path} is not a dataset, so it has no {split} cases. Leave --split out."
        raise ConfigError(msg)
    found: dict[str, Source] = {}
    for case, source in _of_path(path):
        if case in found:
            msg = f"{path} holds two images named {case}. Rename one: predictions are named for their image."
            raise ManifestError(msg)
        found[case] = source
    if not found:
        what = "holds no NIfTI image and no DICOM series" if path.exists() else "does not exist"
        msg = f"{path} {what}. Name an image, a series folder, a folder of either, or a dataset."
        raise ManifestError(msg)
    return dict(sorted(found.items()))


def case_name(path: Path) -> str:
    """A file's or folder's name without suffix.

    Example:
        >>> case_name(Path("scans/0042.nii.gz")), case_name(Path("series.1"))
        ('0042', 'series.1')
    """
    for suffix in _SUFFIXES:
        if path.name.endswith(suffix):
            return path.name.removesuffix(suffix)
    return path.name


def _of_dataset(dataset: Dataset, split: str, fold: int | None) -> dict[str, Source]:
    wanted = {case.id for case in dataset.cases} if split == "all" else _of_split(dataset, split, fold)
    return {case.id: Source("nifti", case.image_path) for case in map(dataset.case, sorted(wanted))}


def _of_split(dataset: Dataset, split: str, fold: int | None) -> set[str]:
    found = read_split(dataset.root)
    chosen = set(found.test) if split == "test" else set(_validation(found, fold))
    if not chosen:
        msg = f"The split of {dataset.root} has no {split} cases. Make another with: wirsung split"
        raise ManifestError(msg)
    return chosen


def _validation(split: Split, fold: int | None) -> tuple[str, ...]:
    if fold is None or fold >= len(split.folds):
        msg = f"Whose validation cases? Choose a fold from 0 to {len(split.folds) - 1} with --fold."
        raise ConfigError(msg)
    return split.folds[fold].validation


def _of_path(path: Path) -> Iterator[tuple[str, Source]]:
    if path.is_file():
        if path.name.endswith(_SUFFIXES):
            yield case_name(path), Source("nifti", path)
    elif path.is_dir():
        if _is_series(path):
            yield path.resolve().name, Source("dicom", path)
            return
        for item in sorted(path.iterdir()):
            if not item.name.startswith("."):
                yield from _of_item(item)


def _of_item(item: Path) -> Iterator[tuple[str, Source]]:
    """A file or folder inside the folder that was named."""
    if item.is_file():
        if item.name.endswith(_SUFFIXES):
            yield case_name(item), Source("nifti", item)
        return
    for modality in MODALITIES:
        if (item / f"{modality}.nii.gz").is_file():
            yield item.name, Source("nifti", item / f"{modality}.nii.gz")
            return
    for folder in (item, item / "dicom"):
        if _is_series(folder):
            yield item.name, Source("dicom", folder)
            return


def _is_series(folder: Path) -> bool:
    return any(is_dicom_file(file) for file in _files(folder))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")]
