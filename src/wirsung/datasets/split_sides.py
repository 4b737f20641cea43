"""Who must be on which side before patients are dealt out: official tests, copies of a scan, a drawn test."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from wirsung.datasets.layout import Dataset
from wirsung.datasets.leaks import Scans, same_scans
from wirsung.datasets.manifest import ManifestRow
from wirsung.datasets.release_rows import LAST_TRAINING
from wirsung.datasets.strata import mixed_order, strata
from wirsung.errors import ConfigError, ManifestError

Official = Literal["pants", "subset"]
OnLeak = Literal["refuse", "drop", "keep"]
Pair = tuple[str, str]
"""Two cases whose scans are one."""

_PANTS_ID = re.compile(r"PanTS_(\d{8})")
_PANTS_LAST = 9901
_FEW = 3


def same_cases(dataset: Dataset) -> tuple[Pair, ...]:
    """The cases whose scans are one, exactly or nearly; pairs enough to join them all.

    Raises:
        ManifestError: The dataset was not catalogued, or a table is damaged.
    """
    return tuple((leak.one.case, leak.other.case) for leak in same_scans(Scans.of(dataset)))


def official_rows(rows: Sequence[ManifestRow], official: Official | None) -> tuple[ManifestRow, ...]:
    """The rows with the sides of the release's own split.

    Raises:
        ConfigError: The dataset is not of that release, or knows no test cases.

    Source:
        PanTS: ids 1 to 9000 are for training and 9001 to 9901 for the test; there is no split file.

    Example:
        >>> rows = [ManifestRow(f"PanTS_{number:08}", "p") for number in (1, 9000, 9001)]
        >>> [row.subset for row in official_rows(rows, "pants")]
        ['train', 'train', 'test']
    """
    if official == "pants":
        return tuple(replace(row, subset=_pants_side(row.case)) for row in rows)
    if official == "subset" and not any(row.subset == "test" for row in rows):
        msg = "No case lies in ImageTe/, so no folder tells a test. Choose --test-centre or --test-fraction."
        raise ConfigError(msg)
    return tuple(rows)


def _pants_side(case: str) -> str:
    found = _PANTS_ID.fullmatch(case)
    number = int(found[1]) if found else 0
    if not 1 <= number <= _PANTS_LAST:
        msg = (
            f"Case {case} has no id of PanTS, which go from PanTS_00000001 to PanTS_{_PANTS_LAST:08}, so the "
            "official split does not say where it belongs. Leave --official out."
        )
        raise ConfigError(msg)
    return "train" if number <= LAST_TRAINING else "test"


def settle_leaks(
    rows: Sequence[ManifestRow], same: Iterable[Pair], test_centres: Sequence[str], policy: OnLeak
) -> tuple[tuple[ManifestRow, ...], tuple[Pair, ...], tuple[str, ...]]:
    """What becomes of scans that are in the test and once more to learn from.

    Returns:
        The rows that are left, the pairs that are still to be kept together, and the cases that are left out.

    Raises:
        ManifestError: There are such scans, and the policy is to refuse.
    """
    tested = {row.case for row in rows if row.subset == "test" or row.centre in test_centres}
    pairs = tuple(same)
    across = [pair for pair in pairs if len(tested.intersection(pair)) == 1]
    if policy == "refuse" and across:
        told = ", ".join(
            f"{test} and {other}" for test, other in (_test_first(p, tested) for p in across[:_FEW])
        )
        msg = (
            f"{len(across)} scans of the test are there once more to learn from ({told}). Leave the copies "
            "out with --leaks drop, or keep them with --leaks keep; wirsung check shows them."
        )
        raise ManifestError(msg)
    stay = tuple(pair for pair in pairs if pair not in set(across))
    if policy != "drop":
        return tuple(rows), stay, ()
    out = _reached({case for pair in across for case in pair} - tested, stay)
    return tuple(row for row in rows if row.case not in out), stay, tuple(sorted(out))


def joined_patients(rows: Sequence[ManifestRow], same: Iterable[Pair]) -> tuple[ManifestRow, ...]:
    """The rows with one patient for all whose scans are one: the first of them by name.

    Example:
        >>> rows = [ManifestRow("a", "p1"), ManifestRow("b", "p2"), ManifestRow("c", "p3")]
        >>> [row.patient for row in joined_patients(rows, [("c", "b")])]
        ['p1', 'p2', 'p2']
    """
    patient = {row.case: row.patient for row in rows}
    first = {name: name for name in patient.values()}

    def root(name: str) -> str:
        while first[name] != name:
            name = first[name]
        return name

    for one, other in same:
        if one in patient and other in patient:
            ends = sorted((root(patient[one]), root(patient[other])))
            first[ends[1]] = ends[0]
    return tuple(replace(row, patient=root(row.patient)) for row in rows)


def groups_of(rows: Sequence[ManifestRow], same: Iterable[Pair]) -> tuple[tuple[str, ...], ...]:
    """The cases of different patients whose scans are one, sorted."""
    joined: dict[str, list[ManifestRow]] = {}
    for before, after in zip(rows, joined_patients(rows, same), strict=True):
        joined.setdefault(after.patient, []).append(before)
    several = (own for own in joined.values() if len({row.patient for row in own}) > 1)
    return tuple(sorted(tuple(sorted(row.case for row in own)) for own in several))


def drawn_for_test(
    rows: Sequence[ManifestRow], fraction: float, seed: int, columns: Sequence[str]
) -> tuple[ManifestRow, ...]:
    """The rows with that fraction of the patients who learn moved to the test, every stratum in proportion.

    Raises:
        ConfigError: The fraction is not from 0 to less than 1, or moves nobody.
    """
    if fraction == 0:
        return tuple(rows)
    rest = [row for row in rows if row.subset != "test"]
    # Another seed than that of the folds, so that the test does not take the first of each.
    order = mixed_order(strata(rest, columns), -1 - seed)
    count = round(fraction * len(order))
    if not 0 < fraction < 1 or not count:
        msg = (
            f"A test fraction of {fraction:g} of {len(order)} patients is nobody or everybody. Choose more "
            "than 0 and less than 1."
        )
        raise ConfigError(msg)
    chosen = set(order[:count])
    return tuple(
        replace(row, subset="test") if row.patient in chosen and row.subset != "test" else row for row in rows
    )


def _test_first(pair: Pair, tested: set[str]) -> Pair:
    return pair if pair[0] in tested else (pair[1], pair[0])


def _reached(cases: set[str], pairs: Sequence[Pair]) -> set[str]:
    """The cases and all whose scans are one with theirs."""
    found = set(cases)
    while more := {case for pair in pairs if found.intersection(pair) for case in pair} - found:
        found |= more
    return found
