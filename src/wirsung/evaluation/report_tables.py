"""The tables of report.html."""

import math
from collections.abc import Sequence
from typing import Any

from wirsung.compute.cases import Outcome
from wirsung.evaluation.detection import Proportion
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.protocol import unit_of
from wirsung.evaluation.scores import Score
from wirsung.evaluation.statistics import Summary
from wirsung.evaluation.summary import MethodFindings, PairFindings
from wirsung.pages.template import Cell, Table

_MOST_CASES = 200


def metric_title(metric: str) -> str:
    """How a metric is written on a page.

    Example:
        >>> metric_title("nsd_2mm"), metric_title("hd95")
        ('NSD 2 mm', 'HD95')
    """
    if metric.startswith("nsd_"):
        return f"NSD {metric[4:-2]} mm"
    names = {"volume_ml": "predicted volume", "reference_volume_ml": "reference volume"}
    capitals = metric.upper() if metric in {"dsc", "iou", "hd", "hd95", "assd"} else metric
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
            cells: list[Cell | str] = [structure.replace("_", " "), *([found.name] if several else [])]
            for metric in metrics:
                digits = digits_of(metric)
                _, interval = with_interval(summaries[metric], metric)
                cells.append(Cell.number(summaries[metric].mean, digits, interval))
                cells.append(Cell.number(summaries[metric].median, digits))
            cells += [_counts(summaries, metrics), _undefined(summaries, metrics)]
            rows.append(tuple(cells))
    return Table((*columns, "n", "undefined"), tuple(rows), evaluated.protocol.convention)


def case_table(evaluated: Evaluated) -> Table:
    """A row a case with the leading structure's scores of every method, the first method's worst first."""
    structure = evaluated.leading_structure
    centres = evaluated.reference.centres
    columns = _case_columns(evaluated)
    found = {key: evaluated.scores.by_case(key[0], structure, key[1]) for key in columns}
    leading = found[next(iter(columns))]
    rows: list[tuple[float, tuple[Cell | str, ...]]] = []
    for case in evaluated.cases:
        head: list[Cell | str] = [case, *([centres.get(case, "")] if centres else [])]
        cells = [_score_cell(found[key].get(case)) for key in columns]
        order = leading[case].value if case in leading else math.nan
        rows.append((-1.0 if math.isnan(order) else order, (*head, *cells)))
    rows.sort(key=lambda row: row[0])
    caption = (
        f"{structure.replace('_', ' ').capitalize()}, worst first. {evaluated.protocol.convention}".rstrip()
    )
    if len(rows) > _MOST_CASES:
        caption += f" The first {_MOST_CASES} of {len(rows)} cases; scores.csv has all."
    names = ("case", *(["centre"] if centres else []), *columns.values())
    return Table(names, tuple(row for _, row in rows[:_MOST_CASES]), caption)


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
            "" if found.low != found.low else f"{_signed(found.low, digits)} to {_signed(found.high, digits)}"
        )
        rows.append(
            (
                item.structure.replace("_", " "),
                metric_title(item.metric) + _unit_suffix(item.metric),
                Cell(_signed(found.mean_difference, digits), found.mean_difference, interval),
                _p_value(found.p_wilcoxon),
                _p_value(item.p_holm),
                _p_value(found.p_t),
                Cell(f"{found.second_higher} / {found.first_higher}", float(found.second_higher)),
                Cell(str(found.n), float(found.n), f"{found.left_out} left out" if found.left_out else ""),
            )
        )
    first, second = pairs[0].first, pairs[0].second
    columns = ("structure", "metric", "mean difference", "p", "p, Holm", "p, t test", "higher / lower", "n")
    caption = (
        f"Paired by case: {second} minus {first}; higher / lower counts cases where {second} has more / less."
    )
    return Table(columns, tuple(rows), caption)


def detection_table(found: Sequence[MethodFindings]) -> Table:
    """A row a method: AUC, sensitivity, specificity."""
    rows = []
    for item in found:
        if item.detection is None:
            continue
        area = item.detection.auc
        bounds = "" if math.isnan(area.low) else f"{area.low:.3f} to {area.high:.3f}; "
        left_out = item.detection.left_out.items()
        said = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in left_out)
        rows.append(
            (
                item.name,
                Cell.number(area.value, 3, f"{bounds}{area.interval}"),
                _proportion(item.detection.sensitivity),
                _proportion(item.detection.specificity),
                Cell(str(area.positives), float(area.positives)),
                Cell(str(area.negatives), float(area.negatives)),
                said or "none",
                item.detection.scored_by,
            )
        )
    columns = (
        "method",
        "AUC",
        "sensitivity",
        "specificity",
        "with lesion",
        "without",
        "left out",
        "ranked by",
    )
    return Table(columns, tuple(rows))


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


def _unit_suffix(metric: str) -> str:
    unit = unit_of(metric)
    return "" if unit == "1" else f", {unit}"


def _signed(value: float, digits: int) -> str:
    return "–" if value != value else f"{value:+.{digits}f}".replace("-", "−")


def _p_value(value: float) -> Cell:
    if value != value:
        return Cell.number(value, 3)
    return Cell("< 0.001" if value < 0.001 else f"{value:.3f}", value)


def _proportion(found: Proportion) -> Cell:
    if not found.total:
        return Cell.number(math.nan, 3, "no such case")
    interval = f"{found.low:.3f} to {found.high:.3f}; {found.hits} of {found.total}"
    return Cell.number(found.value, 3, interval)
