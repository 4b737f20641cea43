"""The tables of report.html."""

from collections.abc import Sequence
from typing import Any

from wirsung.compute.cases import Outcome
from wirsung.evaluation.detection import Proportion
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.protocol import unit_of
from wirsung.evaluation.statistics import Summary
from wirsung.evaluation.summary import MethodFindings, PairFindings
from wirsung.pages.template import Block, Cell, Facts, Table

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
    return Table((*columns, "n", "undefined"), tuple(rows))


def case_table(evaluated: Evaluated) -> Table:
    """A row a case and method, for the leading structure, worst first."""
    structure = evaluated.leading_structure
    names = evaluated.protocol.metric_names
    metrics = [*evaluated.protocol.headline_names, *(name for name in names if name.endswith("volume_ml"))]
    several = len(evaluated.methods) > 1
    rows: list[tuple[float, tuple[Cell | str, ...]]] = []
    for method in evaluated.methods:
        found = {metric: evaluated.scores.by_case(method.name, structure, metric) for metric in metrics}
        for case, leading in found[metrics[0]].items():
            cells: list[Cell | str] = [case, *([method.name] if several else [])]
            cells.append(evaluated.reference.centres.get(case, "")) if evaluated.reference.centres else None
            cells += [Cell.number(found[metric][case].value, digits_of(metric)) for metric in metrics]
            cells.append((leading.reason or "").replace("_", " "))
            rows.append((leading.value if leading.reason is None else -1.0, tuple(cells)))
    rows.sort(key=lambda row: row[0])
    titles = [f"{metric_title(name)}" + _unit_suffix(name) for name in metrics]
    head = ["case", *(["method"] if several else []), *(["centre"] if evaluated.reference.centres else [])]
    caption = f"{structure.replace('_', ' ').capitalize()}, worst first; undefined cases lead."
    if len(rows) > _MOST_CASES:
        caption += f" The first {_MOST_CASES} of {len(rows)} rows; scores.csv has all."
    return Table((*head, *titles, "why undefined"), tuple(row for _, row in rows[:_MOST_CASES]), caption)


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


def detection_facts(found: MethodFindings) -> list[Block]:
    """AUC, sensitivity and specificity of one method."""
    detection = found.detection
    if detection is None:
        return []
    area = detection.auc
    value = "" if area.value != area.value else f"{area.value:.3f}"
    bounds = "" if area.low != area.low else f" ({area.low:.3f} to {area.high:.3f})"
    left_out = sum(detection.left_out.values())
    said = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in detection.left_out.items())
    facts = [
        ("Method", found.name),
        ("AUC", f"{value}{bounds} {'– ' if value else ''}{area.interval}"),
        ("Sensitivity", _proportion(detection.sensitivity)),
        ("Specificity", _proportion(detection.specificity)),
        ("Cases", f"{area.positives} with and {area.negatives} without a lesion"),
        ("Ranked by", detection.scored_by),
        *([("Left out", f"{left_out}: {said}")] if left_out else []),
    ]
    return [Facts(tuple(facts))]


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


def _proportion(found: Proportion) -> str:
    if not found.total:
        return "undefined: no such case"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f}), {found.hits} of {found.total}"
