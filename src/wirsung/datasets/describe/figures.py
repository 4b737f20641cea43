"""The figures of a dataset's page: histograms, small multiples, gaps and coverage."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from wirsung.datasets.describe.coverage import Coverage
from wirsung.datasets.describe.missing import MOST_PATTERNS, Missing
from wirsung.datasets.tables.summaries import Numbers
from wirsung.pages.drawing import (
    FAINT,
    INK,
    LEGEND,
    WIDTH_IN,
    as_picture,
    colour_of,
    legend_columns,
    new_axes,
)
from wirsung.pages.template import Picture

MOST_PANELS = 9
"""Levels of one figure; the commonest are shown."""

_FEWEST_BINS, _MOST_BINS = 4, 24
_ACROSS = 3
_TICKS = 4
_LONG_NUMBER = 10_000
_LOG_FROM = 50.0
"""Largest value over smallest from which an axis is logarithmic."""
_LONGEST_TITLE = 21
_LONGEST_ROW = 30


def histogram(values: Mapping[str, Numbers], *, label: str, alternative: str, caption: str = "") -> Picture:
    """How a quantity is distributed, one outline a dataset, as a share of its own cases.

    Args:
        values: Name of a dataset to one value a case; NaN is left out.
        label: What the values are, with unit.
        alternative: The content in words.
        caption: Text below.
    """
    figure, axes = new_axes(2.6 + 0.2 * (len(values) > 1))
    edges, is_log = bin_edges(np.concatenate(list(values.values())))
    for index, (name, numbers) in enumerate(values.items()):
        _draw_shares(axes, numbers, edges, colour_of(index), name=name, filled=len(values) == 1)
    _scale(axes, edges, is_log)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(label)
    axes.set_ylabel("share of cases")
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g} %")
    axes.grid(axis="y", color=FAINT, alpha=0.3, linewidth=0.7)
    if len(values) > 1:
        figure.legend(loc="outside upper right", ncols=legend_columns(list(values)), **LEGEND)
    return as_picture(figure, alternative, caption)


def small_multiples(
    values: Numbers, levels: Sequence[str | None], *, label: str, alternative: str, series: int = 0
) -> Picture:
    """One small histogram a level on common axes, before that of all cases in grey.

    Args:
        values: One a case; NaN is left out.
        levels: Of each case, such as its centre; a case without one is in the grey alone.
        label: What the values are, with unit.
        alternative: The content in words.
        series: The number of the colour.
    """
    shown, left_out = most_common_levels(values, levels)
    columns = max(1, min(len(shown), _ACROSS))
    rows = max(1, math.ceil(len(shown) / columns))
    figure = Figure(figsize=(WIDTH_IN, 0.55 + 1.15 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel().tolist()
    edges, is_log = bin_edges(values)
    of_level = np.array([level or "" for level in levels], dtype=object)
    for index, axes in enumerate(panels):
        if index >= len(shown):
            axes.set_visible(False)
            continue
        own = values[of_level == shown[index]]
        _draw_shares(axes, values, edges, FAINT, filled=True)
        _draw_shares(axes, own, edges, colour_of(series), filled=False)
        count = f" ({np.isfinite(own).sum():,})"
        _style_panel(axes, f"{_shortened(shown[index], _LONGEST_TITLE - len(count))}{count}")
        _scale(axes, edges, is_log, ticks=2 if edges[-1] >= _LONG_NUMBER else 3)
        axes.tick_params(labelbottom=index + columns >= len(shown))
    figure.supxlabel(label, fontsize=10, color=INK)
    more = f" The {len(shown)} commonest of {len(shown) + left_out} are shown." if left_out else ""
    return as_picture(figure, alternative, f"{label}; number of cases in brackets, grey: all cases.{more}")


def pattern_picture(missing: Missing, *, alternative: str, caption: str = "") -> Picture:
    """Which values are missing together: a row a pattern, filled where the value is missing."""
    patterns, titles = missing.patterns[:MOST_PATTERNS], list(missing.counts)
    figure, axes = new_axes(1.35 + 0.24 * len(patterns))
    for row, pattern in enumerate(patterns):
        for column, title in enumerate(titles):
            lacks = title in pattern.lacks
            style = {"facecolor": colour_of(1) if lacks else "none", "edgecolor": FAINT, "linewidth": 0.7}
            axes.add_patch(Rectangle((column - 0.4, row - 0.4), 0.8, 0.8, **style))  # type: ignore[arg-type]
    axes.set(xlim=(-0.6, len(titles) - 0.4), ylim=(len(patterns) - 0.4, -0.6))
    axes.set_xticks(range(len(titles)), titles, rotation=40, ha="left", rotation_mode="anchor")
    axes.xaxis.tick_top()
    axes.set_yticks(
        range(len(patterns)), [f"{item.cases:,} case{'s' * (item.cases != 1)}" for item in patterns]
    )
    axes.tick_params(length=0)
    axes.spines[["left", "bottom"]].set_visible(False)
    return as_picture(figure, alternative, caption)


def coverage_picture(found: Mapping[str, Coverage], *, alternative: str, caption: str = "") -> Picture:
    """Each structure's share of cases that have it, that were looked at without finding it, and the rest."""
    figure, axes = new_axes(0.95 + 0.21 * len(found))
    kinds = (("present", colour_of(0)), ("annotated and empty", colour_of(4)), ("not annotated", "#c3ccd3"))
    for row, item in enumerate(found.values()):
        left = 0.0
        for count, (_, colour) in zip((item.present, item.empty, item.not_annotated), kinds, strict=True):
            width = count / item.cases if item.cases else 0.0
            axes.barh(row, width, left=left, height=0.72, color=colour)
            left += width
    axes.set(xlim=(0, 1), ylim=(len(found) - 0.4, -0.6))
    axes.set_yticks(range(len(found)), [_shortened(name.replace("_", " "), _LONGEST_ROW) for name in found])
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    axes.set_xlabel("share of cases")
    handles = [Patch(color=colour, label=name) for name, colour in kinds]
    figure.legend(handles=handles, loc="outside upper right", ncols=3, **LEGEND)
    return as_picture(figure, alternative, caption)


def quantile_plot(
    groups: Mapping[str, Mapping[str, Numbers]],
    *,
    label: str,
    alternative: str,
    caption: str = "",
    is_log: bool = False,
) -> Picture:
    """One row a group and one colour a dataset: median, the middle half as a bar, 5 to 95 % as a line.

    Args:
        groups: Name of a row to name of a dataset to values; NaN is left out, on a log axis 0 as well.
        label: What the values are, with unit.
        alternative: The content in words.
        caption: Text below.
        is_log: Whether the axis is logarithmic.
    """
    names = list(dict.fromkeys(name for row in groups.values() for name in row))
    step = 0.8 / max(len(names), 1)
    figure, axes = new_axes(0.9 + len(groups) * max(0.21, 0.13 * len(names)) + 0.2 * (len(names) > 1))
    for index, name in enumerate(names):
        for row, series in enumerate(groups.values()):
            values = np.asarray(series.get(name, ()), dtype=np.float64)
            values = values[np.isfinite(values) & ((values > 0) | (not is_log))]
            if values.size:
                place = row + (index - (len(names) - 1) / 2) * step
                _draw_quantiles(axes, values, place, step, colour_of(index))
    if is_log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(lambda value, _: "")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}".replace("-", "−"))
    axes.set_yticks(range(len(groups)), [_shortened(name, _LONGEST_ROW) for name in groups])
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.set_ylim(max(len(groups), 1) - 0.4, -0.6)
    axes.set_xlabel(label)
    axes.grid(axis="x", color=FAINT, alpha=0.3, linewidth=0.7)
    if len(names) > 1:
        handles = [Patch(color=colour_of(index), label=name) for index, name in enumerate(names)]
        figure.legend(handles=handles, loc="outside upper right", ncols=legend_columns(names), **LEGEND)
    return as_picture(figure, alternative, caption)


def bin_edges(values: Numbers) -> tuple[NDArray[np.float64], bool]:
    """Edges of the bins, equally wide on a linear or on a logarithmic axis, and which of them it is.

    As many as twice the cube root of the number of values, and 4 to 24.

    Example:
        >>> bin_edges(np.array([0.0, 8.0]))[0].tolist(), bin_edges(np.array([1.0, 100.0]))[1]
        ([0.0, 2.0, 4.0, 6.0, 8.0], True)
    """
    known = values[np.isfinite(values)]
    bins = int(np.clip(math.ceil(2 * known.size ** (1 / 3)), _FEWEST_BINS, _MOST_BINS))
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if low > 0 and high / low >= _LOG_FROM:
        return np.geomspace(low, high, bins + 1), True
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1), False


def most_common_levels(values: Numbers, levels: Sequence[str | None]) -> tuple[list[str], int]:
    """The levels with the most known values, and how many further ones there are.

    Example:
        >>> most_common_levels(np.array([1.0, 2.0, np.nan]), ["a", "a", "b"])
        (['a'], 0)
    """
    counts: dict[str, int] = {}
    for value, level in zip(values.tolist(), levels, strict=True):
        if level is not None and math.isfinite(value):
            counts[level] = counts.get(level, 0) + 1
    ordered = sorted(counts, key=lambda level: (-counts[level], level))
    return ordered[:MOST_PANELS], max(0, len(ordered) - MOST_PANELS)


def _draw_shares(
    axes: Axes, values: Numbers, edges: NDArray[np.float64], colour: str, *, filled: bool, name: str = ""
) -> None:
    known = values[np.isfinite(values)]
    counts, _ = np.histogram(known, edges)
    shares = counts / max(known.size, 1)
    edge = "none" if filled and colour == FAINT else colour
    face = colour + "55" if filled else "none"
    axes.stairs(shares, edges, fill=True, facecolor=face, edgecolor=edge, linewidth=1.5, label=name or None)


def _draw_quantiles(axes: Axes, values: Numbers, place: float, step: float, colour: str) -> None:
    low, q1, median, q3, high = np.percentile(values, (5, 25, 50, 75, 95))
    axes.plot([low, high], [place, place], color=colour, linewidth=1.1)
    axes.plot(
        [q1, q3], [place, place], color=colour, linewidth=7 * step + 2, solid_capstyle="butt", alpha=0.45
    )
    axes.plot([median], [place], color=colour, marker="|", markersize=9 * step + 3, markeredgewidth=2)


def _style_panel(axes: Axes, title: str) -> None:
    axes.set_facecolor("none")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    axes.tick_params(colors=INK, labelsize=8, left=False, labelleft=False)
    axes.set_title(title, fontsize=8, color=INK, loc="left", pad=2)


def _scale(axes: Axes, edges: NDArray[np.float64], is_log: bool, ticks: int = _TICKS) -> None:
    """The axis across, with few ticks, so that none runs into the next."""
    if is_log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(lambda value, _: "")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(ticks))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}".replace("-", "−"))
    axes.set_xlim(edges[0], edges[-1])


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip(' ,;')}…"
