"""What to predict: the cases behind a file, a folder or a dataset."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from wirsung.compute.file_state import state_of_file
from wirsung.datasets.layout import MODALITIES, Dataset, is_dataset
from wirsung.datasets.splits import Split, read_split
from wirsung.errors import ConfigError, ImageError, ManifestError
from wirsung.imaging.dicom import is_dicom_file, read_series
from wirsung.imaging.nifti import read_image
from wirsung.imaging.volume import Volume
from wirsung.inference.plausibility import check_place

_SUFFIXES = (".nii.gz", ".nii")
_FOREIGN = (".nrrd", ".nhdr", ".mha", ".mhd", ".mgz", ".hdr", ".img", ".nii.bz2", ".nii.xz", ".nii.zst")
"""Scans that can't be read; among others, they are cases with a problem rather than passed over."""
_CHANNEL = re.compile(r"(.+)_(\d{4})")
"""How nnU-Net names the channels of a case: CASE_0000, CASE_0001 and so on."""
_ORDINARY = {"NOT_DICOM", "OTHER_OBJECT", "DUP_FILE_DROPPED", "PADDING_MAPPED"}
"""What leaves no doubt about which slices were meant, and where they lie."""


class Read(NamedTuple):
    """A case that was read."""

    volumes: tuple[Volume, ...]
    """One a channel."""
    modality: str | None
    """ct, t1, t2 or mr, where the name or the DICOM header says so."""
    notes: tuple[str, ...] = ()
    """What its user should know of it."""


@dataclass(frozen=True)
class Source:
    """One case to predict."""

    kind: Literal["nifti", "dicom"]
    path: Path
    """The file, or the folder of the series; of several channels the first."""
    case: str = ""
    """Its name."""
    others: tuple[Path, ...] = ()
    """The files of further channels."""
    modality: str | None = None
    """ct, t1, t2 or mr, where the name says so."""
    problem: str = ""
    """Why it can't be read, where that is known before; other cases go on."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """One a channel."""
        return (self.path, *self.others)

    def volume(self) -> Volume:
        """The image, or its first channel.

        Raises:
            ImageError: It is missing or damaged.
        """
        return self.volumes()[0]

    def volumes(self) -> tuple[Volume, ...]:
        """The image, a volume a channel.

        Raises:
            ImageError: One is missing or damaged.
        """
        return self.read().volumes

    def read(self) -> Read:
        """The image.

        Raises:
            ImageError: One is missing or damaged.
            GeometryError: Its spacing is impossible.
        """
        if self.problem:
            raise ImageError(self.problem)
        if self.kind == "nifti":
            found = Read(tuple(read_image(path) for path in self.paths), self.modality)
        else:
            series = read_series(self.path)
            found = Read((series.volume,), series.modality.casefold(), _series_notes(series.notes))
        for volume, path in zip(found.volumes, self.paths, strict=True):
            check_place(volume, str(path))
        return found

    def key(self) -> str:
        """Another one when the file or a file of the series changes."""
        files = list(self.paths) if self.kind == "nifti" else sorted(_files(self.path))
        states = [state_of_file(file) for file in files if file.is_file()]
        return hashlib.sha256(json.dumps([states, self.modality]).encode()).hexdigest()


def find_sources(
    path: Path, split: str = "all", fold: int | None = None, *, channels: Sequence[str] = ("CT",)
) -> dict[str, Source]:
    """Case id to image, sorted by id.

    Args:
        path: A NIfTI file, a DICOM series folder, a folder of either, or a dataset.
        split: Of a dataset: all, test or validation.
        fold: Whose validation cases; None with the other splits.
        channels: What the model is given. Of several, CASE_0000, CASE_0001 and so on are one case; or in a
            folder of a case, the images named as the channels are.

    Raises:
        ManifestError: Nothing to predict is there, two images are of the same name, or every case lacks a
            channel.
        ConfigError: A split is asked of what is no dataset, or the fold does not exist.
    """
    if is_dataset(path):
        return _of_dataset(Dataset.open(path), split, fold)
    if split != "all":
        msg = f"{path} is not a dataset, so it has no {split} cases. Leave --split out."
        raise ConfigError(msg)
    found: dict[str, Source] = {}
    for source in joined(list(_of_path(path, channels)), channels, path):
        if source.case in found:
            case = source.case
            msg = f"{path} holds two images named {case}. Rename one: predictions are named for their image."
            raise ManifestError(msg)
        found[source.case] = source
    if not found:
        raise ManifestError(_nothing(path))
    return dict(sorted(found.items()))


def joined(sources: Sequence[Source], channels: Sequence[str], path: Path) -> list[Source]:
    """The channels of each case in one source, where the files are named as nnU-Net's are.

    Of a model of one channel, names lose their _0000 only where every image has it.

    A case that lacks a channel becomes one with a problem.

    Raises:
        ManifestError: Every case lacks a channel.
    """
    names = [_CHANNEL.fullmatch(source.case) for source in sources if source.kind == "nifti"]
    if len(channels) == 1 and not (names and all(name and name[2] == "0000" for name in names)):
        return list(sources)
    made: list[Source] = []
    groups: dict[str, dict[int, Source]] = {}
    for source in sources:
        name = _CHANNEL.fullmatch(source.case)
        if source.kind == "dicom" or source.others or name is None:
            made.append(source)
        else:
            groups.setdefault(name[1], {})[int(name[2])] = source
    for case, group in groups.items():
        missing = [number for number in range(len(channels)) if number not in group]
        if missing:
            file = f"{case}_{missing[0]:04}.nii.gz"
            msg = f"{path}: case {case} lacks {file}, its channel {channels[missing[0]]}. Put it beside."
            made.append(replace(next(iter(group.values())), case=case, problem=msg))
            continue
        others = tuple(group[number].path for number in range(1, len(channels)))
        made.append(replace(group[0], case=case, others=others))
    if made and all(source.problem for source in made):
        raise ManifestError(made[0].problem)
    return made


def refuse_overwriting(sources: Mapping[str, Source], out: Path, *, lesion_probability: bool) -> None:
    """Do nothing where no prediction would be written over an image, or over that of another case.

    Raises:
        ConfigError: One would; images are only ever read.
    """
    place = out.resolve()
    images = {path.resolve() for source in sources.values() for path in source.paths}
    for case, source in sources.items():
        names = [f"{case}.nii.gz", *([f"{case}_lesion.nii.gz"] if lesion_probability else [])]
        over = [name for name in names if place / name in images]
        if over or (source.kind == "dicom" and source.path.resolve() == place):
            what = f"over the image {over[0]}" if over else f"among the images of {case}"
            msg = f"The predictions would be written {what}, as {out} is its folder. Choose another OUT."
            raise ConfigError(msg)
        if lesion_probability and f"{case}_lesion" in sources:
            msg = (
                f"{case}_lesion.nii.gz would be both the lesion's probability of case {case} and the label "
                f"map of case {case}_lesion. Rename one of the images."
            )
            raise ConfigError(msg)


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


def _series_notes(codes: Mapping[str, int]) -> tuple[str, ...]:
    """What was left out of a series or mended in it, as a sentence; nothing where that is ordinary."""
    told = [f"{count} {code}" for code, count in sorted(codes.items()) if code not in _ORDINARY]
    if not told:
        return ()
    where = "docs/how-to/curate.md tells what that means"
    return (f"In the folder of the series slices were left out or mended: {', '.join(told)} ({where}).",)


def _of_dataset(dataset: Dataset, split: str, fold: int | None) -> dict[str, Source]:
    wanted = {case.id for case in dataset.cases} if split == "all" else _of_split(dataset, split, fold)
    cases = map(dataset.case, sorted(wanted))
    return {case.id: Source("nifti", case.image_path, case.id, modality=case.modality) for case in cases}


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


def _of_path(path: Path, channels: Sequence[str]) -> Iterator[Source]:
    if path.is_file():
        if path.name.endswith(_SUFFIXES):
            yield _nifti(path)
            if _CHANNEL.fullmatch(case_name(path)) and len(channels) > 1:
                yield from _beside(path)
    elif path.is_dir():
        yield from _of_folder(path, channels)


def _of_folder(path: Path, channels: Sequence[str]) -> Iterator[Source]:
    """What lies in a folder; a series among NIfTI images is one case more."""
    items = [item for item in sorted(path.iterdir()) if not item.name.startswith(".")]
    if _is_series(path):
        yield Source("dicom", path, path.resolve().name)
        items = [item for item in items if not item.is_dir()]  # its folders belong to the series
    known: set[str] = set()
    for item in items:
        for source in _of_item_or_problem(item, channels):
            known.add(source.case)
            yield source
    for item in items:
        foreign = _foreign(item)
        if foreign is not None and foreign.case not in known:
            known.add(foreign.case)
            yield foreign


def _foreign(item: Path) -> Source | None:
    """A scan of a kind that can't be read; what stands beside it as NIfTI counts instead."""
    name = item.name.lower()
    suffix = next((suffix for suffix in (*_FOREIGN, *_SUFFIXES) if name.endswith(suffix)), "")
    if not suffix or item.name.endswith(_SUFFIXES) or item.is_dir():
        return None
    msg = f"{item} is not named .nii.gz or .nii, as a NIfTI image must be. Rename or convert it."
    return Source("nifti", item, item.name[: -len(suffix)], problem=msg)


def _nifti(path: Path) -> Source:
    name = case_name(path)
    return Source("nifti", path, name, modality=name if name in MODALITIES else None)


def _beside(path: Path) -> Iterator[Source]:
    """The further channels of the case that a file is the first of."""
    name = _CHANNEL.fullmatch(case_name(path))
    for file in sorted(path.parent.iterdir()) if name else []:
        other = _CHANNEL.fullmatch(case_name(file)) if file.name.endswith(_SUFFIXES) else None
        if name and other and other[1] == name[1] and file != path:
            yield _nifti(file)


def _of_item_or_problem(item: Path, channels: Sequence[str]) -> Iterator[Source]:
    """A file or folder inside the folder that was named; one that can't be looked into is a case too."""
    try:
        yield from _of_item(item, channels)
    except OSError as error:
        msg = f"{item} can't be read ({error.strerror}). Check its rights."
        yield Source("nifti", item, case_name(item), problem=msg)


def _of_item(item: Path, channels: Sequence[str]) -> Iterator[Source]:
    # A link to nothing is an image that is missing, not no image.
    if not item.is_dir():
        if item.name.endswith(_SUFFIXES):
            yield _nifti(item)
        return
    images = [item / f"{name.casefold()}.nii.gz" for name in channels]
    if len(images) > 1 and all(image.is_file() for image in images):
        yield Source("nifti", images[0], item.name, tuple(images[1:]))
        return
    for modality in MODALITIES:
        if (item / f"{modality}.nii.gz").is_file():
            yield Source("nifti", item / f"{modality}.nii.gz", item.name, modality=modality)
            return
    for folder in (item, item / "dicom"):
        if _is_series(folder):
            yield Source("dicom", folder, item.name)
            return


def _nothing(path: Path) -> str:
    """Why a path that was named gives no case."""
    named = "Name an image, a series folder, a folder of either, or a dataset."
    if not path.exists():
        return f"{path} does not exist. {named}"
    if path.is_dir():
        return f"{path} holds no NIfTI image and no DICOM series. {named}"
    if is_dicom_file(path):
        return f"{path} is one DICOM file. Name the folder of its series."
    return f"{path} is not named .nii.gz or .nii, as a NIfTI image must be. Rename or convert it."


def _is_series(folder: Path) -> bool:
    return any(is_dicom_file(file) for file in _files(folder))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")]
