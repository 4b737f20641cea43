"""The stage `describe`: read the tables of one dataset or several, and write what they say."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wirsung.compute.atomic import write_text
from wirsung.compute.cases import Outcome
from wirsung.datasets.catalog import CatalogSettings, catalog
from wirsung.datasets.comparison import comparison_rows
from wirsung.datasets.contents import contents_of, distinctly_named
from wirsung.datasets.croissant import croissant_of
from wirsung.datasets.describe.errata import repair_rows
from wirsung.datasets.describe.extra import read_extra
from wirsung.datasets.describe.findings import Findings, findings_of
from wirsung.datasets.describe.page import description_page
from wirsung.datasets.describe.pictures import outlier_pictures
from wirsung.datasets.describe.settings import DescribeSettings
from wirsung.datasets.layout import Dataset, is_dataset
from wirsung.datasets.manifest import STRUCTURES_FILE
from wirsung.datasets.tables.published import as_rows
from wirsung.datasets.tables.rendering import cells, rows_as_csv, rows_as_latex, rows_as_markdown
from wirsung.datasets.tables.table_one import TableOne, side_by_side
from wirsung.errors import ConfigError
from wirsung.pages.template import write_page

PAGE_FILE = "description.html"
_TABLE_ONE = "Table 1: who is in it, and how two datasets differ"
_COMPARISON = "Table 3: beside the public datasets of the PanTS paper"
_SUFFIXES = {".csv": rows_as_csv, ".md": rows_as_markdown, ".tex": rows_as_latex}


@dataclass(frozen=True)
class Described:
    """What `describe` wrote."""

    out: Path
    names: tuple[str, ...]
    files: dict[str, str]
    """Name of each file beside the page to what it holds."""
    outliers: int
    not_stated: int
    """Questions of the data cards without an answer."""
    outcomes: list[Outcome[None]] = field(default_factory=list)
    """Of the cases that had to be measured first."""

    def lines(self) -> list[str]:
        """For the terminal."""
        measured = sum(outcome.status == "done" for outcome in self.outcomes)
        first = f"Measured first: the masks of {measured:,} cases; the tables are kept in the dataset."
        return [
            *([first] if self.outcomes else []),
            f"{', '.join(self.names)}: {self.outliers:,} outlying values; {self.not_stated} questions of the "
            "data card are open.",
            f"The page: {self.out / PAGE_FILE}",
        ]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "datasets": list(self.names),
            "page": str(self.out / PAGE_FILE),
            "files": self.files,
            "outliers": self.outliers,
            "not_stated": self.not_stated,
        }


def describe(settings: DescribeSettings) -> Described:
    """Write the page, the tables, the data card and the Croissant file.

    Of the datasets nothing is changed; one whose masks were not measured yet gets its tables first.

    Raises:
        ConfigError: No dataset is named, the data card's answers are none, --by divides no dataset, or
            the extra table is none.
        ManifestError: A folder is no dataset, or a table is damaged.
        StorageError: The output, or the tables of a dataset without any, can't be written.
    """
    if not settings.datasets:
        msg = "No dataset is named. Give one or more, as in: wirsung describe DATASET --out DIR"
        raise ConfigError(msg)
    if settings.answers is not None and len(settings.datasets) > 1:
        msg = "--answers holds those of one dataset. Put a datacard.toml into each dataset's folder instead."
        raise ConfigError(msg)
    outcomes = _measured(settings) if settings.measure else []
    found = [contents_of(path) for path in settings.datasets]
    every = [
        findings_of(contents, name, settings.outlier_z, settings.answers)
        for contents, name in zip(found, distinctly_named(found), strict=True)
    ]
    if settings.extra is not None:
        every = _extended(every, settings.extra)
    tables = _table_ones(every, settings.by)
    files = {**_write_tables(settings.out, every, tables), **_write_cards(settings.out, every)}
    share = -(-settings.pictures // len(every))
    pictures = [block for item in every for block in outlier_pictures(item.contents, item.outliers, share)]
    page = description_page(every, tables, pictures, files, settings.outlier_z)
    write_page(settings.out / PAGE_FILE, page)
    return Described(
        settings.out,
        tuple(item.name for item in every),
        files,
        sum(len(item.outliers) for item in every),
        sum(not answer.is_stated for item in every for answer in item.card.answers),
        outcomes,
    )


def _extended(every: Sequence[Findings], path: Path) -> list[Findings]:
    """With the columns of the extra table."""
    extra = read_extra(path)
    cases = [case for item in every for case in item.contents.manifest["case"].to_pylist()]
    if not extra.names_any(cases):
        msg = (
            f"{path} names no case of the datasets. Its column case must hold their ids, such as {cases[0]}."
        )
        raise ConfigError(msg)
    return [item.with_extra(extra) for item in every]


def _measured(settings: DescribeSettings) -> list[Outcome[None]]:
    """Measure the datasets that have masks and no measurements of them."""
    outcomes: list[Outcome[None]] = []
    for path in settings.datasets:
        if (
            is_dataset(path)
            and not (path / STRUCTURES_FILE).is_file()
            and Dataset.open(path).structure_names()
        ):
            outcomes += catalog(CatalogSettings(path, workers=settings.workers))
    return outcomes


def _table_ones(every: Sequence[Findings], by: str) -> dict[str, TableOne]:
    """Table 1 of the datasets, then of the parts of each."""
    cohorts = [item.cohort for item in every]
    found = {"Cohort" if len(every) == 1 else "Cohorts": side_by_side(cohorts, every[0].variables)}
    if by == "none":
        return found
    for item in every:
        parts = item.parts(by)
        if parts is not None:
            found[f"{item.name} by {by}"] = parts
    if len(found) == 1:
        msg = f"--by {by} has nothing to compare: no dataset has two values of it. Choose another column."
        raise ConfigError(msg)
    return found


def _write_tables(out: Path, every: Sequence[Findings], tables: Mapping[str, TableOne]) -> dict[str, str]:
    """Write the tables; each file's name and what it holds."""
    files = {}
    (_, table), *parts = tables.items()
    told = [("table_one", cells(table), _TABLE_ONE), ("datasets", _comparison(every), _COMPARISON)]
    told += [(f"table_one-{_plain(title)}", cells(part), f"Table 1 of {title}") for title, part in parts]
    for stem, rows, what in told:
        for suffix, rendered in _SUFFIXES.items():
            write_text(out / f"{stem}{suffix}", rendered(rows))
            files[f"{stem}{suffix}"] = what
    lists = {
        "missing.csv": (_missing_rows(every), "how many cases lack each value"),
        "coverage.csv": (_coverage_rows(every), "each structure: present, empty, not annotated"),
        "outliers.csv": (_outlier_rows(every), "every outlying value with its reason"),
    }
    for item in every:
        if item.reproduced:
            lists["published.csv"] = (as_rows(item.reproduced), "the published Table 1 beside ours")
        if item.contents.release is not None:
            name = f"repairs{_suffix(item, every)}.csv"
            lists[name] = (repair_rows(item.contents), f"what was repaired in the table of {item.name}")
    for name, (rows, what) in lists.items():
        write_text(out / name, rows_as_csv(rows))
        files[name] = what
    return files


def _write_cards(out: Path, every: Sequence[Findings]) -> dict[str, str]:
    files = {}
    for item in every:
        suffix = _suffix(item, every)
        write_text(out / f"data_card{suffix}.md", item.card.as_markdown())
        write_text(out / f"open_questions{suffix}.toml", item.card.open_questions())
        files[f"data_card{suffix}.md"] = f"the data card of {item.name}"
        files[f"open_questions{suffix}.toml"] = f"what it does not tell of {item.name}, to be filled in"
        if item.contents.dataset is not None:
            text = json.dumps(croissant_of(item.contents, item.card), indent=2, ensure_ascii=False)
            write_text(out / f"croissant{suffix}.json", text + "\n")
            files[f"croissant{suffix}.json"] = (
                f"{item.name} as Croissant 1.1; belongs beside its dataset.toml"
            )
    return files


def _suffix(item: Findings, every: Sequence[Findings]) -> str:
    """What tells the files of several datasets apart."""
    if len(every) == 1:
        return ""
    plain = _plain(item.name)
    same = [_plain(other.name) for other in every].count(plain) > 1
    return f"-{plain}-{list(every).index(item) + 1}" if same else f"-{plain}"


def _plain(name: str) -> str:
    """The name as part of a file's name."""
    return re.sub(r"[^\w.-]+", "_", name).strip("_")


def _comparison(every: Sequence[Findings]) -> list[list[str]]:
    return comparison_rows([item.compared() for item in every])


def _missing_rows(every: Sequence[Findings]) -> list[list[str]]:
    rows = [["dataset", "value", "missing", "cases"]]
    for item in every:
        counts = item.missing.counts.items()
        rows += [[item.name, title, str(count), str(item.missing.cases)] for title, count in counts]
    return rows


def _coverage_rows(every: Sequence[Findings]) -> list[list[str]]:
    rows = [["dataset", "structure", "present", "empty", "not_annotated"]]
    for item in every:
        rows += [
            [item.name, name, str(found.present), str(found.empty), str(found.not_annotated)]
            for name, found in item.coverage.items()
        ]
    return rows


def _outlier_rows(every: Sequence[Findings]) -> list[list[str]]:
    rows = [["dataset", "case", "structure", "quantity", "value", "unit", "median", "robust_z", "reason"]]
    for item in every:
        rows += [
            [
                *(item.name, found.case, found.structure, found.quantity, repr(found.value), found.unit),
                *(repr(found.median), f"{found.robust_z:.2f}", found.reason),
            ]
            for found in item.outliers
        ]
    return rows
