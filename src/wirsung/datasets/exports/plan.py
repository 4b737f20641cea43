"""What an export is to hold: which cases, on which side, and under which names."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wirsung.anatomy.schemes import scheme as scheme_named
from wirsung.anatomy.structures import parts
from wirsung.datasets.contents import Contents
from wirsung.datasets.exports.classes import ExportClasses, export_classes
from wirsung.datasets.exports.placing import Placed, Places
from wirsung.datasets.exports.settings import ExportSettings
from wirsung.datasets.layout import Case, Dataset
from wirsung.datasets.splits import SPLIT_FILE, Split, read_split
from wirsung.errors import ConfigError

CHANNELS = {"ct": "CT", "t1": "T1", "t2": "T2", "mr": "MR"}
"""What nnU-Net and the Decathlon call a modality; nnU-Net normalises CT by its name."""

_MOST_NAMES = 5
"""Told before they are counted."""


@dataclass(frozen=True)
class Cohort:
    """The cases of an export."""

    dataset: Dataset
    contents: Contents
    cases: tuple[Case, ...]
    classes: ExportClasses
    split: Split | None
    """None where the dataset has no `splits.json`."""

    def is_test(self, case: Case) -> bool:
        """Whether nobody is to learn from the case."""
        return case.id in self.split.test if self.split is not None else case.subset == "test"

    @property
    def modality(self) -> str:
        """Of all cases.

        Raises:
            ConfigError: There are several.
        """
        found = sorted({case.modality for case in self.cases})
        if len(found) > 1:
            msg = f"The dataset holds {' and '.join(found)}. Choose one with --modality, such as {found[0]}."
            raise ConfigError(msg)
        return found[0]

    def rows(self) -> dict[str, Mapping[str, Any]]:
        """Case to its row of the manifest."""
        return {row["case"]: row for row in self.contents.manifest.to_pylist()}


@dataclass(frozen=True)
class Plan:
    """One export."""

    root: Path
    places: Mapping[str, Places]
    """Case to its files."""
    finish: Callable[[Mapping[str, Placed]], Sequence[str]]
    """Writes what tells of all cases that are there, and returns lines for the terminal."""


def cohort_of(contents: Contents, dataset: Dataset, settings: ExportSettings) -> Cohort:
    """The cases that are asked for, with the classes that they tell.

    Raises:
        ConfigError: There is no such scheme, or no case of that modality.
        LabelError: No case has masks for a class of the scheme.
        ManifestError: The split is damaged.
    """
    wanted = settings.modality
    cases = tuple(case for case in dataset.cases if wanted is None or case.modality == wanted)
    if not cases:
        msg = f"{dataset.root} has no case" + (f" of modality {wanted}." if wanted else ".")
        raise ConfigError(msg)
    style = dataset.description.label_style(dataset.root)
    chosen = scheme_named(settings.scheme or style.scheme_name or dataset.scheme)
    split = read_split(dataset.root) if (dataset.root / SPLIT_FILE).is_file() else None
    may_be_unlabelled = settings.format == "bids" and not any(case.has_labels for case in cases)
    classes = ExportClasses(chosen, ()) if may_be_unlabelled else export_classes(chosen, cases)
    return Cohort(dataset, contents, cases, classes, split)


def numbered_folder(settings: ExportSettings, cohort: Cohort, word: str, digits: int) -> Path:
    """OUT/DatasetXXX_Name, or OUT itself where it is named so.

    Raises:
        ConfigError: The number has too many digits, or the name has no letter or digit.
    """
    if re.fullmatch(rf"{word}\d{{{digits}}}_\w+", settings.out.name):
        return settings.out
    name = re.sub(r"[^A-Za-z0-9_]+", "", settings.name or cohort.dataset.name)
    if not 1 <= settings.id < 10**digits or not name:
        msg = (
            f"{word}{settings.id}_{name}: the number is from 1 to {10**digits - 1}, "
            "and the name has letters or digits. Choose another --id or --name."
        )
        raise ConfigError(msg)
    return settings.out / f"{word}{settings.id:0{digits}d}_{name}"


def told_classes(cohort: Cohort) -> list[str]:
    """What the user should know of the classes."""
    classes = cohort.classes
    if not classes.kept:
        return ["No case has labels, so there are images alone."]
    told = [f"Classes: {len(classes.kept)} of {classes.scheme.name}."]
    if classes.left_out:
        more = len(classes.left_out) - _MOST_NAMES
        names = ", ".join(classes.left_out[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
        told.append(f"Left out, because nobody drew them: {names}.")
    if classes.is_renumbered:
        told.append(f"The values are not those of {classes.scheme.name}, because they must be consecutive.")
    drawn = {name for item in classes.kept for name in item.structures}
    nested = [
        item.name
        for item in classes.kept
        if any(not drawn.isdisjoint(parts(name)) for name in item.structures)
    ]
    if nested:
        told.append(f"Of {', '.join(nested)} the label maps hold what is in no part of it: parts lie on top.")
    return told
