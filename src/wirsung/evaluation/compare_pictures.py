"""The pictures of compare.html: the methods' means, and the differences of pairs."""

from collections.abc import Iterator, Sequence

from wirsung.evaluation.compare_pairs import ComparedPair
from wirsung.evaluation.compared import Compared
from wirsung.evaluation.protocol import unit_of
from wirsung.evaluation.report_tables import digits_of, metric_title, signed, words_of
from wirsung.pages.figures import ForestRow, forest_plot
from wirsung.pages.template import Cell, Picture

_MOST_PAIRS = 15
"""Rows of a forest plot of pairs: those of six methods."""


def comparison_pictures(compared: Compared, metric: str) -> Iterator[Picture]:
    """The leading structure's means; the differences of all structures for two methods, of all pairs for six.

    More pairs than that are told by the table alone.
    """
    pairs = [pair for pair in compared.pairs if pair.metric == metric]
    leading = [pair for pair in pairs if pair.structure == compared.structures[0]]
    yield _means(compared, metric)
    better = {True: " Right of 0 it is better.", False: " Left of 0 it is better.", None: ""}
    which = better[compared.rules.higher_is_better(metric)]
    if len(compared.methods) == 2 and pairs:
        rows = [_row(words_of(pair.structure), pair) for pair in pairs]
        what = (
            f"{pairs[0].second} minus {pairs[0].first}, mean difference with its 95 % interval, p after Holm."
        )
        yield _differences(rows, metric, pairs, what + which)
    elif leading and len(leading) <= _MOST_PAIRS:
        what = (
            f"{metric_title(metric)} of the {words_of(compared.structures[0])}: each method minus the one in "
        )
        what += "bold above it, with its 95 % interval; p after Holm."
        yield _differences(_under_headings(leading), metric, leading, what + which)


def p_cell(value: float) -> Cell:
    """A p to three digits."""
    if value != value:
        return Cell.number(value, 3)
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", value)


def unit_suffix(metric: str) -> str:
    """What follows a metric in a heading: its unit, or nothing.

    Example:
        >>> unit_suffix("hd95"), unit_suffix("dsc")
        (', mm', '')
    """
    return "" if unit_of(metric) == "1" else f", {unit_of(metric)}"


def _means(compared: Compared, metric: str) -> Picture:
    structure = compared.structures[0]
    rows = []
    for index, method in enumerate(compared.methods):
        found = compared.summaries[method.name][structure][metric]
        rows.append(ForestRow(method.name, found.mean, found.low, found.high, f"n = {found.n}", index))
    digits, what = digits_of(metric), f"{metric_title(metric)} of the {words_of(structure)}"
    said = "; ".join(f"{row.label} {row.value:.{digits}f}" for row in rows if row.value == row.value)
    return forest_plot(
        rows,
        label=f"mean {metric_title(metric)}{unit_suffix(metric)}",
        alternative=f"Mean {what} of each method: {said}.",
        caption=f"{what}: mean with its 95 % interval. Pairs are told apart by the table below, not by this.",
    )


def _row(label: str, pair: ComparedPair) -> ForestRow:
    found, p = pair.comparison, p_cell(pair.p_holm).text
    note = f"p {p}" if p.startswith("<") else f"p = {p}"
    return ForestRow(label, found.mean_difference, found.low, found.high, note)


def _under_headings(pairs: Sequence[ComparedPair]) -> list[ForestRow]:
    """Each second method under its first."""
    rows: list[ForestRow] = []
    for first in dict.fromkeys(pair.first for pair in pairs):
        rows.append(ForestRow(f"against {first}"))
        rows += [_row(pair.second, pair) for pair in pairs if pair.first == first]
    return rows


def _differences(
    rows: Sequence[ForestRow], metric: str, pairs: Sequence[ComparedPair], caption: str
) -> Picture:
    digits = digits_of(metric) + 1
    said = "; ".join(
        f"{words_of(pair.structure)}, {pair.second} minus {pair.first} "
        f"{signed(pair.comparison.mean_difference, digits)}"
        for pair in pairs
    )
    return forest_plot(
        rows,
        label=f"mean difference of {metric_title(metric)}{unit_suffix(metric)}",
        alternative=f"Mean differences of {metric_title(metric)}: {said}.",
        caption=caption,
        line=0.0,
    )
