"""Finding the cases in a folder of raw scans."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from wirsung.datasets.foreign_labels import LabelStyle
from wirsung.datasets.layout import (
    IMAGE_FOLDERS,
    MASK_FOLDER,
    MODALITIES,
    SUFFIX,
    Case,
    Dataset,
    Modality,
    Subset,
    is_case_id,
)
from wirsung.errors import ConfigError, ManifestError
from wirsung.imaging.dicom import is_dicom_file

DICOM_FOLDER = "dicom"
_NIFTI_SUFFIXES = (SUFFIX, ".nii")
_NEVER_DICOM = (".gz", ".nii", ".csv", ".json", ".toml", ".txt", ".md", ".xlsx", ".pdf", ".zip", ".key")
# A loop of links ends here; nobody nests patient, study and series any deeper.
_DEEPEST = 8


@dataclass(frozen=True)
class Source:
    """Where one case comes from."""

    case: str
    place: str
    """Relative to SRC, for messages."""
    kind: Literal["nifti", "dicom"] = "nifti"
    image: Path = Path()
    """The file, or the folder with the DICOM files."""
    is_deep: bool = False
    """Whether DICOM files in the folder's own folders belong to the case."""
    files: tuple[Path, ...] = ()
    """Of the stack, where its folder holds more than one; else all of the folder's."""
    repairs: tuple[str, ...] = ()
    """What has to be done to the stack, by code, as the index tells."""
    modality: Modality | None = None
    """As the file's name says."""
    masks: tuple[Path, ...] = ()
    label_map: Path | None = None
    drawn: tuple[Path, ...] = ()
    """SEG and RTSTRUCT files that refer to the stack."""
    imported: Case | None = None
    """The case of an imported dataset, which tells its labels' scheme and grid itself."""
    subset: Subset = "train"
    problem: str = ""
    """Why the case can't be curated; empty where it can be tried."""

    @property
    def has_labels(self) -> bool:
        """Whether it comes with masks, a label map, SEG or RTSTRUCT."""
        return bool(self.masks or self.drawn) or self.label_map is not None

    @property
    def shown(self) -> str:
        """What messages call it: of DICOM never the place, as folders may be called after patients."""
        return f"Case {self.case}" if self.kind == "dicom" else self.place

    @property
    def labels_kind(self) -> str | None:
        """What its labels are; None without any."""
        kinds = {"label map": self.label_map, "masks": self.masks, "SEG or RTSTRUCT": self.drawn}
        return next((kind for kind, found in kinds.items() if found), None)

    def failing(self, problem: str) -> "Source":
        """The same with a problem; the first one stays."""
        return self if self.problem else replace(self, problem=problem)


def find_sources(source: Path, labels: Path | None = None) -> list[Source]:
    """The cases in SRC, sorted; those that can't be curated carry their problem.

    What `labels` names is no case, where it lies in SRC.

    Raises:
        ManifestError: SRC does not exist, or holds no image.
    """
    if not source.exists():
        msg = f"{source} does not exist. Name the folder with the raw scans."
        raise ManifestError(msg)
    if source.is_file():
        found = [_from_file(source)]
    elif any((source / folder).is_dir() for folder in IMAGE_FOLDERS.values()):
        found = list(_from_dataset(source))
    else:
        found = list(_from_folder(source))
    found = [item for item in found if not _is(labels, item.image, source / item.place)]
    if all(item.image == Path() for item in found):
        why = f" {found[0].problem}" if found else ""
        msg = (
            f"{source} holds no image.{why} Expected are <case>/ct.nii.gz (or t1, t2), <case>/dicom/, "
            "folders of DICOM files, or <case>.nii.gz."
        )
        raise ManifestError(msg)
    return sorted(unique(found), key=lambda item: item.case)


def attach_labels(sources: Sequence[Source], labels: Path | None) -> tuple[list[Source], list[str]]:
    """The cases with the label maps of `--labels`, and the label maps that belong to no case.

    Where any case has labels, one without fails: a dataset half labelled by oversight trains badly.

    Raises:
        ManifestError: The labels do not exist, or the folder holds no label map.
        ConfigError: One label map for several cases.
    """
    left: list[str] = []
    if labels is not None:
        maps = _label_maps(labels, sources)
        left = sorted(set(maps).difference(item.case for item in sources))
        sources = [_with_label_map(item, maps.get(item.case)) for item in sources]
    if any(item.has_labels for item in sources):
        sources = [item if item.has_labels else item.failing(_no_labels(item, labels)) for item in sources]
    return list(sources), left


def stem(name: str) -> str:
    """A file's name without its suffix.

    Example:
        >>> stem("case.1.nii.gz"), stem("case.1.nii"), stem("folder.1")
        ('case.1', 'case.1', 'folder.1')
    """
    for suffix in _NIFTI_SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def is_nifti_name(path: Path) -> bool:
    """Whether the file is called like a NIfTI file."""
    return path.name.endswith(_NIFTI_SUFFIXES) and not path.name.startswith(".")


def dicom_files(folder: Path, *, is_deep: bool) -> list[Path]:
    """The files of a DICOM folder, and where asked of the folders in it, without hidden ones and DICOMDIR."""
    paths = folder.rglob("[!.]*") if is_deep else _children(folder)
    return sorted(path for path in paths if path.is_file() and _may_be_dicom(path))


def _from_file(path: Path) -> Source:
    if is_nifti_name(path):
        return Source(stem(path.name), path.name, image=path)
    hint = "Name the folder of its series" if is_dicom_file(path) else "A single file is a .nii.gz"
    msg = f"{path} is not a NIfTI file. {hint}."
    raise ManifestError(msg)


def _from_dataset(root: Path) -> Iterator[Source]:
    """The cases of a release in the PanTS layout."""
    for case in Dataset.open(root).cases:
        place = case.image_folder.relative_to(root).as_posix()
        found = Source(
            case.id,
            place,
            image=case.image_path,
            modality=case.modality,
            masks=case.label_files,
            subset=case.subset,
            imported=case if case.style != LabelStyle() else None,
        )
        yield found if case.image_path.is_file() else found.failing(f"{place} holds no image.")


def _from_folder(root: Path) -> Iterator[Source]:
    if (root / MASK_FOLDER).is_dir() or _holds_dicom(root / DICOM_FOLDER):
        yield _case_folder(root, root)
        return
    if _holds_dicom(root):
        yield Source(root.resolve().name, root.resolve().name, "dicom", root)
    for path in _children(root):
        if path.is_dir():
            yield from _within(path, root, 1)
        elif is_nifti_name(path):
            yield Source(stem(path.name), path.name, image=path)


def _within(folder: Path, root: Path, depth: int) -> Iterator[Source]:
    """The cases of one folder and of the folders inside it."""
    has_nifti = any(is_nifti_name(path) for path in _children(folder))
    if has_nifti or (folder / MASK_FOLDER).is_dir() or _holds_dicom(folder / DICOM_FOLDER, is_deep=True):
        yield _case_folder(folder, root)
        return
    if _holds_dicom(folder):
        yield Source(folder.name, _place(folder, root), "dicom", folder)
    if depth < _DEEPEST:
        for path in _children(folder):
            if path.is_dir():
                yield from _within(path, root, depth + 1)


def _case_folder(folder: Path, root: Path) -> Source:
    """One case: ct.nii.gz, t1.nii.gz, t2.nii.gz or dicom/, with segmentations/ beside it."""
    case = folder.resolve().name
    place = _place(folder, root)
    images: list[tuple[str, Modality | None, Path]] = [
        (f"{modality}{SUFFIX}", modality, path)
        for modality in MODALITIES
        if (path := folder / f"{modality}{SUFFIX}").is_file()
    ]
    if _holds_dicom(folder / DICOM_FOLDER, is_deep=True):
        images.append((f"{DICOM_FOLDER}/", None, folder / DICOM_FOLDER))
    masks = tuple(path for path in _children(folder / MASK_FOLDER) if is_nifti_name(path))
    if len(images) != 1:
        names = " and ".join(name for name, _, _ in images)
        problem = (
            f"{place} holds {names}, but a case has one image. Give each its own folder."
            if images
            else f"{place} holds no ct{SUFFIX}, t1{SUFFIX}, t2{SUFFIX} or {DICOM_FOLDER}/. "
            "Where each NIfTI file is a case, give that folder itself as SRC."
        )
        return Source(case, place, problem=problem)
    _, modality, path = images[0]
    if modality is None:
        return Source(case, place, "dicom", path, is_deep=True, masks=masks)
    return Source(case, place, "nifti", path, modality=modality, masks=masks)


def _is(labels: Path | None, *places: Path) -> bool:
    return labels is not None and labels.resolve() in [place.resolve() for place in places]


def _place(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path != root else path.resolve().name


def _children(folder: Path) -> list[Path]:
    """What lies in the folder, sorted, without hidden things; nothing where there is no folder."""
    return sorted(path for path in folder.iterdir() if path.name[0] != ".") if folder.is_dir() else []


def _may_be_dicom(path: Path) -> bool:
    return not path.name.lower().endswith(_NEVER_DICOM) and path.name != "DICOMDIR"


def _holds_dicom(folder: Path, *, is_deep: bool = False) -> bool:
    """Whether one of the folder's files is DICOM."""
    return any(is_dicom_file(path) for path in dicom_files(folder, is_deep=is_deep))


def unique(found: Iterable[Source]) -> Iterator[Source]:
    """One source for each id, the others a problem of it.

    Ids that differ by case alone are one, as they are on many disks.
    """
    by_id: dict[str, list[Source]] = {}
    for item in found:
        by_id.setdefault(item.case.lower(), []).append(item)
    for items in by_id.values():
        first = items[0]
        if len(items) > 1:
            places = " and ".join(item.place for item in items)
            if any(item.kind == "dicom" for item in items):
                places = f"{len(items)} places"
            yield replace(first, problem=f"{places} are both called {first.case}. Rename one of them.")
        elif not is_case_id(first.case):
            why = f"{first.shown} is no name for a case. Rename it: letters, digits and . _ - only."
            yield first.failing(why)
        else:
            yield first


def _label_maps(labels: Path, sources: Sequence[Source]) -> dict[str, Path]:
    if labels.is_file():
        if len(sources) > 1:
            msg = f"{labels} is one label map for {len(sources)} cases. Name a folder of <case>{SUFFIX}."
            raise ConfigError(msg)
        return {sources[0].case: labels}
    maps = {stem(path.name): path for path in _children(labels) if is_nifti_name(path)}
    if not maps:
        what = "holds no label map" if labels.is_dir() else "does not exist"
        msg = f"{labels} {what}. Name a label map, or a folder of label maps <case>{SUFFIX}."
        raise ManifestError(msg)
    return maps


def _with_label_map(item: Source, path: Path | None) -> Source:
    if path is not None and (item.masks or item.drawn):
        own = f"{MASK_FOLDER}/" if item.masks else "SEG or RTSTRUCT"
        return item.failing(f"{item.shown} has {own}, and {path.name} in --labels. Keep one.")
    return replace(item, label_map=path)


def _no_labels(item: Source, labels: Path | None) -> str:
    missing = f"{item.case}{SUFFIX} in --labels" if labels else f"{MASK_FOLDER}/ as other cases have"
    why = f"{item.shown} has no labels: there is no {missing}."
    return f"{why} Add them, or curate cases without labels on their own."
