"""Splits: who learns and who tests. Patients, never scans, are on one side (`splits.json`)."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from wirsung.compute.atomic import write_json
from wirsung.datasets.layout import Dataset
from wirsung.datasets.manifest import ManifestRow, manifest_rows
from wirsung.errors import ConfigError, ManifestError, near_names

SPLIT_FILE = "splits.json"
_SCHEMA = 1


@dataclass(frozen=True)
class SplitSettings:
    """Divide a dataset's patients into folds and a test set."""

    dataset: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATASET")]
    """The dataset."""
    test_centre: tuple[str, ...] = ()
    """Centres that nobody learns from; their cases are the test set, beside those of ImageTe/."""
    folds: int = 5
    """Parts for cross-validation, at least 2."""
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

    def lines(self) -> list[str]:
        """For the terminal."""
        sizes = ", ".join(str(len(fold.validation)) for fold in self.folds)
        held = f" (centres {', '.join(self.test_centres)})" if self.test_centres else ""
        return [f"{len(self.folds)} folds of {sizes} cases; {len(self.test)} test cases{held}."]

    def as_json(self) -> dict[str, Any]:
        """As in `splits.json`."""
        return {"schema": _SCHEMA, **asdict(self)}


def split(settings: SplitSettings) -> Split:
    """Split the dataset and write its `splits.json`.

    Raises:
        ConfigError: A centre is unknown, or there are fewer than 2 folds or more than patients.
        ManifestError: One patient's cases would be on two sides.
    """
    dataset = Dataset.open(settings.dataset)
    made = split_rows(
        manifest_rows(dataset), test_centres=settings.test_centre, folds=settings.folds, seed=settings.seed
    )
    write_json(dataset.root / SPLIT_FILE, made.as_json())
    return made


def split_rows(
    rows: Sequence[ManifestRow], *, test_centres: Sequence[str] = (), folds: int = 5, seed: int = 0
) -> Split:
    """The split of those cases; the same for the same rows and seed, in whatever order they come.

    Patients are ordered by a hash of seed and name and dealt out one by one, those with a tumour first, so
    that folds differ by at most one patient in all and by at most one with a tumour.

    Raises:
        ConfigError: A centre is unknown, or there are fewer than 2 folds or more than patients.
        ManifestError: One patient's cases would be on two sides.

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
    dealt = _dealt(rest, folds, seed)
    parts = [tuple(sorted(row.case for row in rest if dealt[row.patient] == fold)) for fold in range(folds)]
    everyone = {case for part in parts for case in part}
    return Split(
        seed,
        tuple(sorted(set(test_centres))),
        tuple(sorted(tested)),
        tuple(Fold(tuple(sorted(everyone.difference(part))), part) for part in parts),
    )


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
        made = Split(int(content["seed"]), _ids(content["test_centres"]), _ids(content["test"]), folds)
    except (ValueError, KeyError, TypeError) as error:
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


def _dealt(rows: Sequence[ManifestRow], folds: int, seed: int) -> dict[str, int]:
    """Patient to fold."""
    tumour: dict[str, list[bool | None]] = {}
    for row in rows:
        tumour.setdefault(row.patient, []).append(row.tumour)
    if folds < 2 or folds > len(tumour):
        msg = (
            f"{folds} folds can't be made of {len(tumour)} patients: it takes at least 2 folds, and "
            "a patient for each. Choose another --folds."
        )
        raise ConfigError(msg)
    order = sorted(tumour, key=lambda patient: (_stratum(tumour[patient]), _hash(seed, patient)))
    return {patient: index % folds for index, patient in enumerate(order)}


def _stratum(flags: Sequence[bool | None]) -> int:
    """0 with a tumour, 1 without, 2 unknown."""
    if True in flags:
        return 0
    return 2 if None in flags else 1


def _hash(seed: int, patient: str) -> str:
    # A hash rather than a random generator: the same on every machine and version, for ever.
    return hashlib.sha256(f"{seed}\0{patient}".encode()).hexdigest()
