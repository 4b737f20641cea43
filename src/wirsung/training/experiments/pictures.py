"""The pictures of experiment.html: arms with their intervals, and arms over what they learnt from."""

import math
from collections.abc import Iterator, Sequence

from wirsung.evaluation.report_tables import digits_of, metric_title, words_of
from wirsung.pages.drawing import FAINT, INK, LEGEND, as_picture, colour_of, new_axes
from wirsung.pages.figures import ForestRow, forest_plot
from wirsung.pages.template import Picture
from wirsung.training.experiments.checking import AUC
from wirsung.training.experiments.definition import Measure
from wirsung.training.experiments.results import ArmResult, Measured, Results


def measure_pictures(results: Results, measure: Measure, tests: Sequence[str]) -> Iterator[Picture]:
    """Every arm with its interval; over cases or tumours where the experiment is about these."""
    found = {
        (item.column.arm, item.column.test): item for item in results.measured if item.measure == measure
    }
    if not found:
        return
    yield _forest(results, measure, tests, found)
    if results.experiment.axis:
        yield _over_axis(results, measure, tests, found)


def label_of(measure: Measure) -> str:
    """An axis: metric and structure.

    Example:
        >>> label_of(Measure("pancreatic_lesion", "dsc"))
        'DSC, pancreatic lesion'
    """
    name = "AUC" if measure.metric == AUC else metric_title(measure.metric)
    return f"{name}, {words_of(measure.structure)}"


def _forest(
    results: Results, measure: Measure, tests: Sequence[str], found: dict[tuple[str, str], Measured]
) -> Picture:
    rows: list[ForestRow] = []
    for test in tests:
        if len(tests) > 1:
            rows.append(ForestRow(f"tested on {test}"))
        for place, arm in enumerate(results.arms):
            item = found.get((arm.name, test))
            if item is not None:
                value = item.estimate
                note = f"{value.mean:.{digits_of(measure.metric)}f}"
                rows.append(ForestRow(arm.title, value.mean, value.low, value.high, note, place))
    said = "; ".join(f"{row.label} {row.note}" for row in rows if row.note)
    return forest_plot(
        rows,
        label=label_of(measure),
        alternative=f"{label_of(measure)} of each arm: {said}.",
        caption="Mean over seeds with its 95 % interval over seeds and cases. The answers come from paired "
        "differences, not from whether these intervals overlap.",
    )


def _over_axis(
    results: Results, measure: Measure, tests: Sequence[str], found: dict[tuple[str, str], Measured]
) -> Picture:
    figure, axes = new_axes(3.2)
    axis = results.experiment.axis
    said = []
    for place, test in enumerate(tests):
        arms = sorted(
            (arm for arm in results.arms if (arm.name, test) in found and _place(arm, axis)),
            key=lambda arm: _place(arm, axis),
        )
        across = [_place(arm, axis) for arm in arms]
        items = [found[arm.name, test] for arm in arms]
        for at, item in zip(across, items, strict=True):
            value = item.estimate
            axes.plot([at] * len(value.seeds), value.seeds, "o", color=FAINT, markersize=3.5, zorder=2)
            if not math.isnan(value.low):
                axes.plot([at, at], [value.low, value.high], color=colour_of(place), linewidth=1.4, zorder=1)
        means = [item.estimate.mean for item in items]
        axes.plot(across, means, "-s", color=colour_of(place), markersize=5, label=test, zorder=3)
        said.append(f"{test}: " + ", ".join(f"{x:g} {y:.3f}" for x, y in zip(across, means, strict=True)))
    axes.set_xscale("log")
    ticks = sorted({_place(arm, axis) for arm in results.arms if _place(arm, axis)})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    what = {"cases": "cases learnt from", "tumours": "cases with a tumour learnt from"}[axis]
    axes.set_xlabel(what, color=INK)
    axes.set_ylabel(label_of(measure), color=INK)
    axes.grid(axis="y", color=FAINT, alpha=0.3, linewidth=0.7)
    if len(tests) > 1:
        axes.legend(**LEGEND)
    return as_picture(
        figure,
        f"{label_of(measure)} over {what}. {'; '.join(said)}.",
        "Squares: mean over seeds with its 95 % interval; dots: each seed. The axis across is logarithmic.",
    )


def _place(arm: ArmResult, axis: str) -> float:
    """Where on the axis an arm stands; 0 where that is not known."""
    value = arm.tumours if axis == "tumours" else arm.cases
    return float(value or 0)
