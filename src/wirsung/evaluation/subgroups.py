"""Scores by subgroup: the levels of any column of the manifest or of a table, or numbers cut at given points.

A subgroup is named as on the command line: `sex`, or `age_years:40,60` for under 40, 40 to 60 and from 60.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import stats

from wirsung.errors import ConfigError, near_names
from wirsung.evaluation.statistics import Summary, by_patient, holm, summarise

UNKNOWN = "unknown"
"""The level of cases for which the column says nothing; it takes no part in the test."""

_MOST_LEVELS = 20


@dataclass(frozen=True)
class SubgroupLevel:
    """One row of a forest plot."""

    level: str
    """`F`, `< 40`, `40 to < 60`, or `unknown`."""
    summary: Summary
    """Mean with its 95 % interval, n and the rest."""


@dataclass(frozen=True)
class SubgroupFindings:
    """One method's metric of one structure, by the levels of one column."""

    method: str
    structure: str
    metric: str
    column: str
    """As in the manifest, without cut points."""
    levels: tuple[SubgroupLevel, ...]
    """In order of the numbers or the alphabet; `unknown` last."""
    overall: Summary
    """Of all cases: the line that a forest plot is read against."""
    test: str
    """Mann-Whitney for two known levels, Kruskal-Wallis for more; empty where there is nothing to test."""
    p: float
    """Two-sided, that the levels differ; of patients, each by the mean of its cases."""
    p_holm: float = math.nan
    """Adjusted after Holm over the columns and structures of this method and metric."""


@dataclass(frozen=True)
class Subgrouping:
    """Which case belongs to which level of one column."""

    column: str
    levels: tuple[str, ...]
    of: Mapping[str, str]
    """Case to level."""


def subgrouping(spec: str, rows: Mapping[str, Mapping[str, Any]]) -> Subgrouping:
    """The levels of one column.

    Args:
        spec: `column`, or `column:cut,cut` for numbers; a value at a cut belongs above it.
        rows: Case to what is known of it; None, NaN and an empty text are unknown.

    Raises:
        ConfigError: No such column, cut points that are no ascending numbers, cut points for text, or a
            column with more than 20 levels.

    Example:
        >>> rows = {"a": {"age": 39}, "b": {"age": 40}, "c": {"age": None}}
        >>> dict(subgrouping("age:40", rows).of)
        {'a': '< 40', 'b': '>= 40', 'c': 'unknown'}
    """
    column, _, text = spec.partition(":")
    known = sorted({name for row in rows.values() for name in row})
    if column not in known:
        msg = f"There is no column {column!r} to make subgroups of. {near_names(column, known)}"
        raise ConfigError(msg)
    values = {case: row.get(column) for case, row in rows.items()}
    values = {case: None if _is_unknown(value) else value for case, value in values.items()}
    if text:
        return _cut(column, _cut_points(column, text), values)
    return _by_level(column, values)


def subgroup_findings(
    key: tuple[str, str, str],
    grouping: Subgrouping,
    scores: Mapping[str, tuple[float, str | None]],
    *,
    patients: Mapping[str, str],
    seed: int = 0,
) -> SubgroupFindings:
    """One metric of one structure by level.

    Args:
        key: Method, structure and metric.
        grouping: Case to level.
        scores: Case to value and, where it is NaN, the reason.
        patients: Case to patient; a case without one is its own patient.
        seed: Of every bootstrap.
    """
    by_level: dict[str, list[str]] = {level: [] for level in grouping.levels}
    for case in scores:
        by_level.setdefault(grouping.of.get(case, UNKNOWN), []).append(case)
    # Unknown last, also where a case has scores but no row.
    ordered = sorted(by_level, key=lambda level: level == UNKNOWN)
    found = tuple(
        SubgroupLevel(level, _summary(by_level[level], scores, patients, seed))
        for level in ordered
        if by_level[level]
    )
    groups = [_by_patient(by_level[level], scores, patients) for level in ordered if level != UNKNOWN]
    test, p = difference_test([group for group in groups if group])
    overall = _summary(list(scores), scores, patients, seed)
    return SubgroupFindings(*key, grouping.column, found, overall, test, p)


def with_holm(findings: Sequence[SubgroupFindings]) -> tuple[SubgroupFindings, ...]:
    """Adjusted after Holm, over the columns and structures of each method and metric."""
    adjusted = list(findings)
    families: dict[tuple[str, str], list[int]] = {}
    for index, item in enumerate(findings):
        families.setdefault((item.method, item.metric), []).append(index)
    for members in families.values():
        for index, p in zip(members, holm([findings[index].p for index in members]), strict=True):
            adjusted[index] = replace(findings[index], p_holm=p)
    return tuple(adjusted)


def difference_test(groups: Sequence[Sequence[float]]) -> tuple[str, float]:
    """The name and the two-sided p of a rank test that groups differ; 1 where all values are one.

    Example:
        >>> difference_test([[0.8, 0.8], [0.8]])
        ('Mann-Whitney', 1.0)
        >>> difference_test([[0.8, 0.9]])
        ('', nan)
    """
    if len(groups) < 2:
        return "", math.nan
    name = "Mann-Whitney" if len(groups) == 2 else "Kruskal-Wallis"
    rounded = [np.round(np.asarray(group, dtype=np.float64), 9) for group in groups]
    everything = np.concatenate(rounded)
    if (everything == everything[0]).all():
        return name, 1.0
    if len(groups) == 2:
        return name, float(stats.mannwhitneyu(rounded[0], rounded[1]).pvalue)
    return name, float(stats.kruskal(*rounded).pvalue)


def _is_unknown(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _cut_points(column: str, text: str) -> tuple[float, ...]:
    try:
        points = tuple(float(part) for part in text.split(","))
    except ValueError:
        points = ()
    if not points or list(points) != sorted(set(points)) or not all(map(math.isfinite, points)):
        msg = f"The cut points of {column} are {text!r}. Give ascending numbers, such as {column}:40,60."
        raise ConfigError(msg)
    return points


def _cut(column: str, points: tuple[float, ...], values: Mapping[str, Any]) -> Subgrouping:
    said = [f"{point:g}" for point in points]
    levels = [
        f"< {said[0]}",
        *(f"{low} to < {high}" for low, high in pairwise(said)),
        f">= {said[-1]}",
    ]
    of = {}
    for case, value in values.items():
        try:
            place = None if value is None else int(np.searchsorted(points, float(value), side="right"))
        except (TypeError, ValueError) as error:
            msg = f"{column} of case {case} is no number, so it can't be cut. Name the column without points."
            raise ConfigError(msg) from error
        of[case] = UNKNOWN if place is None else levels[place]
    return Subgrouping(column, (*levels, UNKNOWN), of)


def _by_level(column: str, values: Mapping[str, Any]) -> Subgrouping:
    known = {value for value in values.values() if value is not None}
    if len(known) > _MOST_LEVELS:
        numbers = all(isinstance(value, int | float) for value in known)
        advice = f"Give cut points, such as {column}:40,60." if numbers else "Choose another column."
        msg = f"{column} has {len(known)} different values, and subgroups at most {_MOST_LEVELS}. {advice}"
        raise ConfigError(msg)
    ordered = sorted(known, key=lambda value: (isinstance(value, str), value))
    levels = tuple(_words(value) for value in ordered)
    of = {case: UNKNOWN if value is None else _words(value) for case, value in values.items()}
    return Subgrouping(column, (*levels, UNKNOWN), of)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _summary(
    cases: Sequence[str],
    scores: Mapping[str, tuple[float, str | None]],
    patients: Mapping[str, str],
    seed: int,
) -> Summary:
    who: list[Hashable] = [patients.get(case, case) for case in cases]
    values, reasons = [scores[case][0] for case in cases], [scores[case][1] for case in cases]
    return summarise(values, reasons, patients=who, seed=seed)


def _by_patient(
    cases: Sequence[str], scores: Mapping[str, tuple[float, str | None]], patients: Mapping[str, str]
) -> list[float]:
    fine = [case for case in cases if math.isfinite(scores[case][0])]
    values = np.array([scores[case][0] for case in fine], dtype=np.float64)
    found: list[float] = by_patient(values, [patients.get(case, case) for case in fine]).tolist()
    return found
