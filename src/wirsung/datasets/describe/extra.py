"""Columns that no table of a dataset has, such as a dilated duct: a CSV of the user's own, by case."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wirsung.datasets.tables.cohort import Cohort
from wirsung.datasets.tables.table_one import VARIABLES, Variable
from wirsung.errors import ConfigError

_CASE = "case"
_UNKNOWN = {"", "na", "nan", "none", "unknown"}
_DIGITS = 2


@dataclass(frozen=True)
class Extra:
    """Further columns: name to case to text."""

    columns: Mapping[str, Mapping[str, str]]

    def variables(self) -> tuple[Variable, ...]:
        """Table 1's variables, then those that are not of it: numbers as median (IQR), words as n (%)."""
        known = {item.column for item in VARIABLES}
        own = (
            Variable(name, name, "median" if _are_numbers(values.values()) else "count", _DIGITS)
            for name, values in self.columns.items()
            if name not in known
        )
        return (*VARIABLES, *own)

    def names_any(self, cases: Iterable[str]) -> bool:
        """Whether the file has a row of any of the cases."""
        return not {case for values in self.columns.values() for case in values}.isdisjoint(cases)

    def added_to(self, cohort: Cohort, cases: Sequence[str]) -> Cohort:
        """The cohort with the further columns; a case that the file does not name lacks them.

        Args:
            cohort: Of a dataset.
            cases: Their ids, in its order.
        """
        numbers, words = dict(cohort.numbers), dict(cohort.words)
        kinds = {item.column: item.kind for item in self.variables()}
        for name, values in self.columns.items():
            told = [values.get(case, "") for case in cases]
            if kinds[name] == "count":
                words[name] = [text or None for text in told]
            else:
                numbers[name] = np.array([float(text) if text else np.nan for text in told])
        return replace(cohort, numbers=numbers, words=words)


def read_extra(path: Path) -> Extra:
    """Read the CSV.

    Raises:
        ConfigError: It is missing, has no column `case` or no other one, names a case twice, or has a word in
            a column of Table 1 that holds numbers.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} is missing or no CSV in UTF-8. Check the path."
        raise ConfigError(msg) from error
    names = [name for name in (rows[0] if rows else {}) if name and name != _CASE]
    if not names or _CASE not in rows[0]:
        msg = f"{path} needs the column {_CASE!r} and at least one more, in at least one row. Add them."
        raise ConfigError(msg)
    cases = [row[_CASE] for row in rows]
    case, times = Counter(cases).most_common(1)[0]
    if times > 1:
        msg = f"{path}: case {case!r} has {times} rows. Leave one."
        raise ConfigError(msg)
    columns = {
        name: dict(zip(cases, map(_plain, (row[name] for row in rows)), strict=True)) for name in names
    }
    for item in VARIABLES:
        if (
            item.column in columns
            and item.kind != "count"
            and not _are_numbers(columns[item.column].values())
        ):
            msg = f"{path}: the column {item.column!r} holds numbers, but one is none. Mend it."
            raise ConfigError(msg)
    return Extra(columns)


def _plain(text: str | None) -> str:
    bare = (text or "").strip()
    return "" if bare.lower() in _UNKNOWN else bare


def _are_numbers(values: Iterable[str]) -> bool:
    """Whether all values that are there are finite numbers, and there is one."""
    known = [text for text in values if text]
    try:
        return bool(known) and bool(np.isfinite([float(text) for text in known]).all())
    except ValueError:
        return False
