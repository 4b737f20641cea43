"""What a training starts from: its fold's cases and their classes, refused where nothing can be learnt."""

from collections.abc import Mapping
from dataclasses import dataclass

from wirsung.anatomy.schemes import LabelClass, scheme
from wirsung.anatomy.structures import structures
from wirsung.datasets.annotated import annotated_structures
from wirsung.datasets.layout import Case, Dataset
from wirsung.datasets.splits import SPLIT_FILE, Fold, read_split
from wirsung.errors import ConfigError, LabelError, ManifestError
from wirsung.training.classes import Classes, choose_classes
from wirsung.training.planning import require_network
from wirsung.training.record import fold_key, plan_key
from wirsung.training.settings import TrainSettings


@dataclass(frozen=True)
class Inputs:
    """What a training starts from."""

    cases: tuple[Case, ...]
    """Every case that may be learnt from, of all folds."""
    fold: Fold
    classes: Classes
    plan_key: str
    fold_key: str


def inputs_of(settings: TrainSettings) -> Inputs:
    """The cases, the fold and the classes.

    Raises:
        ManifestError: The dataset has no split, a case of the split is missing, or one case is all there is.
        LabelError: A case lacks masks, a class of the scheme was not drawn in it, or the scheme has no class
            that is there.
        ConfigError: There is no such fold.
        MissingDependencyError: A package that the network needs is not installed.
    """
    require_network(settings.network)
    dataset = Dataset.open(settings.dataset)
    cases, fold = _fold(settings, dataset)
    drawn = annotated_structures(dataset) if dataset.description.annotated else None
    classes = choose_classes(scheme(settings.scheme), cases, drawn)
    plans = plan_key(settings, cases, classes.labels)
    return Inputs(cases, fold, classes, plans, fold_key(settings, plans, fold))


def _fold(settings: TrainSettings, dataset: Dataset) -> tuple[tuple[Case, ...], Fold]:
    """Every case that may be learnt from, and those of this fold."""
    has_split = (dataset.root / SPLIT_FILE).is_file()
    if not has_split:
        usable = tuple(case for case in dataset.cases if case.subset == "train")
        _check_count(settings, dataset, usable)
        if settings.fold == "all":
            ids = tuple(case.id for case in usable)
            return usable, Fold(ids, ids)
    split = read_split(dataset.root)
    ids = tuple(sorted({case for fold in split.folds for case in (*fold.train, *fold.validation)}))
    usable = tuple(dataset.case(case) for case in ids)
    if settings.fold == "all":
        return usable, Fold(ids, ids)
    if int(settings.fold) >= len(split.folds):
        msg = (
            f"There is no fold {settings.fold}: {dataset.root / SPLIT_FILE} has 0 to {len(split.folds) - 1}."
        )
        raise ConfigError(msg)
    fold = split.folds[int(settings.fold)]
    if not fold.train or not fold.validation:
        msg = (
            f"Fold {settings.fold} of {dataset.root / SPLIT_FILE} has {len(fold.train)} cases to learn from "
            f"and {len(fold.validation)} to validate with, but it takes both. Split anew, or take --fold all."
        )
        raise ManifestError(msg)
    return usable, fold


def _check_count(settings: TrainSettings, dataset: Dataset, usable: tuple[Case, ...]) -> None:
    """Where nobody split the dataset: whether it can be split."""
    if not usable:
        msg = f"{dataset.root} has test cases only, which nobody may learn from."
        raise ManifestError(msg)
    if len(usable) == 1 and settings.fold != "all":
        msg = (
            f"{dataset.root} has one case to learn from, {usable[0].id}, and folds take at least two. "
            "Say --fold all to learn this one by heart, or add cases."
        )
        raise ManifestError(msg)


def require_lesions(settings: TrainSettings, inputs: Inputs) -> None:
    """Pass where each class that is a lesion has a voxel in some training case of the fold.

    Raises:
        LabelError: One has not: it can't be learnt, and its absence can.
    """
    cases = {case.id: case for case in inputs.cases}
    learnt = {case: cases[case] for case in inputs.fold.train}
    for item in inputs.classes.learnt:
        if not _is_lesion(item) or any(_holds(case, item) for case in learnt.values()):
            continue
        count = (
            "the only training case has no"
            if len(learnt) == 1
            else f"none of {len(learnt)} training cases has a"
        )
        advice = (
            "" if settings.fold == "all" else "another fold, folds of wirsung split --stratify tumour, or "
        )
        msg = (
            f"Fold {settings.fold} of {settings.dataset}: {count} voxel of {item.name}, so nothing would "
            f"teach what it looks like. Choose {advice}a --scheme without that class."
        )
        raise LabelError(msg)


def _is_lesion(item: LabelClass) -> bool:
    known: Mapping[str, object] = structures()
    groups = {getattr(known.get(name), "group", "") for name in item.structures}
    return groups == {"lesion"}


def _holds(case: Case, item: LabelClass) -> bool:
    there = set(case.structure_names()).intersection(item.structures)
    return any(bool(case.mask(name).voxels.any()) for name in sorted(there))
