"""Tables as text: CSV for programs, Markdown and LaTeX for papers; and Table 1 in their rows."""

import csv
import io
import math
from collections.abc import Sequence

from wirsung.datasets.tables.summaries import CountSummary, NumberSummary
from wirsung.datasets.tables.table_one import Row, TableOne

_HEAD = "Variable"
_INDENT = "    "
_SMALLEST_P = 1e-300
_LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "%&_#{}$"},
        **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
        **{"<": "$<$", ">": "$>$", "³": "$^3$", "−": "$-$", "×": r"$\times$", "✓": r"\checkmark{}"},
    }
)


def cells(table: TableOne) -> list[list[str]]:
    """The table as rows of text, its head first; a level of a count is a row of its own, indented."""
    totals = [f"{name} (n = {cases:,})" for name, cases in zip(table.cohorts, table.cases, strict=True)]
    compares = table.compares
    found = [[_HEAD, *totals, *(["p-value", "SMD", "Test"] if compares else [])]]
    for row in table.rows:
        found += (
            _count_cells(row, compares) if row.variable.kind == "count" else [_number_cells(row, compares)]
        )
        found += _missing_cells(row, compares)
    return found


def as_csv(table: TableOne) -> str:
    """Table 1 as comma-separated values with a head."""
    return rows_as_csv(cells(table))


def as_markdown(table: TableOne) -> str:
    """Table 1 as a pipe table."""
    return rows_as_markdown(cells(table))


def as_latex(table: TableOne) -> str:
    """Table 1 as a `tabular`."""
    return rows_as_latex(cells(table))


def rows_as_csv(rows: Sequence[Sequence[str]]) -> str:
    r"""Rows of text, their head first, as comma-separated values.

    Example:
        >>> rows_as_csv([["name", "n"], ["a, b", "3"]])
        'name,n\n"a, b",3\n'
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def rows_as_markdown(rows: Sequence[Sequence[str]]) -> str:
    r"""Rows of text as a pipe table; all but the first column flush right.

    Example:
        >>> print(rows_as_markdown([["name", "n"], ["a|b", "3"]]), end="")
        | name | n |
        | --- | ---: |
        | a\|b | 3 |
    """
    head, *body = rows
    lines = [head, ["---"] + ["---:"] * (len(head) - 1)]
    lines += [[text.replace("|", "\\|") for text in _indented(row, "&emsp;")] for row in body]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


def rows_as_latex(rows: Sequence[Sequence[str]]) -> str:
    r"""Rows of text as a `tabular` with the rules of booktabs; a tick needs amssymb."""
    told = [_latex_line(row) for row in rows]
    lines = [
        rf"\begin{{tabular}}{{l{'r' * (len(rows[0]) - 1)}}}",
        r"\toprule",
        rf"{told[0]} \\",
        r"\midrule",
        *(rf"{line} \\" for line in told[1:]),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def p_text(p_value: float) -> str:
    """A p-value as papers print it.

    Example:
        >>> p_text(0.0421), p_text(7.8586e-27), p_text(0.0), p_text(float("nan"))
        ('0.042', '7.86e-27', '< 1e-300', '-')
    """
    if math.isnan(p_value):
        return "-"
    if p_value < _SMALLEST_P:
        return f"< {_SMALLEST_P:.0e}"
    return f"{p_value:.3f}" if p_value >= 0.001 else f"{p_value:.2e}"


def _number_cells(row: Row, compares: bool) -> list[str]:
    what = "mean (SD)" if row.variable.kind == "mean" else "median (IQR)"
    return [
        f"{row.variable.title}, {what}",
        *(_number_text(item, row) for item in row.summaries),
        *_difference_cells(row, compares),
    ]


def _number_text(summary: NumberSummary | CountSummary | None, row: Row) -> str:
    if not isinstance(summary, NumberSummary) or not summary.n:
        return "-"
    digits = row.variable.digits
    if row.variable.kind == "mean":
        return f"{summary.mean:,.{digits}f} ({summary.sd:,.{digits}f})"
    return f"{summary.median:,.{digits}f} ({summary.q1:,.{digits}f}, {summary.q3:,.{digits}f})"


def _count_cells(row: Row, compares: bool) -> list[list[str]]:
    found = [[row.variable.title, *("" for _ in row.summaries), *_difference_cells(row, compares)]]
    known = [item for item in row.summaries if isinstance(item, CountSummary)]
    if not known:
        found[0][1 : 1 + len(row.summaries)] = ["-"] * len(row.summaries)
        return found
    for level, _ in known[0].counts:
        title = row.variable.levels.get(level, level)
        texts = [_count_text(item, level) for item in row.summaries]
        found.append([f"{_INDENT}{title}, n (%)", *texts, *_blank(compares)])
    return found


def _count_text(summary: NumberSummary | CountSummary | None, level: str) -> str:
    if not isinstance(summary, CountSummary):
        return "-"
    return f"{dict(summary.counts)[level]:,} ({100 * summary.fraction(level):.1f})"


def _missing_cells(row: Row, compares: bool) -> list[list[str]]:
    """The row that says how many cases lack the value, where any does."""
    if not any(item is not None and item.missing for item in row.summaries):
        return []
    if row.variable.column.startswith("tumour") and row.variable.kind != "count":
        return []  # a case without a tumour lacks nothing
    texts = []
    for item in row.summaries:
        total = item.n + item.missing if item is not None else 0
        texts.append(f"{item.missing:,} ({100 * item.missing / total:.1f})" if item and total else "-")
    return [[f"{_INDENT}Unknown, n (%)", *texts, *_blank(compares)]]


def _difference_cells(row: Row, compares: bool) -> list[str]:
    if not compares:
        return []
    if row.difference is None:
        return ["-", "-", "-"]
    smd = row.difference.smd
    return [p_text(row.difference.p_value), "-" if math.isnan(smd) else f"{smd:.2f}", row.difference.test]


def _blank(compares: bool) -> list[str]:
    return ["", "", ""] if compares else []


def _latex_line(row: Sequence[str]) -> str:
    line = " & ".join(text.translate(_LATEX) for text in row)
    return line.replace(_INDENT, r"\quad ", 1) if line.startswith(_INDENT) else line


def _indented(row: Sequence[str], space: str) -> list[str]:
    return [text.replace(_INDENT, space, 1) if text.startswith(_INDENT) else text for text in row]
