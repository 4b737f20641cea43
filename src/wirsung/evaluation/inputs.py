"""What is scored against what: the references, the folders of predictions, and the schemes of both."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wirsung.anatomy.schemes import Scheme, scheme
from wirsung.datasets.annotated import annotated_structures
from wirsung.datasets.layout import Case, Dataset, is_dataset
from wirsung.datasets.manifest import manifest_rows
from wirsung.errors import ConfigError, ManifestError
from wirsung.evaluation.case_labels import Source
from wirsung.evaluation.mask_folders import MASKS, MaskFolder, find_mask_folders, mask_scheme
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.evaluation.views import View, is_annotated, views

PREDICTIONS_FILE = "predictions.json"
_SUFFIX = ".nii.gz"
PROBABILITY = "_lesion"
"""What stands after the case in the name of its lesion probability."""


@dataclass(frozen=True)
class Method:
    """One folder of predictions: label maps, or a folder of masks for each case."""

    name: str
    """The folder's name, with its parent's where two are called alike."""
    folder: Path
    scheme: Scheme
    """Of the label maps; that of masks has a class for each structure with a mask."""
    listed: tuple[str, ...] | None
    """The cases of predictions.json; None without it."""
    about: Mapping[str, str] = field(default_factory=dict)
    """Model and device, as predictions.json says."""
    masks: Mapping[str, MaskFolder] | None = None
    """By case; None for label maps."""

    def source(self, case: str) -> Source:
        """Where the prediction of that case lies, or would lie."""
        if self.masks is None:
            return Source(self.folder / f"{case}{_SUFFIX}", self.scheme)
        return Source(self.masks.get(case, MaskFolder(case, self.folder / case)), self.scheme)

    def cases(self) -> tuple[str, ...]:
        """The cases that are predicted, whether or not there is a reference."""
        return tuple(label_maps(self.folder) if self.masks is None else self.masks)

    def probability(self, case: str) -> Path | None:
        """The case's lesion probability, where there is one."""
        path = self.folder / f"{case}{PROBABILITY}{_SUFFIX}"
        return path if path.is_file() else None


@dataclass(frozen=True)
class Reference:
    """What predictions are held against."""

    name: str
    cases: Mapping[str, Case | MaskFolder | Path]
    """By id: a case of a dataset, a folder of masks, or a label map."""
    scheme: Scheme | None = None
    """Of the label maps; None for masks, which are painted in the scheme of a prediction's label maps."""
    structures: frozenset[str] | None = None
    """What there are masks of; None for label maps, where every value of the scheme counts."""
    drawn: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By case what was drawn, where a dataset says so."""
    patients: Mapping[str, str] = field(default_factory=dict)
    centres: Mapping[str, str] = field(default_factory=dict)
    by_class: bool = False
    """As the protocol says."""

    def scheme_for(self, method: Method) -> Scheme:
        """The scheme in which the reference of that method's cases is read."""
        if self.structures is not None and method.masks is not None:
            return mask_scheme(self.structures)
        return self.scheme or method.scheme

    def source(self, case: str, method: Method) -> Source:
        """Where the reference of that case lies, and how it is read for that method."""
        return Source(self.cases[case], self.scheme_for(method), self.drawn.get(case))

    def views_for(self, method: Method) -> tuple[tuple[View, ...], tuple[str, ...]]:
        """What the method is scored on, and the structures left out since no reference annotates them."""
        shared = self.scheme_for(method)
        everything = views(shared, method.scheme, by_class=self.by_class)
        if method.masks is not None:
            told = [item.name for item in method.scheme.classes]
            everything = tuple(
                item for item in everything if is_annotated(item.structure, method.scheme, told)
            )
        if self.structures is None:
            kept = everything
        else:
            kept = tuple(item for item in everything if is_annotated(item.structure, shared, self.structures))
        scored = {item.structure for item in kept}
        named = [item.structure for item in everything] + _named(method.scheme)
        return kept, tuple(dict.fromkeys(name for name in named if name not in scored))


def open_methods(settings: EvaluateSettings) -> tuple[Method, ...]:
    """The folders of predictions, the first one first.

    Raises:
        ConfigError: A folder is missing or empty, or nobody says which scheme its label maps have.
        ManifestError: A predictions.json is damaged.
    """
    folders = (settings.prediction, *settings.also)
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [f"{folder.resolve().parent.name}/{folder.resolve().name}" for folder in folders]
    if len(set(names)) < len(names):
        msg = f"Two of the predictions are called {', '.join(names)}. Give each folder once, by its own name."
        raise ConfigError(msg)
    return tuple(_method(name, folder, settings.scheme) for name, folder in zip(names, folders, strict=True))


def open_reference(settings: EvaluateSettings, first: Method, *, by_class: bool = False) -> Reference:
    """The references.

    Args:
        settings: Of the evaluation.
        first: The first method, whose scheme they have if nobody names another.
        by_class: Each class stands for itself, as the protocol says.

    Raises:
        ConfigError: The folder is missing or holds no label map.
        ManifestError: The dataset or its manifest is damaged.
    """
    return replace(_reference(settings, first), by_class=by_class)


def _reference(settings: EvaluateSettings, first: Method) -> Reference:
    root, own_scheme = settings.reference, settings.reference_scheme
    masks = {} if is_dataset(root) else masks_in(root)
    if own_scheme and (masks or is_dataset(root)):
        msg = "Masks are painted in the predictions' scheme. Leave out --reference-scheme."
        raise ConfigError(msg)
    if is_dataset(root):
        return _dataset_reference(root)
    if masks:
        return Reference(root.resolve().name, masks, structures=_structures(masks))
    own = scheme(own_scheme) if own_scheme else None
    if own is None and (root / PREDICTIONS_FILE).is_file():
        own = _method(root.name, root, None).scheme
    if own is None and first.masks is not None:
        label_maps(root)
        msg = (
            f"Nobody says what the label values of {root} mean: the predictions are masks. Name their "
            "scheme, such as --reference-scheme pants-28; wirsung info lists the schemes."
        )
        raise ConfigError(msg)
    return Reference(root.resolve().name, label_maps(root), own or first.scheme)


def masks_in(folder: Path) -> dict[str, MaskFolder]:
    """Case to masks; empty for a folder of label maps.

    Raises:
        ConfigError: It holds both, so nobody knows which is meant.
    """
    masks = find_mask_folders(folder)
    beside = [
        path.name
        for path in folder.glob(f"[!.]*{_SUFFIX}")
        if path.name.removesuffix(_SUFFIX).removesuffix(PROBABILITY) not in masks
        or not path.name.removesuffix(_SUFFIX).endswith(PROBABILITY)
    ]
    if masks and beside:
        msg = (
            f"{folder} holds label maps such as {min(beside)} and folders of masks such as {min(masks)}/. "
            "Keep one of them."
        )
        raise ConfigError(msg)
    return masks


def label_maps(folder: Path) -> dict[str, Path]:
    """Case to label map, sorted; a file <case>_lesion.nii.gz beside <case>.nii.gz is no label map.

    Raises:
        ConfigError: The folder is missing or holds none.
    """
    paths = {path.name.removesuffix(_SUFFIX): path for path in sorted(folder.glob(f"[!.]*{_SUFFIX}"))}
    found = {
        case: path
        for case, path in paths.items()
        if not (case.endswith(PROBABILITY) and case.removesuffix(PROBABILITY) in paths)
    }
    if not found:
        what = "holds no <case>.nii.gz" if folder.is_dir() else "is not a folder"
        msg = f"{folder} {what}. Name a folder of label maps or of masks, or for references a dataset."
        raise ConfigError(msg)
    return found


def _named(chosen: Scheme) -> list[str]:
    """The structures that a scheme can tell, and masks of other names."""
    others = [item.name for item in chosen.classes] if chosen.name == MASKS else []
    return [*(name for name in chosen.structure_names() if chosen.name != MASKS), *others]


def _structures(masks: Mapping[str, MaskFolder]) -> frozenset[str]:
    return frozenset(name for folder in masks.values() for name in folder.structure_names())


def _dataset_reference(root: Path) -> Reference:
    dataset = Dataset.open(root)
    rows = manifest_rows(dataset)
    drawn = {case: names for case, names in annotated_structures(dataset).items() if names}
    return Reference(
        dataset.name,
        {case.id: case for case in dataset.cases if case.id in drawn},
        structures=frozenset().union(*drawn.values()),
        drawn=drawn,
        patients={row.case: row.patient for row in rows},
        centres={row.case: row.centre for row in rows if row.centre},
    )


def _method(name: str, folder: Path, scheme_name: str | None) -> Method:
    masks = masks_in(folder)
    content = _predictions(folder / PREDICTIONS_FILE)
    cases = content.get("cases")
    listed = tuple(cases) if isinstance(cases, dict | list) else None
    about = {key: str(content[key]) for key in ("model", "model_sha256", "device") if content.get(key)}
    if masks:
        return Method(name, folder, mask_scheme(_structures(masks)), listed, about, masks)
    label_maps(folder)
    return Method(name, folder, _said_scheme(folder, content, scheme_name), listed, about)


def _said_scheme(folder: Path, content: Mapping[str, Any], scheme_name: str | None) -> Scheme:
    said = content.get("scheme")
    if not said and not scheme_name:
        msg = (
            f"{folder} has no {PREDICTIONS_FILE} that says what its label values mean. Name their "
            "scheme, such as --scheme pants-28; wirsung info lists the schemes."
        )
        raise ConfigError(msg)
    chosen = scheme(scheme_name or str(said))
    if said and chosen.name != said:
        msg = (
            f"{folder}: {PREDICTIONS_FILE} says the scheme is {said}, but --scheme says {chosen.name}. "
            "Leave out --scheme."
        )
        raise ConfigError(msg)
    return chosen


def _predictions(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path} is damaged. Predict again, or remove it and name the scheme with --scheme."
        raise ManifestError(msg) from error
    if not isinstance(content, dict) or content.get("schema") != 1:
        msg = f"{path} has another schema than 1, which this version of Wirsung reads. Predict again."
        raise ManifestError(msg)
    return content
