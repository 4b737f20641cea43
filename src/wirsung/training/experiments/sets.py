"""Sets of cases: whose they are, and a dataset of each by links, for the stages to work on."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wirsung.datasets.description import DESCRIPTION_FILE
from wirsung.datasets.layout import IMAGE_FOLDERS, LABEL_FOLDERS, Case, Dataset
from wirsung.datasets.manifest import ManifestRow, manifest_rows, write_manifest
from wirsung.datasets.splits import SPLIT_FILE, read_split, split_rows
from wirsung.errors import ConfigError, ManifestError, near_names
from wirsung.training.experiments.definition import Arm, CaseSet, Experiment
from wirsung.training.reading import state_of


@dataclass(frozen=True)
class Member:
    """One case of a set."""

    data: str
    case: Case
    row: ManifestRow


class Cohorts:
    """The experiment's datasets, opened once, with who may be learnt from."""

    def __init__(self, experiment: Experiment, folder: Path) -> None:
        self._experiment = experiment
        self._members: dict[str, list[Member]] = {}
        self._sides: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        for name in experiment.data:
            dataset = Dataset.open(folder / name)
            rows = manifest_rows(dataset)
            found = (Member(name, dataset.case(row.case), row) for row in rows)
            # Nobody can learn from a challenge's test cases without labels, nor be scored on them.
            self._members[name] = [member for member in found if member.case.has_labels]
            self._sides[name] = _sides(dataset)
        real = [name for name, source in experiment.data.items() if source.phantom is None]
        self._tested_patients = {
            member.row.patient
            for name in real
            for member in self._members[name]
            if member.case.id in self._sides[name][0]
        }
        self._real = frozenset(real)

    def members(self, name: str, seed: int) -> tuple[Member, ...]:
        """The cases of that set, sorted.

        Args:
            name: Of the set.
            seed: Which subset is drawn, where the set is one. A test is the same for all seeds: with 0.

        Raises:
            ConfigError: A centre is unknown, or the set has fewer cases than its subset needs.
        """
        chosen = self._experiment.sets[name]
        self._check_centres(name, chosen)
        found = [
            member
            for member in self._members[chosen.data]
            if self._is_on_side(member, chosen)
            and (not chosen.centres or member.row.centre in chosen.centres)
            and member.row.centre not in chosen.without
        ]
        if chosen.subset is not None:
            found = _drawn(found, chosen.subset, seed, name)
        if not found:
            msg = f"sets.{name} has no case: side {chosen.side} of {chosen.data}. Mend split or centres."
            raise ConfigError(msg)
        return tuple(found)

    def learnt(self, arm: Arm, seed: int) -> tuple[Member, ...]:
        """What the arm learns from.

        Raises:
            ConfigError: A case, or a patient of real data, is also in one of its tests.
        """
        found = [member for name in arm.learn for member in self.members(name, seed)]
        learnt = {(member.data, member.case.id): member for member in found}
        for test in arm.test:
            for member in self.members(test, 0):
                self._check_apart(member, learnt, f"{' and '.join(arm.learn)} and sets.{test}")
        return tuple(learnt[key] for key in sorted(learnt))

    def _is_on_side(self, member: Member, chosen: CaseSet) -> bool:
        if chosen.side == "all":
            return True
        tested, left_out = self._sides[member.data]
        if chosen.side == "test":
            return member.case.id in tested
        # The same patient may be in another dataset of the experiment, and be tested there.
        return member.case.id not in tested | left_out and not (
            member.data in self._real and member.row.patient in self._tested_patients
        )

    def _check_apart(self, member: Member, learnt: Mapping[tuple[str, str], Member], sets: str) -> None:
        same = (member.data, member.case.id) in learnt
        if not same and member.data in self._real:
            same = any(other.row.patient == member.row.patient for other in learnt.values())
        if same:
            msg = (
                f"Case {member.case.id} of {member.data} would be learnt from and tested: it is in "
                f"sets.{sets}. Take other sides or centres."
            )
            raise ConfigError(msg)

    def _check_centres(self, name: str, chosen: CaseSet) -> None:
        known = sorted({str(m.row.centre) for m in self._members[chosen.data] if m.row.centre is not None})
        for centre in (*chosen.centres, *chosen.without):
            if centre not in known:
                near = near_names(centre, known) if known else "None is known."
                msg = f"sets.{name}: no case of {chosen.data} is of centre {centre!r}. {near}"
                raise ConfigError(msg)


def make_view(root: Path, members: Sequence[Member], datasets: Path) -> Path:
    """A dataset of those cases, by links to the datasets they are of; nothing where it is there already.

    Cases of several datasets are named `<data>-<case>`.

    Raises:
        ManifestError: Cases of datasets that read their labels in different ways are to be put together.
    """
    several = len({member.data for member in members}) > 1
    names = {(m.data, m.case.id): f"{m.data}-{m.case.id}" if several else m.case.id for m in members}
    if _holds(root, set(names.values())):
        return root
    shutil.rmtree(root, ignore_errors=True)
    for folder in (IMAGE_FOLDERS["train"], LABEL_FOLDERS["train"]):
        (root / folder).mkdir(parents=True)
    for member in members:
        name = names[member.data, member.case.id]
        (root / IMAGE_FOLDERS["train"] / name).symlink_to(member.case.image_folder.resolve())
        if member.case.label_folder.is_dir():
            (root / LABEL_FOLDERS["train"] / name).symlink_to(member.case.label_folder.resolve())
    _describe(root, members, datasets)
    rows = [replace(m.row, case=names[m.data, m.case.id], subset="train") for m in members]
    write_manifest(root, rows)  # last: it says that the others are there
    return root


def tumours_of(members: Sequence[Member]) -> int | None:
    """How many of the cases have a tumour; None where that is not known of all.

    Example:
        >>> tumours_of([])
        0
    """
    told = [member.row.tumour for member in members]
    return None if None in told else sum(map(bool, told))


def content_of(members: Sequence[Member]) -> str:
    """A hash of the cases' images and labels: of voxels where the manifest knows them, else of files."""
    told: list[object] = []
    for member in members:
        row = member.row
        known = [row.image_sha256, row.combined_sha256, row.codes_sha256]
        told.append([member.data, row.case, known if row.image_sha256 else state_of(member.case)])
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _sides(dataset: Dataset) -> tuple[frozenset[str], frozenset[str]]:
    """The ids of its test cases, and of those that its split leaves out."""
    if not (dataset.root / SPLIT_FILE).is_file():
        return frozenset(case.id for case in dataset.cases if case.subset == "test"), frozenset()
    made = read_split(dataset.root)
    return frozenset(made.test), frozenset(made.left_out)


def _drawn(found: Sequence[Member], size: int, seed: int, name: str) -> list[Member]:
    """So many of the cases, patients together, tumours in proportion, each subset within the next."""
    if size > len(found):
        msg = f"sets.{name} is to be a subset of {size} cases, but only {len(found)} are there to draw from."
        raise ConfigError(msg)
    rows = [replace(member.row, subset="train") for member in found]
    kept = set(split_rows(rows, folds=2, seed=seed, subsets=[size]).subsets[size])
    return [member for member in found if member.case.id in kept]


def _holds(root: Path, names: set[str]) -> bool:
    """Whether the view was finished with these cases, and all of them are still there."""
    try:
        dataset = Dataset.open(root)
        rows = {row.case for row in manifest_rows(dataset)}
    except (ManifestError, OSError):
        return False
    return rows == names and (root / "manifest.parquet").is_file()


def _describe(root: Path, members: Sequence[Member], datasets: Path) -> None:
    """The description that all share, with the scheme file that it may name."""
    sources = list(dict.fromkeys(member.data for member in members))
    styles = {(m.case.style.scheme_name, m.case.style.grid) for m in members} if members else set()
    if len(styles) > 1:
        msg = f"{' and '.join(sources)} read their labels in different ways, so they can't be one dataset."
        raise ManifestError(msg)
    for path in (datasets / sources[0]).glob("*.toml"):
        shutil.copy(path, root / path.name)
    if not (root / DESCRIPTION_FILE).is_file():
        (root / DESCRIPTION_FILE).write_text('schema = 1\nname = "cases"\nscheme = "pants-28"\n')
