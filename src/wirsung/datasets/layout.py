"""The PanTS layout: `ImageTr/<id>/ct.nii.gz` and `LabelTr/<id>/segmentations/<structure>.nii.gz`.

The release's own test cases lie in `ImageTe/` and `LabelTe/`. A release of PanTS as downloaded has the same
layout, with `LabelAll/` where its labels were not sorted yet, and no `dataset.toml`. A curated case has its
masks once more, as codes in one volume (`labels.nii.gz` and `labels.json`, see `imaging.code_files`): the
same, but read in a tenth of the time. An imported case may have a label map of another scheme in place of
masks (`label_map.nii.gz`, see `datasets.foreign_labels`); what it holds is asked for by the same names.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

import numpy as np

from wirsung.anatomy.schemes import Scheme
from wirsung.anatomy.structures import structures
from wirsung.datasets.description import DESCRIPTION_FILE, Description, read_description
from wirsung.datasets.foreign_labels import (
    LABEL_MAP_FILE,
    LabelStyle,
    codes_in,
    drawn_in,
    mask_in,
    read_labels,
    translate,
)
from wirsung.datasets.painting import paint, painting_order
from wirsung.errors import GeometryError, ImageError, LabelError, ManifestError, near_names
from wirsung.imaging.arrays import Mask
from wirsung.imaging.geometry import check_same_grid
from wirsung.imaging.nifti import read_image, read_mask
from wirsung.imaging.volume import Volume

if TYPE_CHECKING:
    from wirsung.imaging.code_volume import CodeVolume

Subset = Literal["train", "test"]
Modality = Literal["ct", "t1", "t2", "mr"]

MODALITIES: tuple[Modality, ...] = ("ct", "t1", "t2", "mr")
"""mr is MRI whose sequence nobody told."""
IMAGE_FOLDERS: dict[Subset, str] = {"train": "ImageTr", "test": "ImageTe"}
LABEL_FOLDERS: dict[Subset, str] = {"train": "LabelTr", "test": "LabelTe"}
ALL_LABELS = "LabelAll"
MASK_FOLDER = "segmentations"
COMBINED_FILE = "combined_labels.nii.gz"
SUFFIX = ".nii.gz"
PLAIN_SUFFIX = ".nii"
"""Of images that were imported uncompressed."""

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


def is_case_id(text: str) -> bool:
    """Whether a case may be called so: 1 to 128 of A-Z a-z 0-9 . _ - and no dot in front.

    Example:
        >>> is_case_id("PanTS_00000001"), is_case_id("a b"), is_case_id("../a"), is_case_id(".a")
        (True, False, False, False)
    """
    return bool(_ID.fullmatch(text))


@dataclass(frozen=True)
class Case:
    """One image and its masks, by where they lie on the disk."""

    id: str
    """The folder's name."""
    subset: Subset
    """The side of the release's own split, from the folder's name."""
    modality: Modality
    image_folder: Path
    label_folder: Path
    """Holds `segmentations/`, or a label map; need not exist."""
    style: LabelStyle = field(default_factory=LabelStyle)
    """How the dataset's labels are to be read."""

    @property
    def image_path(self) -> Path:
        """The image's file."""
        plain = self.image_folder / f"{self.modality}{PLAIN_SUFFIX}"
        compressed = self.image_folder / f"{self.modality}{SUFFIX}"
        return plain if not compressed.is_file() and plain.is_file() else compressed

    @property
    def combined_path(self) -> Path:
        """The label map that comes with the masks; need not exist."""
        return self.label_folder / COMBINED_FILE

    @property
    def has_labels(self) -> bool:
        """Whether at least one mask is there, or a label map."""
        return bool(self.structure_names())

    @property
    def label_map_path(self) -> Path:
        """The label map of another scheme that stands for masks; need not exist."""
        return self.label_folder / LABEL_MAP_FILE

    def file_of(self, structure: str) -> Path:
        """The file that the mask of that structure is read from, the first of several; need not exist."""
        path = self.mask_path(structure)
        if path.is_file() or not self.style.scheme_name:
            members = self.style.unions.get(structure, ())
            return self.mask_path(members[0]) if members and not path.is_file() else path
        return self.label_map_path

    @property
    def label_files(self) -> tuple[Path, ...]:
        """Every file that its labels are read from: masks, then the label map."""
        masks = tuple(self.mask_path(name) for name in self._mask_files())
        return (*masks, self.label_map_path) if self.label_map_path.is_file() else masks

    def mask_path(self, structure: str) -> Path:
        """Where the mask of that structure lies, or would lie."""
        return self.label_folder / MASK_FOLDER / f"{structure}{SUFFIX}"

    def structure_names(self) -> tuple[str, ...]:
        """The structures with a mask, in official order, others after them by name.

        A mask is a file, several files together, or part of a label map, whatever the dataset has.
        """
        names = set(self._mask_files())
        names |= {name for name, members in self.style.unions.items() if names.issuperset(members)}
        names |= set(drawn_in(self.label_folder, self.style)) if self.style.scheme_name else set()
        official = [name for name in structures() if name in names]
        return (*official, *sorted(names.difference(official)))

    def image(self) -> Volume:
        """The image.

        Raises:
            ImageError: It is missing or damaged.
        """
        return read_image(self.image_path)

    def mask(self, structure: str) -> Volume:
        """The mask of one structure, of bool.

        Raises:
            LabelError: The case has no such mask file, or the file is not a mask.
        """
        path = self.mask_path(structure)
        if path.is_file():
            return self.style.lines_up(read_mask(path), self.image_path)
        if structure not in self.structure_names():
            near = near_names(structure, self.structure_names()) if self.has_labels else "It has none at all."
            msg = f"case {self.id} has no mask of {structure!r}. {near}"
            raise LabelError(msg)
        members = self.style.unions.get(structure, ())
        if not members:
            return mask_in(self._labels(), self.style, structure)
        first = self.mask(members[0])
        return first.with_voxels(np.logical_or.reduce([mask for _, mask in self._masks(members, first)]))

    def label_map(self, scheme: Scheme) -> Volume:
        """The masks painted into one label map of that scheme, outer structures first and the lesion last.

        Raises:
            LabelError: The case has no masks.
            GeometryError: The masks lie on different grids.
        """
        if self._is_label_map:
            return translate(self._labels(), self.style.scheme, scheme) or self._refuse(scheme)
        names = self._painted(scheme)
        if not names:
            self._refuse(scheme)
        codes = self.stored_codes()
        if codes is not None:
            found = codes.label_map({name: place.value for name in names if (place := scheme.class_of(name))})
            kind = np.uint8 if max(scheme.values) < 256 else np.uint16
            return found.with_voxels(found.voxels.astype(kind, copy=False))
        first = self.mask(names[0])
        return first.with_voxels(paint(self._masks(names, first), first.shape, scheme))

    def codes(self) -> "CodeVolume":
        """All masks in one volume, without loss; of a curated case it is only read.

        Raises:
            LabelError: The case has no masks, or one is no mask.
            GeometryError: The masks lie on different grids.
        """
        from wirsung.imaging.code_volume import merge_masks

        names = painting_order(self.structure_names())
        if not names:
            msg = f"case {self.id} has no mask in {MASK_FOLDER}/. Add the masks."
            raise LabelError(msg)
        if self._is_label_map:
            return codes_in(self._labels(), self.style, names)
        found = self.stored_codes()
        if found is not None:
            return found
        first = self.mask(names[0])
        return merge_masks((name, first.with_voxels(mask)) for name, mask in self._masks(names, first))

    def stored_codes(self) -> "CodeVolume | None":
        """The codes that curation wrote; None without them, or where a mask has changed since."""
        # Here and not above: their compiled loops cost a fifth of a second, and many ask for images only.
        from wirsung.imaging.code_files import fit_masks, read_codes

        masks = {name: self.mask_path(name) for name in self._mask_files()}
        if not masks or not fit_masks(self.label_folder, masks):
            return None
        try:
            return read_codes(self.label_folder)
        except (LabelError, ImageError, GeometryError):
            return None

    @property
    def _is_label_map(self) -> bool:
        """Whether all it has is a label map."""
        return bool(self.style.scheme_name) and not self._mask_files() and self.label_map_path.is_file()

    def _labels(self) -> Volume:
        return read_labels(self.label_folder, self.style, self.image_path)

    def _mask_files(self) -> tuple[str, ...]:
        """The structures with a mask file of their own, by name."""
        folder = self.label_folder / MASK_FOLDER
        if not folder.is_dir():
            return ()
        return tuple(sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"[!.]*{SUFFIX}")))

    def _painted(self, scheme: Scheme) -> tuple[str, ...]:
        """The masks that the scheme has a class for, in painting order; the parts of a union before it."""
        names = self.structure_names()
        classes = {item.name for item in scheme.classes}
        whole = {name for name, members in self.style.unions.items() if classes.isdisjoint(members)}
        kept = (name for name in names if name not in self.style.unions or name in whole)
        return painting_order(name for name in kept if scheme.class_of(name))

    def _refuse(self, scheme: Scheme) -> NoReturn:
        where = LABEL_MAP_FILE if self._is_label_map else f"{MASK_FOLDER}/"
        msg = (
            f"case {self.id} has no mask in {where} that {scheme.name} has a class for. "
            "Add the masks, or choose another scheme."
        )
        raise LabelError(msg)

    def _masks(self, names: tuple[str, ...], first: Volume) -> Iterator[tuple[str, Mask]]:
        yield names[0], first.voxels
        for name in names[1:]:
            mask = self.mask(name)
            check_same_grid(first, mask, case=self.id, names=(names[0], name))
            yield name, mask.voxels


@dataclass(frozen=True)
class Dataset:
    """Cases in the PanTS layout."""

    root: Path
    description: Description
    cases: tuple[Case, ...]
    """Sorted by id."""

    @property
    def name(self) -> str:
        """What the dataset is called."""
        return self.description.name

    @property
    def scheme(self) -> str:
        """The label scheme of its combined labels."""
        return self.description.scheme

    @property
    def clip_hu(self) -> tuple[int, int] | None:
        """What its CT images were clipped to, if they were."""
        return self.description.clip_hu

    @classmethod
    def open(cls, root: Path) -> "Dataset":
        """The dataset in that folder.

        Raises:
            ManifestError: It is not a dataset, holds no case, or a case is there twice.
        """
        if not is_dataset(root):
            what = "does not exist" if not root.exists() else "is not a dataset"
            msg = (
                f"{root} {what}: a dataset has {DESCRIPTION_FILE} or the folder ImageTr/ or ImageTe/. "
                "Make one with: wirsung curate SRC OUT"
            )
            raise ManifestError(msg)
        description = read_description(root)
        found = (*_cases_of(root, "train", description), *_cases_of(root, "test", description))
        cases = sorted(found, key=lambda case: case.id)
        for one, other in pairwise(cases):
            if one.id == other.id:
                msg = f"{root}: case {one.id} is in ImageTr/ and in ImageTe/. Remove one of them."
                raise ManifestError(msg)
        return cls(root, description, tuple(cases))

    def case(self, case_id: str) -> Case:
        """The case of that id.

        Raises:
            ManifestError: There is none.
        """
        place = bisect_left(self.cases, case_id, key=lambda case: case.id)
        if place < len(self.cases) and self.cases[place].id == case_id:
            return self.cases[place]
        near = near_names(case_id, [case.id for case in self.cases][:20])
        msg = f"{self.root} has no case {case_id!r}. {near}"
        raise ManifestError(msg)

    def structure_names(self) -> tuple[str, ...]:
        """The structures that at least one case has a mask file of, in official order."""
        names = {name for case in self.cases for name in case.structure_names()}
        official = [name for name in structures() if name in names]
        return (*official, *sorted(names.difference(official)))


def distinct_names(datasets: Sequence[tuple[str, Path]]) -> list[str]:
    """A name for each dataset of some; where two have the same, the folder's too, then a number.

    Args:
        datasets: Name and folder of each.

    Example:
        >>> distinct_names([("mine", Path("/a/one")), ("mine", Path("/a/two")), ("theirs", Path("/b"))])
        ['mine (one)', 'mine (two)', 'theirs']
    """
    names = [name for name, _ in datasets]
    told = [
        name if names.count(name) == 1 else f"{name} ({folder.resolve().name})" for name, folder in datasets
    ]
    return [name if told.count(name) == 1 else f"{name} [{place}]" for place, name in enumerate(told, 1)]


def is_dataset(path: Path) -> bool:
    """Whether the folder has a `dataset.toml` or the image folders of the PanTS layout."""
    marks = (DESCRIPTION_FILE, *IMAGE_FOLDERS.values())
    return any((path / mark).exists() for mark in marks)


def _cases_of(root: Path, subset: Subset, description: Description) -> Iterator[Case]:
    style = description.label_style(root)
    images = root / IMAGE_FOLDERS[subset]
    labels = root / LABEL_FOLDERS[subset]
    if not images.is_dir():
        return
    for folder in images.iterdir():
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        label_folder = labels / folder.name
        if not label_folder.is_dir() and (root / ALL_LABELS / folder.name).is_dir():
            label_folder = root / ALL_LABELS / folder.name
        yield Case(folder.name, subset, _modality_of(folder), folder, label_folder, style)


def _modality_of(folder: Path) -> Modality:
    """The modality by the image's name; ct where there is no image, so that reading it says so."""
    suffixes = (SUFFIX, PLAIN_SUFFIX)
    found = [name for name in MODALITIES if any((folder / f"{name}{end}").is_file() for end in suffixes)]
    if len(found) > 1:
        msg = f"{folder} holds {' and '.join(found)} images. A case has one image: give each its own folder."
        raise ManifestError(msg)
    return found[0] if found else "ct"
