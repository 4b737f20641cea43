"""The tables of a dataset's page."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from wirsung.datasets.comparison import ComparedDataset, comparison_rows, public_datasets
from wirsung.datasets.data_card import DataCard
from wirsung.datasets.describe.coverage import Coverage
from wirsung.datasets.describe.missing import Missing
from wirsung.datasets.describe.outliers import Outlier
from wirsung.datasets.tables.published import Reproduced
from wirsung.datasets.tables.rendering import cells
from wirsung.datasets.tables.table_one import TableOne
from wirsung.pages.template import Cell, Table

MOST_OUTLIERS = 500
_LONGEST = 70
_INDENT = "    "


def cohort_table(table: TableOne) -> Table:
    """Table 1."""
    head, *rows = cells(table)
    told = "Mean (SD), median (quartiles) or n (%). Percentages are of all cases, unknown ones included."
    if table.compares:
        told += (
            " Tests are over the known values; p-values are not corrected for the number of variables. SMD "
            "is the standardised mean difference, which does not grow with the number of cases; 0.1 is "
            "often called small."
        )
    body = tuple(tuple(_indented(text) for text in row) for row in rows)
    return Table(tuple(head), body, told)


def reproduced_table(found: Sequence[Reproduced]) -> Table:
    """The published Table 1 beside ours."""
    rows = tuple(
        (
            item.title,
            item.published,
            item.ours or "–",
            "equal" if item.is_equal else item.difference or "–",
        )
        for item in found
    )
    return Table(("variable", "published", "ours", "ours minus published"), rows)


def reason_table(found: Sequence[Reproduced]) -> Table:
    """Why a row comes out otherwise or not at all; rows with one reason together."""
    reasons: dict[str, list[str]] = {}
    for item in found:
        if item.why:
            reasons.setdefault(item.why, []).append(item.title)
    rows = tuple((Cell("; ".join(titles)), Cell(why)) for why, titles in reasons.items())
    return Table(("not as published", "why"), rows)


def comparison_table(own: Sequence[ComparedDataset]) -> Table:
    """Table 3, one's own datasets on top."""
    (*head, _), *rows = (row for row in comparison_rows(own))
    ordered = [*rows[len(public_datasets()) :], *rows[: len(public_datasets())]]
    numbers = slice(1, 5)
    body: list[tuple[Cell | str, ...]] = []
    for row in ordered:
        counts = [_count_cell(text) for text in row[numbers]]
        body.append((row[0], *counts, *row[numbers.stop : -1]))
    return Table(tuple(head), tuple(body))


def missing_table(found: Mapping[str, Missing]) -> Table:
    """How many cases of each dataset lack each value."""
    titles = dict.fromkeys(title for item in found.values() for title in item.counts)
    rows: tuple[tuple[Cell | str, ...], ...] = tuple(
        (title, *(_share_cell(item.counts.get(title), item.cases) for item in found.values()))
        for title in titles
    )
    return Table(("value", *(f"{name}, missing" for name in found)), rows)


def missing_by_centre_table(found: Mapping[str, tuple[int, int]], title: str) -> Table:
    """Of each centre, how many of its cases lack the value."""
    rows = tuple(
        (Cell(_shortened(level)), Cell(f"{total:,}", total), _share_cell(count, total))
        for level, (count, total) in found.items()
    )
    return Table(("centre", "cases", f"{title}, missing"), rows)


def coverage_table(found: Mapping[str, Mapping[str, Coverage]]) -> Table:
    """A row a structure and a column a dataset: cases that have it, and what the others are."""
    structures = dict.fromkeys(name for item in found.values() for name in item)
    rows: tuple[tuple[Cell | str, ...], ...] = tuple(
        (name.replace("_", " "), *(_coverage_cell(item.get(name)) for item in found.values()))
        for name in structures
    )
    return Table(("structure", *(f"{name}, cases that have it" for name in found)), rows)


def outlier_table(found: Mapping[str, Sequence[Outlier]]) -> Table:
    """Every outlier with its reason, the farthest first."""
    several = len(found) > 1
    every = [(name, item) for name, items in found.items() for item in items]
    every.sort(key=lambda pair: -abs(pair[1].robust_z))
    rows = tuple(
        (item.case, *((name,) if several else ()), item.reason, Cell.number(item.robust_z, 1))
        for name, item in every[:MOST_OUTLIERS]
    )
    too_many = len(every) > MOST_OUTLIERS
    caption = f"The {MOST_OUTLIERS} farthest of {len(every):,}; outliers.csv has all." if too_many else ""
    columns = ("case", *(("dataset",) if several else ()), "why", "robust z")
    return Table(columns, rows, caption, "Find a case or a structure")


def card_table(cards: Sequence[DataCard]) -> Table:
    """The data card: a row a question, a column a dataset, with who told it below."""
    rows = []
    for answers in zip(*(card.answers for card in cards), strict=True):
        question = answers[0].question
        told = (Cell(item.answer, note=item.origin) for item in answers)
        rows.append((Cell(question.text, note=question.section), *told))
    return Table(("question", *(card.name for card in cards)), tuple(rows), searched="Find a question")


def file_table(files: Mapping[str, str]) -> Table:
    """The files beside the page, each with a link: name to what it holds."""
    link = Markup('<a href="{}">{}</a>')
    return Table(
        ("file", "what"), tuple((Cell(link.format(name, name)), what) for name, what in files.items())
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip(' ,;')}…"


def _indented(text: str) -> str:
    return text.replace(_INDENT, "\N{EM SPACE}", 1) if text.startswith(_INDENT) else text


def _count_cell(text: str) -> Cell:
    digits = text.replace(",", "")
    return Cell(text, float(digits) if digits.isdigit() else float("inf"))


def _share_cell(count: int | None, cases: int) -> Cell:
    if count is None or not cases:
        return Cell("–", float("inf"))
    return Cell(f"{count:,} ({100 * count / cases:.1f} %)", count)


def _coverage_cell(item: Coverage | None) -> Cell:
    if item is None:
        return Cell("not annotated", -1.0)
    rest = [f"{item.empty:,} empty"] if item.empty else []
    rest += [f"{item.not_annotated:,} not annotated"] if item.not_annotated else []
    return Cell(f"{100 * item.fraction:.1f} %", item.fraction, ", ".join(rest))
