"""compare.html: what a comparison found, on one page."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wirsung import __version__
from wirsung.compute.cases import Outcome
from wirsung.errors import counted
from wirsung.evaluation.compare_detection import ComparedAucs
from wirsung.evaluation.compare_inputs import ScoredMethod
from wirsung.evaluation.compare_pairs import NOT_SCORED, ComparedPair, Rules
from wirsung.evaluation.compare_pictures import comparison_pictures, p_cell, unit_suffix
from wirsung.evaluation.compared import Compared
from wirsung.evaluation.report_tables import digits_of, metric_title, signed, words_of
from wirsung.evaluation.statistics import RESAMPLES
from wirsung.evaluation.undefined import Reason
from wirsung.pages.template import Block, Cell, Facts, Notice, Page, Section, Table, write_page

_MOST_PAIRS = 4500
"""Rows of all tables of pairs together, some 700 bytes each; comparison.json has all."""

_MOST_MARGINS = 500
"""Rows of a table of margins."""


def write_compare_page(path: Path, compared: Compared, outcomes: Sequence[Outcome[Any]]) -> None:
    """Write the page."""
    write_page(path, compare_page(compared, outcomes))


def compare_page(compared: Compared, outcomes: Sequence[Outcome[Any]]) -> Page:
    """The page as data."""
    names = [method.name for method in compared.methods]
    title = " and ".join(names) if len(names) < 4 else f"{len(names)} methods"
    shared = counted(compared.shared_cases, "case", "cases")
    return Page(
        title=f"{title} compared",
        lead=f"{shared} scored by every method; every pair, by case.",
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
    blocks: list[Block] = [_summary_table(compared, metric), *comparison_pictures(compared, metric)]
    if pairs:
        most = _MOST_PAIRS // len(compared.metrics)
        blocks.append(_pair_table(pairs, compared.rules.higher_is_better(metric), most))
    margins = _margin_table(pairs)
    if margins:
        blocks.append(margins)
    return Section(f"{metric_title(metric)}{unit_suffix(metric)}", tuple(blocks))


def _summary_table(compared: Compared, metric: str) -> Table:
    digits = digits_of(metric)
    rows = []
    for structure in compared.structures:
        cells: list[Cell | str] = [words_of(structure)]
        for method in compared.methods:
            found = compared.summaries[method.name][structure][metric]
            interval = "" if found.low != found.low else f"{found.low:.{digits}f} to {found.high:.{digits}f}"
            cells.append(Cell.number(found.mean, digits, f"{interval}; n {found.n}".removeprefix("; ")))
        rows.append(tuple(cells))
    caption = "Mean, its 95 % interval, and the cases in which it is defined."
    return Table(("structure", *(method.name for method in compared.methods)), tuple(rows), caption)


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
    return Table((*columns, "win / tie / loss", "n", "left out"), rows, caption)


def _pair_row(pair: ComparedPair) -> tuple[Cell | str, ...]:
    found, digits = pair.comparison, digits_of(pair.metric) + 1
    interval = (
        "" if found.low != found.low else f"{signed(found.low, digits)} to {signed(found.high, digits)}"
    )
    record = "–" if pair.wins is None else f"{pair.wins} / {pair.ties} / {pair.losses}"
    return (
        words_of(pair.structure),
        pair.first,
        pair.second,
        Cell(signed(found.mean_difference, digits), _order(found.mean_difference), interval),
        p_cell(found.p_wilcoxon),
        p_cell(pair.p_holm),
        p_cell(found.p_t),
        Cell.number(found.cohens_dz, 2),
        Cell.number(found.rank_biserial, 2),
        Cell(record, float(pair.wins or 0)),
        Cell(str(found.n), float(found.n)),
        _left_out(pair.left_out),
    )


def _margin_table(pairs: Sequence[ComparedPair]) -> Table | None:
    rows: list[tuple[Cell | str, ...]] = []
    for pair in pairs:
        digits = digits_of(pair.metric) + 1
        head = (words_of(pair.structure), pair.first, pair.second)
        if pair.equivalence:
            one = pair.equivalence
            said = f"{signed(one.low, digits)} to {signed(one.high, digits)}"
            answer = "equivalent" if one.equivalent else "not shown"
            rows.append((*head, "equivalence", f"±{one.margin:g}", said, p_cell(one.p), answer))
        if pair.non_inferiority:
            other = pair.non_inferiority
            said, answer = signed(other.bound, digits), "non-inferior" if other.non_inferior else "not shown"
            rows.append((*head, "non-inferiority", f"{other.margin:g}", said, p_cell(other.p), answer))
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
        interval = "" if found.low != found.low else f"{signed(found.low, 3)} to {signed(found.high, 3)}"
        rows.append(
            (
                pair.first,
                pair.second,
                Cell.number(found.first, 3),
                Cell.number(found.second, 3),
                Cell(signed(found.difference, 3), _order(found.difference), interval or found.reason),
                p_cell(found.p),
                p_cell(pair.p_holm),
                Cell(f"{pair.positives} / {pair.cases - pair.positives}", float(pair.positives)),
                words_of(pair.ranked_by).removesuffix(" ml"),
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
    return f"{method.name}, {counted(len(method.cases), 'case', 'cases')}, scores {method.sha256[:12]}"


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
    return (
        ", ".join(f"{count} {told.get(reason, words_of(reason))}" for reason, count in reasons.items())
        or "none"
    )


def _order(value: float) -> float:
    return float("inf") if value != value else value
