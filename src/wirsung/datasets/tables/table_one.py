"""Table 1: what a paper says of its patients, for one cohort or for two side by side.

The variables, their order and the way in which each is told are those of Table 1 of the PanTS paper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from wirsung.datasets.tables.cohort import Cohort
from wirsung.datasets.tables.differences import (
    Difference,
    difference_of_counts,
    difference_of_means,
    difference_of_ranks,
)
from wirsung.datasets.tables.summaries import CountSummary, NumberSummary, summarise_counts, summarise_numbers
from wirsung.errors import ConfigError

Kind = Literal["mean", "median", "count"]
MOST_COHORTS = 2


@dataclass(frozen=True)
class Variable:
    """One variable of the table."""

    column: str
    title: str
    kind: Kind
    """Told as mean (SD), as median (IQR), or as n (%)."""
    digits: int = 0
    levels: Mapping[str, str] = field(default_factory=dict)
    """Of a count: value to title, in the order of the rows."""


_YES_NO = {"yes": "Yes", "no": "No"}
VARIABLES = (
    Variable("age_years", "Age, years", "mean", 1),
    Variable("sex", "Sex", "count", levels={"F": "Female", "M": "Male"}),
    Variable("in_plane_spacing_mm", "In-plane spacing, mm", "median", 2),
    Variable("slice_thickness_mm", "Slice thickness, mm", "median", 2),
    Variable(
        "phase",
        "Contrast phase",
        "count",
        levels={
            "non-contrast": "Non-contrast",
            "venous": "Portal venous",
            "arterial": "Arterial",
            "delayed": "Delayed",
        },
    ),
    Variable("tumour", "Pancreatic tumour", "count", levels=_YES_NO),
    Variable("dilated_duct", "Dilated duct", "count", levels=_YES_NO),
    Variable("tumours_per_positive_ct", "Tumours per positive CT", "median", 2),
    Variable("tumour_volume_mm3", "Tumour volume, mm³", "median"),
    Variable("tumour_hu", "Tumour, HU", "mean", 1),
    Variable("pancreas_volume_mm3", "Pancreas volume, mm³", "median"),
    Variable("pancreas_hu", "Pancreas, HU", "mean", 1),
)
"""Table 1 of the PanTS paper."""


@dataclass(frozen=True)
class Row:
    """One variable: a summary a cohort, and between two cohorts the difference."""

    variable: Variable
    summaries: tuple[NumberSummary | CountSummary | None, ...]
    """None where the cohort does not have the variable at all."""
    difference: Difference | None = None


@dataclass(frozen=True)
class TableOne:
    """The whole table."""

    cohorts: tuple[str, ...]
    cases: tuple[int, ...]
    rows: tuple[Row, ...]

    @property
    def compares(self) -> bool:
        """Whether two cohorts are tested against each other."""
        return len(self.cohorts) == MOST_COHORTS


def side_by_side(cohorts: Sequence[Cohort], variables: Sequence[Variable] = VARIABLES) -> TableOne:
    """The same of any number of cohorts: one and two as `table_one`, more without tests.

    Raises:
        ConfigError: There is no cohort.
    """
    if len(cohorts) <= MOST_COHORTS:
        return table_one(cohorts, variables)
    return TableOne(
        tuple(item.name for item in cohorts),
        tuple(item.cases for item in cohorts),
        tuple(replace(_row(variable, cohorts), difference=None) for variable in variables),
    )


def table_one(cohorts: Sequence[Cohort], variables: Sequence[Variable] = VARIABLES) -> TableOne:
    """Summarise one cohort, or compare two.

    Percentages are of all cases, those with a missing value included; tests are over the known values alone.

    Raises:
        ConfigError: None or more than two cohorts.
    """
    if not 1 <= len(cohorts) <= MOST_COHORTS:
        msg = f"Table 1 tells of one cohort or compares two, but {len(cohorts)} were given."
        raise ConfigError(msg)
    return TableOne(
        tuple(item.name for item in cohorts),
        tuple(item.cases for item in cohorts),
        tuple(_row(variable, cohorts) for variable in variables),
    )


def _row(variable: Variable, cohorts: Sequence[Cohort]) -> Row:
    if variable.kind == "count":
        return _count_row(variable, cohorts)
    values = [item.numbers.get(variable.column) for item in cohorts]
    known = [item for item in values if item is not None]
    test = difference_of_means if variable.kind == "mean" else difference_of_ranks
    return Row(
        variable,
        tuple(None if item is None else summarise_numbers(item) for item in values),
        test(*known) if len(known) == MOST_COHORTS else None,
    )


def _count_row(variable: Variable, cohorts: Sequence[Cohort]) -> Row:
    values = [item.words.get(variable.column) for item in cohorts]
    known = [item for item in values if item is not None]
    levels = list(variable.levels)
    for item in known:  # a level that only one cohort has is a row of both
        levels += [level for level, _ in summarise_counts(item, levels).counts if level not in levels]
    summaries = tuple(None if item is None else summarise_counts(item, levels) for item in values)
    counts = [[number for _, number in item.counts] for item in summaries if item is not None]
    return Row(variable, summaries, difference_of_counts(*counts) if len(counts) == MOST_COHORTS else None)
