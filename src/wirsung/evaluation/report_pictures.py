"""The figures of report.html; the pictures of cases are in `report_cases`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from wirsung.evaluation.case_score import words_of as score_words
from wirsung.evaluation.detection import Detection
from wirsung.evaluation.detection_findings import rank
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.protocol import unit_of
from wirsung.evaluation.report_bands import roc_with_band
from wirsung.evaluation.report_tables import metric_title, words_of
from wirsung.evaluation.statistics import Summary
from wirsung.evaluation.subgroups import SubgroupFindings
from wirsung.evaluation.summary import MethodFindings
from wirsung.evaluation.volumes import VolumeFindings, volume_pairs
from wirsung.pages.distributions import box_plot
from wirsung.pages.figures import (
    Curve,
    ForestRow,
    Line,
    Marker,
    bland_altman_plot,
    forest_plot,
    paired_plot,
    roc_plot,
)
from wirsung.pages.template import Picture

BOXES = (
    "Boxes span the quartiles with the median inside; whiskers end within 1.5 interquartile ranges; the "
    "shade behind is the density, of 20 cases or more."
)
"""How to read the plots of scores."""


def score_pictures(evaluated: Evaluated) -> Iterator[Picture]:
    """Box and violin plots of each headline metric by structure."""
    structures = [name for found in evaluated.findings.methods for name in found.structures]
    for metric in evaluated.protocol.headline_names:
        title = metric_title(metric)
        groups = {
            words_of(structure): {
                method.name: [
                    row.value for row in evaluated.scores.by_case(method.name, structure, metric).values()
                ]
                for method in evaluated.methods
            }
            for structure in dict.fromkeys(structures)
        }
        unit = unit_of(metric)
        yield box_plot(
            groups,
            label=title if unit == "1" else f"{title}, {unit}",
            limits=_limits(evaluated, metric),
            scale="log" if unit == "mm" else "linear",
            alternative=f"Box and violin plots of {title} by structure: {_medians(evaluated, metric)}",
            caption=f"{title} by structure." + (" Logarithmic above 1 mm." if unit == "mm" else ""),
        )


def roc_picture(evaluated: Evaluated, found: Sequence[MethodFindings]) -> Picture | None:
    """The ROC curves of the methods that have one, with their bands."""
    curves: dict[str, Curve] = {}
    markers = []
    for index, item in enumerate(found):
        if item.detection and item.detection.true_positive_fractions:
            curves[f"{item.name}, AUC {item.detection.auc.value:.3f}"] = _roc_curve(
                evaluated, item, item.detection
            )
            called = (1 - item.detection.specificity.value, item.detection.sensitivity.value)
            markers.append(Marker("any lesion voxel", *called, index))
            markers += [
                Marker("Youden", 1 - point.specificity.value, point.sensitivity.value, index)
                for point in item.operating_points
                if point.name == "youden" and not point.reason
            ]
    if not curves:
        return None
    return roc_plot(
        curves,
        markers=markers,
        alternative=f"ROC curves of lesion detection by case: {'; '.join(curves)}.",
        caption="ROC by case. Band: pointwise 95 %, bootstrap over patients. "
        "The marks are where any lesion voxel calls a case positive, and Youden's threshold.",
    )


def _roc_curve(evaluated: Evaluated, found: MethodFindings, detection: Detection) -> Curve:
    """The curve that the detection drew, and its band from the same cases."""
    rankings = (
        rank(evaluated.scores, found.name, evaluated.protocol, by_probability=kind) for kind in (True, False)
    )
    cases = next(
        (item.cases for item in rankings if item and score_words(item.scored_by) == detection.scored_by), ()
    )
    curve = roc_with_band(
        [item.positive for item in cases],
        [item.score for item in cases],
        patients=[evaluated.patients.get(item.case, item.case) for item in cases],
        seed=evaluated.seed,
    )
    return replace(curve, across=detection.false_positive_fractions, up=detection.true_positive_fractions)


def agreement_picture(evaluated: Evaluated, found: VolumeFindings) -> Picture:
    """Bland-Altman plot of one structure's volume, a dot a case."""
    names = [item.name for item in evaluated.methods]
    title = f"{words_of(found.structure)} volume" + (f", {found.method}" if len(names) > 1 else "")
    of = found.difference
    return bland_altman_plot(
        volume_pairs(evaluated.scores, found.method, found.structure),
        [
            Line("bias", of.bias, of.bias_low, of.bias_high),
            Line("+ 1.96 SD", of.upper, of.upper_low, of.upper_high),
            Line("− 1.96 SD", of.lower, of.lower_low, of.lower_high),
        ],
        labels=("mean of reference and prediction, ml", "prediction − reference, ml"),
        series=names.index(found.method),
        alternative=f"Bland-Altman plot of {title}: bias {of.bias:.1f} ml, limits of agreement "
        f"{of.lower:.1f} to {of.upper:.1f} ml, {of.n} cases.",
        caption=f"Bland-Altman plot of the {title}: bias and limits of agreement with their 95 % intervals.",
    )


def forest_pictures(findings: Sequence[SubgroupFindings]) -> Iterator[Picture]:
    """One forest plot a structure and metric: subgroups of all columns, methods in their colours."""
    keys = dict.fromkeys((item.structure, item.metric) for item in findings)
    for structure, metric in keys:
        found = [item for item in findings if (item.structure, item.metric) == (structure, metric)]
        methods = list(dict.fromkeys(item.method for item in found))
        unit = unit_of(metric)
        title = f"{words_of(structure)}, mean {metric_title(metric)}" + ("" if unit == "1" else f", {unit}")
        yield forest_plot(
            list(_forest_rows(found, methods)),
            label=title,
            names=methods,
            line=found[0].overall.mean if len(methods) == 1 else math.nan,
            alternative=f"Forest plot of {title} by subgroup: {_levels(found)}.",
            caption=f"{title}, by subgroup, with 95 % intervals (bootstrap over patients).",
        )


def _forest_rows(found: Sequence[SubgroupFindings], methods: Sequence[str]) -> Iterator[ForestRow]:
    """All cases, then each column's levels; of each the methods one below the other, named once."""
    first = [item for item in found if item.method == methods[0]]
    yield from _forest_group("all", {item.method: item.overall for item in reversed(found)}, methods)
    for item in first:
        yield ForestRow(words_of(item.column))
        twins = [twin for twin in found if twin.column == item.column]
        for level in item.levels:
            summaries = {
                twin.method: same.summary
                for twin in twins
                for same in twin.levels
                if same.level == level.level
            }
            yield from _forest_group(level.level, summaries, methods)


def _forest_group(
    label: str, summaries: Mapping[str, Summary], methods: Sequence[str]
) -> Iterator[ForestRow]:
    for series, method in enumerate(methods):
        found = summaries.get(method)
        if found:
            words = "" if series else label
            yield ForestRow(words, found.mean, found.low, found.high, f"n = {found.n}", series)


def _levels(found: Sequence[SubgroupFindings]) -> str:
    return "; ".join(
        f"{item.method}, {words_of(item.column)} {level.level} {level.summary.mean:.3f}"
        for item in found
        for level in item.levels
        if level.summary.n
    )


def comparison_picture(evaluated: Evaluated, second: str) -> Picture:
    """The leading metric of the leading structure, second method over first."""
    first = evaluated.methods[0].name
    structure, metric = evaluated.leading_structure, evaluated.leading_metric
    one, other = (evaluated.scores.by_case(name, structure, metric) for name in (first, second))
    pairs = [(one[case].value, other[case].value) for case in one if case in other]
    title = f"{words_of(structure)} {metric_title(metric)}"
    above = sum(b > a for a, b in pairs)
    return paired_plot(
        pairs,
        labels=(f"{title}, {first}", f"{title}, {second}"),
        alternative=f"{title} of {len(pairs)} cases: {second} is higher in {above}.",
        caption=f"One dot a case; above the dotted line {second} is higher.",
    )


def _limits(evaluated: Evaluated, metric: str) -> tuple[float, float] | None:
    """An axis that a fraction's small differences can't fill: it ends at 1 and starts at most at 0.5."""
    if unit_of(metric) != "1" or "difference" in metric:
        return None
    values = [row.value for row in evaluated.scores if row.metric == metric and not math.isnan(row.value)]
    return min(0.5, math.floor(10 * min(values, default=0)) / 10) - 0.01, 1.01


def _medians(evaluated: Evaluated, metric: str) -> str:
    said = [
        f"{found.name} {words_of(structure)} median {summaries[metric].median:.3f}"
        for found in evaluated.findings.methods
        for structure, summaries in found.structures.items()
        if summaries[metric].n
    ]
    return "; ".join(said) + "."
