"""Whether a `splits.json` still keeps its promise: no case twice, no patient and no scan on two sides."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wirsung.compute.cases import Outcome
from wirsung.datasets.manifest import ManifestRow
from wirsung.datasets.split_sides import Pair

_TEST = "the test"


class _Fold(Protocol):
    @property
    def train(self) -> Sequence[str]: ...

    @property
    def validation(self) -> Sequence[str]: ...


class _Split(Protocol):
    @property
    def test(self) -> Sequence[str]: ...

    @property
    def folds(self) -> Sequence[_Fold]: ...

    @property
    def subsets(self) -> Mapping[int, Sequence[str]]: ...

    @property
    def left_out(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class SplitCheck:
    """What is wrong with a split: one outcome a case, failed where it is on a wrong side."""

    outcomes: list[Outcome[None]]
    is_leak_checked: bool
    """Whether scans that are there twice were looked for."""
    is_saved: bool = False
    """Nothing was written."""

    def lines(self) -> list[str]:
        """For the terminal."""
        if self.is_leak_checked:
            return ["Looked for: cases and patients on two sides, and scans that are there twice."]
        return [
            "Looked for: cases and patients on two sides. Not looked for: scans that are there twice, which "
            "takes wirsung catalog first."
        ]


def check_split(made: _Split, rows: Sequence[ManifestRow], same: Iterable[Pair] | None) -> SplitCheck:
    """Hold a split against the cases of its dataset.

    Args:
        made: The split.
        rows: Of the manifest.
        same: Cases whose scans are one; None where nobody looked.
    """
    problems: dict[str, list[str]] = {row.case: [] for row in rows}
    sides = _sides(made)
    for case in sorted({*sides, *made.left_out} - problems.keys()):
        problems[case] = ["is in splits.json, but not in the dataset"]
    for case in problems.keys() - sides.keys() - {*made.left_out}:
        problems[case].append("is in no part of splits.json: make it anew")
    _tell_doubles(problems, made, sides)
    side_of = {case: own[0] for case, own in sides.items()}
    _tell_pairs(problems, side_of, _same_patient(rows), "has the same patient as")
    _tell_pairs(problems, side_of, same or (), "has the same scan as")
    outcomes: list[Outcome[None]] = [
        Outcome(case, "failed" if told else "done", "; ".join(told)) for case, told in problems.items()
    ]
    return SplitCheck(outcomes, same is not None)


def _tell_doubles(
    problems: Mapping[str, list[str]], made: _Split, sides: Mapping[str, Sequence[str]]
) -> None:
    """Cases that are tested on twice, or tested on and learnt from."""
    for case, own in sides.items():
        if len(own) > 1:
            problems[case].append(f"is in {' and in '.join(own)}")
    learnt = [
        (f"is learnt from in fold {place}, and tested on", {*fold.train} & {*fold.validation, *made.test})
        for place, fold in enumerate(made.folds)
    ]
    learnt += [
        (f"is in the subset of {size}, and in the test", {*part} & {*made.test})
        for size, part in made.subsets.items()
    ]
    for told, cases in learnt:
        for case in cases:
            problems[case].append(told)


def _sides(made: _Split) -> dict[str, list[str]]:
    """By case, where it is tested on."""
    found: dict[str, list[str]] = {}
    parts = [
        (_TEST, made.test),
        *((f"fold {place}", fold.validation) for place, fold in enumerate(made.folds)),
    ]
    for name, cases in parts:
        for case in cases:
            found.setdefault(case, []).append(name)
    return found


def _same_patient(rows: Sequence[ManifestRow]) -> list[Pair]:
    """The cases of one patient, each with the first."""
    firsts: dict[str, str] = {}
    return [
        (first, row.case) for row in rows if (first := firsts.setdefault(row.patient, row.case)) != row.case
    ]


def _tell_pairs(
    problems: Mapping[str, list[str]], side_of: Mapping[str, str], pairs: Iterable[Pair], what: str
) -> None:
    for one, other in pairs:
        if one in side_of and other in side_of and side_of[one] != side_of[other]:
            problems[other].append(f"is in {side_of[other]} and {what} {one}, which is in {side_of[one]}")
