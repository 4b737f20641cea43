"""The tables of report.html."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from wirsung.compute.cases import Outcome
from wirsung.evaluation.detection import Proportion
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.protocol import Protocol, unit_of
from wirsung.evaluation.scores import Score
from wirsung.evaluation.statistics import Comparison, Summary
from wirsung.evaluation.subgroups import SubgroupFindings
from wirsung.evaluation.summary import MethodFindings, PairFindings
from wirsung.pages.template import Cell, Picture, Table

MOST_CASES = 2000
"""Rows of the table of cases: some 300 bytes each."""


def words_of(name: str) -> str:
    """A structure or a column for people.

    Example:
        >>> words_of("pancreatic_duct")
        'pancreatic duct'
    """
    return name.replace("_", " ")


def signed(value: float, digits: int) -> str:
    """A difference, with its sign.

    Example:
        >>> signed(-0.25, 1), signed(3.0, 1), signed(float("nan"), 1)
        ('−0.2', '+3.0', '–')
    """
    return "–" if value != value else f"{value:+.{digits}f}".replace("-", "−")


def bounds_of(low: float, high: float, digits: int, *, with_sign: bool = False) -> str:
    """An interval; empty where there is none.

    Example:
        >>> bounds_of(0.25, 0.75, 2), bounds_of(float("nan"), float("nan"), 2)
        ('0.25 to 0.75', '')
    """
    if low != low or high != high:
        return ""
    if with_sign:
        return f"{signed(low, digits)} to {signed(high, digits)}"
    return f"{low:.{digits}f} to {high:.{digits}f}".replace("-", "−")


def metric_title(metric: str) -> str:
    """How a metric is written on a page.

    Example:
        >>> metric_title("nsd_2mm"), metric_title("hd95")
        ('NSD 2 mm', 'HD95')
    """
    if metric.startswith("nsd_"):
        return f"NSD {metric[4:-2]} mm"
    names = {
        "volume_ml": "predicted volume",
        "reference_volume_ml": "reference volume",
        "volume_difference_ml": "volume difference",
        "volume_difference": "relative volume difference",
    }
    capitals = metric.upper() if metric in {"dsc", "iou", "hd", "hd95", "assd", "masd"} else metric
    return names.get(metric, capitals)


def digits_of(metric: str) -> int:
    """Decimals that are shown: three of a fraction, one of millimetres and millilitres."""
    return 3 if unit_of(metric) == "1" else 1


def with_interval(summary: Summary, metric: str) -> tuple[str, str]:
    """Mean and interval as two texts."""
    digits, unit = digits_of(metric), unit_of(metric)
    suffix = "" if unit == "1" else f" {unit}"
    if summary.mean != summary.mean:
        return "–", "undefined in every case"
    interval = f"{summary.low:.{digits}f} to {summary.high:.{digits}f}"
    return f"{summary.mean:.{digits}f}{suffix}", "one case" if summary.low != summary.low else interval


def score_table(evaluated: Evaluated) -> Table:
    """A row a structure and method: mean with interval, median, n, undefined."""
    metrics = evaluated.protocol.headline_names
    several = len(evaluated.methods) > 1
    columns = ["structure", *(["method"] if several else [])]
    for metric in metrics:
        unit = unit_of(metric)
        columns += [metric_title(metric) + ("" if unit == "1" else f", {unit}"), "median"]
    rows = []
    structures = dict.fromkeys(name for found in evaluated.findings.methods for name in found.structures)
    for structure in structures:
        for found in evaluated.findings.methods:
            if structure not in found.structures:
                continue
            summaries = found.structures[structure]
            cells: list[Cell | str] = [words_of(structure), *([found.name] if several else [])]
            for metric in metrics:
                digits = digits_of(metric)
                _, interval = with_interval(summaries[metric], metric)
                cells.append(Cell.number(summaries[metric].mean, digits, interval))
                cells.append(Cell.number(summaries[metric].median, digits))
            cells += [_counts(summaries, metrics), _undefined(summaries, metrics)]
            rows.append(tuple(cells))
    return Table((*columns, "n", "undefined"), tuple(rows), evaluated.protocol.convention)


def case_table(evaluated: Evaluated, thumbnails: Mapping[str, Picture]) -> Table:
    """A row a case with the leading structure's scores of every method, the first method's worst first."""
    structure = evaluated.leading_structure
    centres = evaluated.reference.centres
    columns = _case_columns(evaluated)
    found = {key: evaluated.scores.by_case(key[0], structure, key[1]) for key in columns}
    worst = evaluated.worst_first
    ranked = set(worst)
    # What has no score comes first: it failed, or nobody annotated it.
    order = [*(case for case in evaluated.cases if case not in ranked), *worst]
    rows = []
    for case in order[:MOST_CASES]:
        cells: list[Cell | str] = [case]
        if thumbnails:
            cells.append(Cell("", picture=thumbnails.get(case)))
        cells += [centres.get(case, "")] if centres else []
        rows.append((*cells, *(_score_cell(found[key].get(case)) for key in columns)))
    caption = f"{words_of(structure).capitalize()}, worst first. {evaluated.protocol.convention}".rstrip()
    if thumbnails:
        caption += (
            f" Pictures of the {len(thumbnails)} worst: the axial slice of the largest error, solid the "
        )
        caption += "reference, broken lines the predictions, as in the pictures above; a click enlarges."
    if len(order) > MOST_CASES:
        caption += f" The first {MOST_CASES} of {len(order)} cases; scores.csv has all."
    names = ("case", *(["picture"] if thumbnails else []), *(["centre"] if centres else []))
    return Table((*names, *columns.values()), tuple(rows), caption, "Find a case")


def _case_columns(evaluated: Evaluated) -> dict[tuple[str, str], str]:
    """Method and metric of each column, and its title."""
    several = len(evaluated.methods) > 1
    columns = {}
    # Two metrics of several methods are as wide as a page.
    shown = evaluated.protocol.headline_names[: 2 if several else None]
    for metric in (*shown, "volume_ml"):
        for method in evaluated.methods if metric in evaluated.protocol.metric_names else ():
            title = metric_title(metric) + _unit_suffix(metric)
            columns[method.name, metric] = f"{title}, {method.name}" if several else title
    if "reference_volume_ml" in evaluated.protocol.metric_names:
        columns[evaluated.methods[0].name, "reference_volume_ml"] = "reference volume, ml"
    return columns


def _score_cell(row: Score | None) -> Cell:
    if row is None:
        return Cell.number(math.nan, 0, "not scored")
    return Cell.number(row.value, digits_of(row.metric), (row.reason or "").replace("_", " "))


def comparison_table(pairs: Sequence[PairFindings]) -> Table:
    """A row a structure and metric: second minus first."""
    rows = []
    for item in pairs:
        found, digits = item.comparison, digits_of(item.metric) + 1
        interval = (
            "" if found.low != found.low else f"{signed(found.low, digits)} to {signed(found.high, digits)}"
        )
        rows.append(
            (
                words_of(item.structure),
                metric_title(item.metric) + _unit_suffix(item.metric),
                Cell(signed(found.mean_difference, digits), found.mean_difference, interval),
                p_value(found.p_wilcoxon),
                p_value(item.p_holm),
                p_value(found.p_t),
                _effect(found),
                Cell(f"{found.second_higher} / {found.first_higher}", float(found.second_higher)),
                Cell(str(found.n), float(found.n), f"{found.left_out} left out" if found.left_out else ""),
            )
        )
    first, second = pairs[0].first, pairs[0].second
    columns = (
        "structure",
        "metric",
        "mean difference",
        "p",
        "p, Holm",
        "p, t test",
        "effect, dz",
        "higher / lower",
        "n",
    )
    caption = (
        f"Paired by case: {second} minus {first}; higher / lower counts cases where {second} has more / less."
    )
    return Table(columns, tuple(rows), caption)


def detection_table(found: Sequence[MethodFindings]) -> Table:
    """A row a method: AUC, average precision, sensitivity, specificity."""
    rows: list[tuple[Cell | str, ...]] = []
    ranked_by = {item.detection.scored_by for item in found if item.detection}
    for item in found:
        if item.detection is None:
            continue
        area = item.detection.auc
        # The usual interval is defined at the foot; another one, or none, is said here.
        how = "" if area.interval.startswith("DeLong") else area.interval
        bounds = "; ".join(words for words in (bounds_of(area.low, area.high, 3), how) if words)
        left_out = item.detection.left_out.items()
        said = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in left_out)
        rows.append(
            (
                item.name,
                Cell.number(area.value, 3, bounds),
                Cell.number(item.detection.average_precision, 3),
                share_cell(item.detection.sensitivity),
                share_cell(item.detection.specificity),
                Cell(str(area.positives), float(area.positives)),
                Cell(str(area.negatives), float(area.negatives)),
                said or "none",
                *([item.detection.scored_by] if len(ranked_by) > 1 else []),
            )
        )
    columns = (
        "method",
        "AUC",
        "AP",
        "sensitivity",
        "specificity",
        "with lesion",
        "without",
        "left out",
        *(["ranked by"] if len(ranked_by) > 1 else []),
    )
    caption = "By case. Cases are ranked by " + (
        f"the {next(iter(ranked_by))}." if len(ranked_by) == 1 else "what the table says."
    )
    return Table(columns, tuple(rows), caption)


def subgroup_table(findings: Sequence[SubgroupFindings]) -> Table:
    """A row a method, structure, metric and column: do its levels differ?"""
    rows = [
        (
            words_of(item.column),
            item.method,
            words_of(item.structure),
            metric_title(item.metric),
            item.test or "–",
            p_value(item.p),
            p_value(item.p_holm),
            "; ".join(f"{level.level}: {level.summary.n}" for level in item.levels),
        )
        for item in findings
    ]
    columns = ("column", "method", "structure", "metric", "test", "p", "p, Holm", "cases by level")
    return Table(columns, tuple(rows), "Whether the levels of a column differ, by patient.")


def convention_table(protocol: Protocol) -> Table:
    """What the sources say, what they leave open, and what is done here."""
    rows = tuple(
        (row.what, row.chosen, row.paper or "–", row.evaluator or "–", row.left_open or "–")
        for row in protocol.conventions
    )
    return Table(("what", "here", "paper", "evaluator in use", "left open"), rows)


def failed_table(failed: Sequence[Outcome[Any]]) -> Table:
    """The cases that could not be scored, and why."""
    return Table(("case", "what is wrong"), tuple((item.case, item.message) for item in failed))


def _counts(summaries: dict[str, Summary], metrics: Sequence[str]) -> Cell:
    """The n of the leading metric; where others differ, theirs below."""
    n = summaries[metrics[0]].n
    others = [f"{metric_title(name)} {summaries[name].n}" for name in metrics[1:] if summaries[name].n != n]
    return Cell(str(n), float(n), ", ".join(others))


def _undefined(summaries: dict[str, Summary], metrics: Sequence[str]) -> str:
    """How many cases were left out for which reason: the most of any metric, since the first may count 0."""
    most: dict[str, int] = {}
    for metric in metrics:
        for reason, count in summaries[metric].undefined.items():
            most[reason] = max(count, most.get(reason, 0))
    return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in most.items()) or "none"


def _effect(found: Comparison) -> Cell:
    """Cohen's dz, and the rank-biserial correlation below."""
    rank = (
        f"rank-biserial {signed(found.rank_biserial, 2)}"
        if found.rank_biserial == found.rank_biserial
        else ""
    )
    order = found.cohens_dz if found.cohens_dz == found.cohens_dz else math.inf
    return Cell(signed(found.cohens_dz, 2), order, rank)


def _unit_suffix(metric: str) -> str:
    unit = unit_of(metric)
    return "" if unit == "1" else f", {unit}"


def p_value(value: float) -> Cell:
    """A p with three digits; below that it is said to be below.

    Example:
        >>> p_value(0.0004).text, p_value(0.25).text
        ('< 0.001', '0.250')
    """
    if value != value:
        return Cell.number(value, 3)
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", value)


def share_cell(found: Proportion) -> Cell:
    """A fraction with its interval, and of how many."""
    if not found.total:
        return Cell.number(math.nan, 3, "no such case")
    interval = f"{found.low:.3f} to {found.high:.3f}; {found.hits} of {found.total}"
    return Cell.number(found.value, 3, interval)
