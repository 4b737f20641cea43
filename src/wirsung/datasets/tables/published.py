"""Table 1 of the PanTS paper as published, held against a cohort: what comes out, what not, and why.

The figures are data (`pants_table_one.toml`), with the reason for each one that the released table does not
give. A reason belongs to one value: where a cohort gives a third value, nothing is explained.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from wirsung.datasets.tables.cohort import Cohort
from wirsung.datasets.tables.rendering import cells
from wirsung.datasets.tables.table_one import VARIABLES, Variable, table_one

_HEAD = ("Variable", "Published", "Ours", "Difference", "Why")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_UNEXPLAINED = "Not explained: neither the published value nor that of the table as released."


@dataclass(frozen=True)
class PublishedTable:
    """Table 1 as published."""

    title: str
    source: str
    cases: int
    """In the training set."""
    table: str
    """Which released table the reasons were found with."""
    rows: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Reproduced:
    """One published figure, and ours."""

    title: str
    published: str
    ours: str
    """Empty where the cohort does not have the variable."""
    why: str
    """Why ours is another one, or is not there; empty where both are the same."""

    @property
    def is_equal(self) -> bool:
        """Whether ours is the published figure, as printed."""
        return self.published == self.ours

    @property
    def difference(self) -> str:
        """Ours minus published, of each number that both print.

        Example:
            >>> Reproduced("Male", "2,923 (29.5)", "2,924 (29.5)", "").difference
            '+1, 0'
        """
        if not self.ours or self.is_equal:
            return ""
        pairs = zip(_numbers(self.published), _numbers(self.ours), strict=False)
        return ", ".join(_signed(one, other) for one, other in pairs)


@cache
def published_table() -> PublishedTable:
    """Table 1 of the PanTS paper."""
    text = files("wirsung.datasets.tables").joinpath("pants_table_one.toml").read_text(encoding="utf-8")
    found: dict[str, Any] = tomllib.loads(text)
    return PublishedTable(
        found["title"], found["source"], found["cases"], found["table"], tuple(found["row"])
    )


def held_against_published(cohort: Cohort) -> tuple[Reproduced, ...]:
    """Each published row of the training set beside the same row of this cohort.

    Args:
        cohort: The PanTS training set, from the released table or from a catalogued dataset.

    Source:
        PanTS paper, Table 1.
    """
    ours = _printed(cohort)
    return tuple(_reproduced(row, ours) for row in published_table().rows)


def as_rows(found: tuple[Reproduced, ...]) -> list[list[str]]:
    """The comparison as rows of text, the head first."""
    return [
        list(_HEAD),
        *([item.title, item.published, item.ours or "-", item.difference, item.why] for item in found),
    ]


def _reproduced(row: dict[str, str], ours: dict[tuple[str, str], str]) -> Reproduced:
    variable = next(item for item in VARIABLES if item.column == row["variable"])
    level = row.get("level", "")
    text, published = ours.get((row["variable"], level), ""), row["training"]
    title = f"{variable.title}: {level}" if level else _titled(variable)
    if text == published:
        return Reproduced(title, published, text, "")
    if not text:
        return Reproduced(title, published, "", row.get("lacks", "The cohort does not have it."))
    return Reproduced(title, published, text, row["why"] if text == row.get("ours") else _UNEXPLAINED)


def _printed(cohort: Cohort) -> dict[tuple[str, str], str]:
    """Variable and level to what our own Table 1 prints for the cohort; without what it does not have."""
    found: dict[tuple[str, str], str] = {}
    for variable in VARIABLES:
        if variable.column in cohort.numbers or variable.column in cohort.words:
            found |= dict(_printed_rows(cohort, variable))
    return found


def _printed_rows(cohort: Cohort, variable: Variable) -> Iterator[tuple[tuple[str, str], str]]:
    (_, first), *others = (row[:2] for row in cells(table_one([cohort], [variable]))[1:])
    if first:
        yield (variable.column, ""), first
    for title, text in others:
        yield (variable.column, title.strip().removesuffix(", n (%)")), text


def _titled(variable: Variable) -> str:
    return f"{variable.title}, {'mean (SD)' if variable.kind == 'mean' else 'median (IQR)'}"


def _numbers(text: str) -> list[str]:
    return [number.replace(",", "") for number in _NUMBER.findall(re.sub(r"(\d), ", r"\1; ", text))]


def _signed(published: str, ours: str) -> str:
    """The difference of two printed numbers, with as many decimals as are printed."""
    digits = len(ours.partition(".")[2])
    difference = round(float(ours) - float(published), digits)
    return "0" if difference == 0 else f"{difference:+,.{digits}f}".replace("-", "−")
