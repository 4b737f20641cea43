"""What is scored against what: the references, the folders of predictions, and the schemes of both."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wirsung.anatomy.schemes import Scheme, scheme
from wirsung.datasets.layout import Case, Dataset, is_dataset
from wirsung.datasets.manifest import manifest_rows
from wirsung.errors import ConfigError, ManifestError
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.evaluation.views import View, is_annotated, views

PREDICTIONS_FILE = "predictions.json"
_SUFFIX = ".nii.gz"
PROBABILITY = "_lesion"
"""What stands after the case in the name of its lesion probability."""


@dataclass(frozen=True)
class Method:
    """One folder of predictions."""

    name: str
    """The folder's name, with its parent's where two are called alike."""
    folder: Path
    scheme: Scheme
    listed: tuple[str, ...] | None
    """The cases of predictions.json; None without it."""
    about: Mapping[str, str] = field(default_factory=dict)
    """Model and device, as predictions.json says."""

    def label_map(self, case: str) -> Path:
        """Where the prediction of that case lies, or would lie."""
        return self.folder / f"{case}{_SUFFIX}"

    def probability(self, case: str) -> Path | None:
        """The case's lesion probability, where there is one."""
        path = self.folder / f"{case}{PROBABILITY}{_SUFFIX}"
        return path if path.is_file() else None


@dataclass(frozen=True)
class Reference:
    """What predictions are held against."""

    name: str
    cases: Mapping[str, Case | Path]
    """By id: a case of a dataset, or a label map."""
    scheme: Scheme | None = None
    """Of the label maps; None for a dataset, whose masks are painted in the prediction's scheme."""
    structures: frozenset[str] | None = None
    """What a dataset has masks of; None for label maps, where every value of the scheme counts."""
    patients: Mapping[str, str] = field(default_factory=dict)
    centres: Mapping[str, str] = field(default_factory=dict)
    by_class: bool = False
    """As the protocol says."""

    def scheme_for(self, method: Method) -> Scheme:
        """The scheme in which the reference of that method's cases is read."""
        return self.scheme or method.scheme

    def views_for(self, method: Method) -> tuple[tuple[View, ...], tuple[str, ...]]:
        """What the method is scored on, and the structures left out since no reference annotates them."""
        shared = self.scheme_for(method)
        everything = views(shared, method.scheme, by_class=self.by_class)
        if self.structures is None:
            kept = everything
        else:
            kept = tuple(item for item in everything if is_annotated(item.structure, shared, self.structures))
        scored = {item.structure for item in kept}
        named = [item.structure for item in everything] + list(method.scheme.structure_names())
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
    root = settings.reference
    if is_dataset(root):
        return replace(_dataset_reference(root, settings.reference_scheme), by_class=by_class)
    own = scheme(settings.reference_scheme) if settings.reference_scheme else first.scheme
    if (root / PREDICTIONS_FILE).is_file() and not settings.reference_scheme:
        own = _method(root.name, root, None).scheme
    return Reference(root.resolve().name, label_maps(root), own, by_class=by_class)


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
        msg = f"{folder} {what}. Name a folder of label maps, or for references a dataset."
        raise ConfigError(msg)
    return found


def _dataset_reference(root: Path, reference_scheme: str | None) -> Reference:
    if reference_scheme:
        msg = "A dataset's masks are painted in the predictions' scheme. Leave out --reference-scheme."
        raise ConfigError(msg)
    dataset = Dataset.open(root)
    rows = manifest_rows(dataset)
    return Reference(
        dataset.name,
        {case.id: case for case in dataset.cases if case.has_labels},
        structures=frozenset(dataset.structure_names()),
        patients={row.case: row.patient for row in rows},
        centres={row.case: row.centre for row in rows if row.centre},
    )


def _method(name: str, folder: Path, scheme_name: str | None) -> Method:
    label_maps(folder)
    content = _predictions(folder / PREDICTIONS_FILE)
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
    cases = content.get("cases")
    about = {key: str(content[key]) for key in ("model", "model_sha256", "device") if content.get(key)}
    return Method(name, folder, chosen, tuple(cases) if isinstance(cases, dict | list) else None, about)


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
