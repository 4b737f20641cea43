"""compare.html: what a comparison found, on one page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wirsung import __version__
from wirsung.compute.cases import Outcome
from wirsung.evaluation.compare_detection import ComparedAucs
from wirsung.evaluation.compare_inputs import ScoredMethod
from wirsung.evaluation.compare_pairs import NOT_SCORED, ComparedPair, Rules
from wirsung.evaluation.protocol import unit_of
from wirsung.evaluation.report_tables import digits_of, metric_title
from wirsung.evaluation.statistics import RESAMPLES, Summary
from wirsung.evaluation.undefined import Reason
from wirsung.pages.figures import ForestRow, forest_plot
from wirsung.pages.template import Block, Cell, Facts, Notice, Page, Picture, Section, Table, write_page

_MOST_PAIRS = 4500
"""Rows of all tables of pairs together, some 700 bytes each; comparison.json has all."""

_MOST_MARGINS = 500
"""Rows of a table of margins."""

_MOST_ROWS = 15
"""Of a forest plot of pairs: those of six methods."""


@dataclass(frozen=True)
class Compared:
    """Everything that a comparison read and found."""

    methods: tuple[ScoredMethod, ...]
    structures: tuple[str, ...]
    """The leading one first."""
    metrics: tuple[str, ...]
    summaries: Mapping[str, Mapping[str, Mapping[str, Summary]]]
    """Method to structure to metric."""
    pairs: tuple[ComparedPair, ...]
    rules: Rules
    shared_cases: int
    """Cases that every method was scored on."""
    aucs: tuple[ComparedAucs, ...] = ()
    """Of the lesion by case; empty where it was not scored."""


def write_compare_page(path: Path, compared: Compared, outcomes: Sequence[Outcome[Any]]) -> None:
    """Write the page."""
    write_page(path, compare_page(compared, outcomes))


def compare_page(compared: Compared, outcomes: Sequence[Outcome[Any]]) -> Page:
    """The page as data."""
    names = [method.name for method in compared.methods]
    title = " and ".join(names) if len(names) < 4 else f"{len(names)} methods"
    return Page(
        title=f"{title} compared",
        lead=f"{compared.shared_cases} cases scored by every method; every pair, by case.",
        sections=(
            _overview(compared, outcomes),
            *(_metric(compared, metric) for metric in compared.metrics),
            *_detection(compared.aucs),
        ),
        overline="Comparison",
        definitions=tuple(_definitions(compared)),
    )


def _overview(compared: Compared, outcomes: Sequence[Outcome[Any]]) -> Section:
    blocks: list[Block] = [
        Notice(f"{outcome.case} {outcome.message}", "warning") for outcome in outcomes if outcome.message
    ]
    protocols = dict.fromkeys(_protocol(method) for method in compared.methods)
    if len(protocols) > 1:
        said = "The methods follow different protocols, or some say none: numbers may differ by definition."
        blocks.append(Notice(said, "warning"))
    rules = compared.rules
    facts = [
        *((f"Method {index + 1}", _about(method)) for index, method in enumerate(compared.methods)),
        ("Protocol", "; ".join(protocols)),
        ("Interval", f"95 %, bootstrap over patients, {RESAMPLES} resamples, seed {rules.seed}"),
        ("Patients", f"{len(set(rules.patients.values()))} known" if rules.patients else "each case is one"),
        ("Margins", _margins(rules)),
        ("Software", f"Wirsung {__version__}"),
    ]
    return Section("", (*blocks, Facts(tuple(facts))))


def _metric(compared: Compared, metric: str) -> Section:
    pairs = [pair for pair in compared.pairs if pair.metric == metric]
    leading = [pair for pair in pairs if pair.structure == compared.structures[0]]
    blocks: list[Block] = [_summary_table(compared, metric)]
    blocks.append(_means(compared, metric))
    if leading and len(leading) <= _MOST_ROWS:
        blocks.append(_forest(leading, compared.rules))
    if leading:
        most = _MOST_PAIRS // len(compared.metrics)
        blocks.append(_pair_table(pairs, compared.rules.higher_is_better(metric), most))
    margins = _margin_table(pairs)
    if margins:
        blocks.append(margins)
    return Section(f"{metric_title(metric)}{_unit(metric)}", tuple(blocks))


def _summary_table(compared: Compared, metric: str) -> Table:
    digits = digits_of(metric)
    rows = []
    for structure in compared.structures:
        cells: list[Cell | str] = [_words(structure)]
        for method in compared.methods:
            found = compared.summaries[method.name][structure][metric]
            interval = "" if found.low != found.low else f"{found.low:.{digits}f} to {found.high:.{digits}f}"
            cells.append(Cell.number(found.mean, digits, f"{interval}; n {found.n}".removeprefix("; ")))
        rows.append(tuple(cells))
    caption = "Mean, its 95 % interval, and the cases in which it is defined."
    return Table(("structure", *(method.name for method in compared.methods)), tuple(rows), caption)


def _means(compared: Compared, metric: str) -> Picture:
    """The leading structure's mean of each method."""
    structure = compared.structures[0]
    rows = []
    for index, method in enumerate(compared.methods):
        found = compared.summaries[method.name][structure][metric]
        rows.append(ForestRow(method.name, found.mean, found.low, found.high, f"n {found.n}", index))
    digits, what = digits_of(metric), f"{metric_title(metric)} of the {_words(structure)}"
    said = "; ".join(f"{row.label} {row.value:.{digits}f}" for row in rows if row.value == row.value)
    return forest_plot(
        rows,
        label=f"mean {metric_title(metric)}{_unit(metric)}",
        alternative=f"Mean {what} of each method: {said}.",
        caption=f"{what}: mean with its 95 % interval. Pairs are told apart by the table below, not by this.",
    )


def _forest(pairs: Sequence[ComparedPair], rules: Rules) -> Picture:
    """The leading structure's differences, under the first method of each pair."""
    structure, metric = pairs[0].structure, pairs[0].metric
    rows: list[ForestRow] = []
    for pair in pairs:
        heading = f"against {pair.first}"
        if heading not in {row.label for row in rows}:
            rows.append(ForestRow(heading))
        found, p = pair.comparison, _p(pair.p_holm).text
        note = f"p {p}" if p.startswith("<") else f"p = {p}"
        rows.append(ForestRow(pair.second, found.mean_difference, found.low, found.high, note))
    title, digits = metric_title(metric), digits_of(metric) + 1
    said = "; ".join(
        f"{pair.second} minus {pair.first} {_signed(pair.comparison.mean_difference, digits)}"
        for pair in pairs
    )
    better = {True: " Right of 0 it is better.", False: " Left of 0 it is better.", None: ""}
    what = f"{title} of the {_words(structure)}"
    return forest_plot(
        rows,
        label=f"mean difference of {title}{_unit(metric)}",
        alternative=f"Mean differences of {what}: {said}.",
        caption=f"{what}: each method minus the one in bold above it, with its 95 % interval; p after Holm."
        + better[rules.higher_is_better(metric)],
        line=0.0,
    )


def _pair_table(pairs: Sequence[ComparedPair], direction: bool | None, most: int) -> Table:
    rows = tuple(_pair_row(pair) for pair in pairs[:most])
    columns = ("structure", "first", "second", "difference", "p", "p, Holm", "p, t test", "d", "r")
    meaning = {True: "More is better.", False: "Less is better.", None: "Neither more nor less is better."}
    caption = (
        f"Second minus first. {meaning[direction]} Wins, ties and losses are the second's, by case; a missed "
        "structure loses."
    )
    if len(pairs) > most:
        caption += f" The first {most} of {len(pairs)} rows; comparison.json has all."
    return Table((*columns, "win / tie / loss", "n"), rows, caption)


def _pair_row(pair: ComparedPair) -> tuple[Cell | str, ...]:
    found, digits = pair.comparison, digits_of(pair.metric) + 1
    interval = (
        "" if found.low != found.low else f"{_signed(found.low, digits)} to {_signed(found.high, digits)}"
    )
    record = "–" if pair.wins is None else f"{pair.wins} / {pair.ties} / {pair.losses}"
    return (
        _words(pair.structure),
        pair.first,
        pair.second,
        Cell(_signed(found.mean_difference, digits), _order(found.mean_difference), interval),
        _p(found.p_wilcoxon),
        _p(pair.p_holm),
        _p(found.p_t),
        Cell.number(found.cohens_dz, 2),
        Cell.number(found.rank_biserial, 2),
        Cell(record, float(pair.wins or 0)),
        Cell(str(found.n), float(found.n), _left_out(pair.left_out)),
    )


def _margin_table(pairs: Sequence[ComparedPair]) -> Table | None:
    rows: list[tuple[Cell | str, ...]] = []
    for pair in pairs:
        digits = digits_of(pair.metric) + 1
        head = (_words(pair.structure), pair.first, pair.second)
        if pair.equivalence:
            one = pair.equivalence
            said = f"{_signed(one.low, digits)} to {_signed(one.high, digits)}"
            answer = "equivalent" if one.equivalent else "not shown"
            rows.append((*head, "equivalence", f"±{one.margin:g}", said, _p(one.p), answer))
        if pair.non_inferiority:
            other = pair.non_inferiority
            said, answer = _signed(other.bound, digits), "non-inferior" if other.non_inferior else "not shown"
            rows.append((*head, "non-inferiority", f"{other.margin:g}", said, _p(other.p), answer))
    if not rows:
        return None
    columns = ("structure", "first", "second", "question", "margin", "interval or bound", "p", "answer")
    caption = "One-sided tests at 0.05, not adjusted: 90 % interval for equivalence, 95 % bound else."
    return Table(columns, tuple(rows[:_MOST_MARGINS]), caption)


def _detection(aucs: Sequence[ComparedAucs]) -> Iterator[Section]:
    """A row a pair: AUC of both and DeLong's test."""
    if not aucs:
        return
    rows = []
    for pair in aucs[:_MOST_MARGINS]:
        found = pair.comparison
        interval = "" if found.low != found.low else f"{_signed(found.low, 3)} to {_signed(found.high, 3)}"
        rows.append(
            (
                pair.first,
                pair.second,
                Cell.number(found.first, 3),
                Cell.number(found.second, 3),
                Cell(_signed(found.difference, 3), _order(found.difference), interval or found.reason),
                _p(found.p),
                _p(pair.p_holm),
                Cell(f"{pair.positives} / {pair.cases - pair.positives}", float(pair.positives)),
                _words(pair.ranked_by).removesuffix(" ml"),
            )
        )
    columns = (
        "first",
        "second",
        "AUC, first",
        "AUC, second",
        "difference",
        "p",
        "p, Holm",
        "with / without lesion",
    )
    caption = (
        "AUC by case, second minus first, by DeLong's paired test on the cases that both were scored on."
    )
    yield Section("Who has a lesion?", (Table((*columns, "ranked by"), tuple(rows), caption),))


def _definitions(compared: Compared) -> Iterator[tuple[str, str]]:
    yield (
        "p",
        "Two-sided Wilcoxon signed-rank test over patients; differences rounded to 1e-9, zeros dropped, 1 "
        "where all are zero. Adjusted after Holm over all pairs and structures of one metric.",
    )
    yield "d", "Cohen's d of paired differences: their mean over their standard deviation."
    yield "r", "Matched-pairs rank-biserial correlation: −1, always lower, to 1, always higher."
    yield "Left out", "A case without a value in one of the two methods has no difference; it is counted."
    if any(pair.equivalence for pair in compared.pairs):
        yield (
            "Equivalence",
            "Two one-sided t tests: the mean difference lies within the margin on both sides.",
        )
    if any(pair.non_inferiority for pair in compared.pairs):
        yield (
            "Non-inferiority",
            "One-sided t test: the second is worse than the first by less than the margin.",
        )
    for method in compared.methods:
        if method.stamp and method.stamp.convention:
            yield "Boundary", method.stamp.convention.removeprefix("Boundary: ")
            return


def _about(method: ScoredMethod) -> str:
    return f"{method.name}, {len(method.cases)} cases, scores {method.sha256[:12]}"


def _protocol(method: ScoredMethod) -> str:
    if method.stamp:
        return f"{method.stamp.name}, version {method.stamp.version}, {method.stamp.sha256[:12]}"
    return method.protocol or "not said"


def _margins(rules: Rules) -> str:
    said = [
        f"{what} {metric_title(metric)} {margin:g}"
        for what, margins in (
            ("equivalence", rules.equivalence_margins),
            ("non-inferiority", rules.non_inferiority_margins),
        )
        for metric, margin in margins.items()
    ]
    return ", ".join(said) or "none"


def _left_out(reasons: Mapping[str, int]) -> str:
    told = {NOT_SCORED: "not scored by both", Reason.REFERENCE_EMPTY: "absent"}
    return ", ".join(f"{count} {told.get(reason, _words(reason))}" for reason, count in reasons.items())


def _unit(metric: str) -> str:
    return "" if unit_of(metric) == "1" else f", {unit_of(metric)}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _signed(value: float, digits: int) -> str:
    return "–" if value != value else f"{value:+.{digits}f}".replace("-", "−")


def _order(value: float) -> float:
    return float("inf") if value != value else value


def _p(value: float) -> Cell:
    if value != value:
        return Cell.number(value, 3)
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", value)
