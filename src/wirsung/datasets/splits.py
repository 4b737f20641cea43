"""Splits: who learns and who tests. Patients, never scans, are on one side (`splits.json`)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from wirsung.compute.atomic import write_json
from wirsung.datasets.layout import Dataset, Modality
from wirsung.datasets.leaks import has_fingerprints
from wirsung.datasets.manifest import ManifestRow, manifest_rows
from wirsung.datasets.split_check import SplitCheck, check_split
from wirsung.datasets.split_protocols import by_centre, of_modalities
from wirsung.datasets.split_sides import (
    Official,
    OnLeak,
    drawn_for_test,
    groups_of,
    joined_patients,
    official_rows,
    same_cases,
    settle_leaks,
)
from wirsung.datasets.strata import dealing_order, mixed_order, strata
from wirsung.errors import ConfigError, ManifestError, counted, near_names

SPLIT_FILE = "splits.json"
_SCHEMA = 1


@dataclass(frozen=True)
class SplitSettings:
    """Divide a dataset's patients into folds and a test set."""

    dataset: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATASET")]
    """The dataset."""
    official: Official | None = None
    """The release's own test cases: pants by the range of ids (9001 to 9901), subset by the folder ImageTe/.
    Without it cases in ImageTe/ are for the test all the same, where there are any."""
    test_centre: tuple[str, ...] = ()
    """Centres that nobody learns from; their cases are the test set, beside those of ImageTe/."""
    test_fraction: float = 0.0
    """Fraction of the other patients for the test, in proportion, 0 to less than 1."""
    train_modality: tuple[Modality, ...] = ()
    """Modalities that are learnt from; all by default."""
    test_modality: tuple[Modality, ...] = ()
    """Modalities that are tested on; all by default. Where nothing else makes a test, every patient with such
    a scan is for the test."""
    folds: int | Literal["centre"] = 5
    """Parts for cross-validation, at least 2; or centre, which leaves each centre out in turn."""
    stratify: tuple[str, ...] = ("tumour",)
    """What every fold holds in proportion: tumour, phase, centre, modality, manufacturer or sex."""
    subsets: tuple[int, ...] = ()
    """Sizes, in cases, of ever larger parts of what is learnt from, each within the next, as for 281 2238."""
    leaks: OnLeak = "refuse"
    """Where a test case is there once more to learn from, by wirsung catalog: refuse, drop or keep it."""
    check: bool = False
    """Make nothing: hold the splits.json that is there against the dataset and its fingerprints."""
    seed: int = 0
    """Another seed, other folds."""


@dataclass(frozen=True)
class Fold:
    """One round of cross-validation: ids of cases, sorted."""

    train: tuple[str, ...]
    validation: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Every case once: in `test`, or in the `validation` of one fold."""

    seed: int
    test_centres: tuple[str, ...]
    test: tuple[str, ...]
    """Ids of cases, sorted."""
    folds: tuple[Fold, ...]
    subsets: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Size to the ids of a part of what is learnt from; each lies within the next larger one."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Cases of different patients that were kept together, as their scans are one."""
    left_out: tuple[str, ...] = ()
    """Cases that nobody learns from, as their scans are in the test set too."""
    official: str | None = None
    """The release's own split that `test` is taken from."""
    is_leak_checked: bool = False
    """Whether scans that are there twice were looked for."""
    train_modalities: tuple[str, ...] = ()
    """Those that are learnt from, where not all are."""
    test_modalities: tuple[str, ...] = ()
    """Those that are tested on, where not all are."""
    fold_centres: tuple[str, ...] = ()
    """The centre that each fold leaves out, where the folds are centres."""

    def lines(self) -> list[str]:
        """For the terminal."""
        sizes = ", ".join(str(len(fold.validation)) for fold in self.folds)
        if self.fold_centres:
            named = zip(self.fold_centres, self.folds, strict=True)
            sizes = ", ".join(f"{len(fold.validation)} ({centre})" for centre, fold in named)
        held = f" (centres {', '.join(self.test_centres)})" if self.test_centres else ""
        test = counted(len(self.test), "test case", "test cases")
        told = [f"{len(self.folds)} folds of {sizes} cases; {test}{held}."]
        for size, part in self.subsets.items():
            told.append(f"Subset of {size}: {counted(len(part), 'case', 'cases')}.")
        if self.groups:
            first = ", ".join(self.groups[0])
            groups = counted(len(self.groups), "group", "groups")
            told.append(f"Kept together: {groups} of scans that are one, as {first}.")
        for what, modalities in (("Learnt from", self.train_modalities), ("Tested on", self.test_modalities)):
            told += [f"{what}: {', '.join(modalities)}."] if modalities else []
        if self.left_out:
            told.append(f"{counted(len(self.left_out), 'case is', 'cases are')} {self._why_left_out()}.")
        if not self.is_leak_checked:
            told.append(
                "Not looked for: scans that are there twice. Run wirsung catalog first, then this again."
            )
        return told

    def _why_left_out(self) -> str:
        if self.train_modalities or self.test_modalities:
            return "on no side, for their modality or as the test set has their patients or scans"
        return "in no fold, as the test set has their scans"

    def as_json(self) -> dict[str, Any]:
        """As in `splits.json`."""
        return {"schema": _SCHEMA, **asdict(self)}


def split(settings: SplitSettings) -> Split | SplitCheck:
    """Split the dataset and write its `splits.json`, or check the one that is there.

    Where the dataset was catalogued, scans that are one are kept on one side as if of one patient.

    Raises:
        ConfigError: A centre or modality is unknown, nobody is left to learn from, there are fewer than 2
            folds or more than patients, or the official split does not fit the dataset.
        ManifestError: One patient's cases, or two copies of one scan, would be on two sides; or a centre that
            is to be left out is not known.
    """
    dataset = Dataset.open(settings.dataset)
    rows = manifest_rows(dataset)
    same = same_cases(dataset) if has_fingerprints(dataset.root) else None
    if settings.check:
        return check_split(read_split(dataset.root), rows, same)
    rows = official_rows(rows, settings.official)
    rows, pairs, left_out = settle_leaks(rows, same or (), settings.test_centre, settings.leaks)
    joined = joined_patients(rows, pairs)
    sided = drawn_for_test(joined, settings.test_fraction, settings.seed, settings.stratify)
    wanted = settings.train_modality, settings.test_modality
    sided, unwanted = of_modalities(sided, settings.test_centre, *wanted)
    made = split_rows(
        sided,
        test_centres=settings.test_centre,
        folds=settings.folds,
        seed=settings.seed,
        stratify=settings.stratify,
        subsets=settings.subsets,
    )
    made = replace(
        made,
        groups=groups_of(rows, pairs),
        left_out=tuple(sorted({*left_out, *unwanted})),
        official=settings.official,
        is_leak_checked=same is not None,
        train_modalities=settings.train_modality,
        test_modalities=settings.test_modality,
    )
    write_json(dataset.root / SPLIT_FILE, made.as_json())
    return made


def split_rows(
    rows: Sequence[ManifestRow],
    *,
    test_centres: Sequence[str] = (),
    folds: int | Literal["centre"] = 5,
    seed: int = 0,
    stratify: Sequence[str] = ("tumour",),
    subsets: Sequence[int] = (),
) -> Split:
    """The split of those cases; the same for the same rows and seed, in whatever order they come.

    Patients are ordered by stratum, and within one by a hash of seed and name, and dealt out one by one, so
    that folds differ by at most one patient in all; or each centre is a fold.

    Raises:
        ConfigError: A centre or a column is unknown, there are fewer than 2 folds or more than patients, or a
            subset is empty or larger than what is learnt from.
        ManifestError: One patient's cases would be on two sides, or a centre to be left out is not known.

    Example:
        >>> rows = [ManifestRow(f"c{n}", f"p{n % 3}", centre="x" if n % 3 else "y") for n in range(6)]
        >>> made = split_rows(rows, test_centres=["y"], folds=2)
        >>> made.test, sorted(fold.validation for fold in made.folds)
        (('c0', 'c3'), [('c1', 'c4'), ('c2', 'c5')])
    """
    _check_centres(test_centres, rows)
    test = [row for row in rows if row.centre in test_centres or row.subset == "test"]
    _check_patients(test, rows)
    tested = {row.case for row in test}
    rest = [row for row in rows if row.case not in tested]
    stratum_of = strata(rest, stratify)
    centres: tuple[str, ...] = ()
    if folds == "centre":
        centres, dealt = by_centre(rest)
    else:
        _check_folds(folds, len(stratum_of))
        dealt = {patient: index % folds for index, patient in enumerate(dealing_order(stratum_of, seed))}
    count = len(centres) if folds == "centre" else folds
    parts = [tuple(sorted(row.case for row in rest if dealt[row.patient] == fold)) for fold in range(count)]
    everyone = {case for part in parts for case in part}
    return Split(
        seed,
        tuple(sorted(set(test_centres))),
        tuple(sorted(tested)),
        tuple(Fold(tuple(sorted(everyone.difference(part))), part) for part in parts),
        _subsets(rest, mixed_order(stratum_of, seed), subsets),
        fold_centres=centres,
    )


def as_nnunet(made: Split) -> list[dict[str, list[str]]]:
    """The folds as nnU-Net's `splits_final.json` has them.

    Example:
        >>> as_nnunet(Split(0, (), (), (Fold(("a", "b"), ("c",)),)))
        [{'train': ['a', 'b'], 'val': ['c']}]
    """
    return [{"train": list(fold.train), "val": list(fold.validation)} for fold in made.folds]


def read_split(root: Path) -> Split:
    """The split of the dataset in `root`.

    Raises:
        ManifestError: There is none, or it is damaged.
    """
    path = root / SPLIT_FILE
    if not path.is_file():
        msg = f"{path} is not there. Make it with: wirsung split {root}"
        raise ManifestError(msg)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        folds = tuple(Fold(_ids(fold["train"]), _ids(fold["validation"])) for fold in content["folds"])
        subsets = {int(size): _ids(part) for size, part in content.get("subsets", {}).items()}
        made = Split(
            int(content["seed"]),
            _ids(content["test_centres"]),
            _ids(content["test"]),
            folds,
            subsets,
            tuple(_ids(group) for group in content.get("groups", ())),
            _ids(content.get("left_out", ())),
            content.get("official"),
            bool(content.get("is_leak_checked")),
            _ids(content.get("train_modalities", ())),
            _ids(content.get("test_modalities", ())),
            _ids(content.get("fold_centres", ())),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{path} is damaged. Make it anew with: wirsung split {root}"
        raise ManifestError(msg) from error
    if content.get("schema") != _SCHEMA:
        msg = f"{path} has schema {content.get('schema')!r}, but this version of Wirsung reads {_SCHEMA}."
        raise ManifestError(msg)
    return made


def _ids(values: Iterable[object]) -> tuple[str, ...]:
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise TypeError
    return tuple(str(value) for value in values)


def _check_centres(test_centres: Sequence[str], rows: Sequence[ManifestRow]) -> None:
    known = sorted({row.centre for row in rows if row.centre is not None})
    for centre in test_centres:
        if centre not in known:
            msg = (
                f"No case is of centre {centre!r}. {near_names(centre, known) if known else 'None is known.'}"
            )
            raise ConfigError(msg)


def _check_patients(test: Sequence[ManifestRow], rows: Sequence[ManifestRow]) -> None:
    """No patient may be tested with one case and learnt from with another."""
    tested = {row.case for row in test}
    patients = {row.patient for row in test}
    for row in rows:
        if row.patient in patients and row.case not in tested:
            other = next(item.case for item in test if item.patient == row.patient)
            msg = (
                f"Patient {row.patient} would be on two sides: case {other} is for the test, case {row.case} "
                f"is not (centre {row.centre}). Hold out all centres of this patient, or mend the manifest."
            )
            raise ManifestError(msg)


def _check_folds(folds: int, patients: int) -> None:
    if folds < 2 or folds > patients:
        msg = (
            f"{folds} folds can't be made of {patients} patients: it takes at least 2 folds, and "
            "a patient for each. Choose another --folds."
        )
        raise ConfigError(msg)


def _subsets(
    rows: Sequence[ManifestRow], order: Sequence[str], sizes: Sequence[int]
) -> dict[int, tuple[str, ...]]:
    """For each size the first patients whose cases fit into it."""
    scans: dict[str, list[str]] = {}
    for row in rows:
        scans.setdefault(row.patient, []).append(row.case)
    found: dict[int, tuple[str, ...]] = {}
    for size in sorted(set(sizes)):
        if not 1 <= size <= len(rows):
            msg = (
                f"A subset of {size} can't be made of {len(rows)} cases. Choose sizes from 1 to {len(rows)}."
            )
            raise ConfigError(msg)
        taken: list[str] = []
        for patient in order:
            if len(taken) + len(scans[patient]) > size:
                break
            taken += scans[patient]
        found[size] = tuple(sorted(taken))
    return found
