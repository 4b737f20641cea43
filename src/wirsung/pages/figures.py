"""The figures of the pages: curves with bands, paired scores, Bland-Altman and forest plots, as SVG.

Box and violin plots are in `distributions`; what all figures share is in `drawing`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from wirsung.pages.distributions import box_plot as box_plot
from wirsung.pages.drawing import (
    COLOURS,
    DASHES,
    FAINT,
    INK,
    LEGEND,
    as_picture,
    colour_of,
    draw_points,
    legend_columns,
    new_axes,
    spread,
    thinned,
)
from wirsung.pages.drawing import data_uri as data_uri
from wirsung.pages.template import Picture

_SQUARE_IN = 4.6
MOST_POINTS = 600
"""Dots of one plot of cases; of more, the extremes of what is drawn upwards and, evenly by rank, the rest."""

MOST_BANDS = 3
"""Of more curves only the first has its band, and the caption says so: more would hide each other."""


@dataclass(frozen=True)
class Curve:
    """A curve, with the band of its interval where there is one."""

    across: Sequence[float]
    """Ascending."""
    up: Sequence[float]
    band_across: Sequence[float] = ()
    band_low: Sequence[float] = ()
    band_high: Sequence[float] = ()


@dataclass(frozen=True)
class Marker:
    """A point on a curve that has a name, such as an operating point."""

    name: str
    across: float
    up: float
    series: int = 0
    """The number of the curve whose colour it takes."""


@dataclass(frozen=True)
class ForestRow:
    """One line of a forest plot: an estimate with its interval; a heading has none."""

    label: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    note: str = ""
    """Set on the right, such as the number of cases."""
    series: int = 0
    """The number of the colour."""


@dataclass(frozen=True)
class Line:
    """A horizontal line of a Bland-Altman plot, with its interval."""

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan


def roc_plot(
    curves: Mapping[str, Curve | tuple[Sequence[float], Sequence[float]]],
    *,
    alternative: str,
    caption: str = "",
    markers: Sequence[Marker] = (),
) -> Picture:
    """ROC curves: name to false and true positive fractions, both ascending, with bands where given."""
    figure, axes = new_axes(_SQUARE_IN)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=":")
    told = {name: curve if isinstance(curve, Curve) else Curve(*curve) for name, curve in curves.items()}
    caption = _draw_banded(axes, told, caption)
    _draw_markers(axes, markers)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xlabel("1 − specificity")
    axes.set_ylabel("sensitivity")
    if curves:
        axes.legend(loc="lower right", **LEGEND)
    return as_picture(figure, alternative, caption)


def froc_plot(
    curves: Mapping[str, Curve], *, alternative: str, caption: str = "", markers: Sequence[Marker] = ()
) -> Picture:
    """FROC curves: false positives per scan across, logarithmic above 0.125, and found lesions up."""
    figure, axes = new_axes(_SQUARE_IN)
    caption = _draw_banded(axes, curves, caption)
    _draw_markers(axes, markers)
    most = max((curve.across[-1] for curve in curves.values() if len(curve.across)), default=1.0)
    axes.set_xscale("symlog", linthresh=0.125, base=2)
    top = max(1.1 * most, 1.0)
    ticks = [tick for tick in (0, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32) if tick <= top]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set(xlim=(-0.004, top), ylim=(-0.01, 1.01))
    axes.set_xlabel("false positives per scan")
    axes.set_ylabel("sensitivity by lesion")
    axes.grid(color=FAINT, alpha=0.3, linewidth=0.7)
    if curves:
        axes.legend(loc="lower right", **LEGEND)
    return as_picture(figure, alternative, caption)


def paired_plot(
    pairs: Sequence[tuple[float, float]], *, labels: tuple[str, str], alternative: str, caption: str = ""
) -> Picture:
    """One dot a case, first method across and second up; above the line the second is higher."""
    figure, axes = new_axes(_SQUARE_IN)
    points = np.asarray(pairs, dtype=np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    limits = spread(points.ravel().tolist())
    axes.plot(limits, limits, color=FAINT, linewidth=0.8, linestyle=":")
    points = points[thinned(points[:, 1] - points[:, 0], MOST_POINTS)]
    draw_points(axes, points[:, 0], points[:, 1], COLOURS[0], 4.5)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    return as_picture(figure, alternative, caption)


def bland_altman_plot(
    pairs: Sequence[tuple[float, float]],
    lines: Sequence[Line],
    *,
    labels: tuple[str, str],
    alternative: str,
    caption: str = "",
    series: int = 0,
) -> Picture:
    """Mean of two measurements across, second minus first up; the bias and its limits as lines.

    Args:
        pairs: Reference and prediction of each case.
        lines: Bias and limits of agreement, each with its interval as a band.
        labels: Of both axes, with unit.
        alternative: The content in words.
        caption: Text below.
        series: The number of the dots' colour.
    """
    figure, axes = new_axes(3.7)
    points = np.asarray(pairs, dtype=np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    across, up = points.mean(axis=1), points[:, 1] - points[:, 0]
    axes.axhline(0, color=FAINT, linewidth=0.8, linestyle=":")
    for number, line in enumerate(lines):
        middle = number == 0
        axes.axhline(line.value, color=INK, linewidth=1.4, linestyle="-" if middle else "--")
        if math.isfinite(line.low):
            axes.axhspan(line.low, line.high, color=FAINT, alpha=0.22, linewidth=0)
        words = f"{line.name}\n{line.value:+.1f}".replace("-", "−")
        place = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
        style = {"ha": "left", "va": "center", "fontsize": 8, "color": INK}
        axes.annotate(words, (1, line.value), (3, 0), **place, **style)  # type: ignore[arg-type]
    kept = thinned(up, MOST_POINTS)
    draw_points(axes, across[kept], up[kept], colour_of(series), 4.5)
    heights = [*up.tolist(), 0.0, *(end for line in lines for end in (line.value, line.low, line.high))]
    axes.set(xlim=spread(across.tolist()), ylim=spread(heights, 0.08))
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    return as_picture(figure, alternative, caption)


def forest_plot(
    rows: Sequence[ForestRow],
    *,
    label: str,
    alternative: str,
    caption: str = "",
    names: Sequence[str] = (),
    line: float = math.nan,
) -> Picture:
    """Estimates with their intervals, one below the other; a row without a value is a heading.

    Args:
        rows: From above downwards.
        label: What the estimates are, with unit.
        alternative: The content in words.
        caption: Text below.
        names: Of the series, for the legend.
        line: A vertical line, such as the value over all.
    """
    legend_rows = -(-len(names) // legend_columns(names)) if len(names) > 1 else 0
    figure, axes = new_axes(0.9 + 0.24 * len(rows) + 0.2 * legend_rows)
    if math.isfinite(line):
        axes.axvline(line, color=FAINT, linewidth=1, linestyle=":")
    for place, row in enumerate(rows):
        if not math.isfinite(row.value):
            continue
        colour = colour_of(row.series)
        if math.isfinite(row.low):
            axes.plot([row.low, row.high], [place, place], color=colour, linewidth=1.6)
        axes.plot([row.value], [place], marker="s", markersize=5, color=colour)
    axes.set_yticks(range(len(rows)), [row.label for row in rows])
    for words, row in zip(axes.get_yticklabels(), rows, strict=True):
        words.set_fontweight("normal" if math.isfinite(row.value) or row.note else "bold")
    notes = axes.secondary_yaxis("right")
    notes.set_yticks(range(len(rows)), [row.note for row in rows])
    notes.tick_params(length=0, colors=INK, labelsize=8)
    notes.spines["right"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    # The line belongs to what is read: a difference that is sure to be above 0 shows how far above.
    axes.set_xlim(*spread([line, *(end for row in rows for end in (row.value, row.low, row.high))]))
    axes.set_xlabel(label)
    axes.grid(axis="x", color=FAINT, alpha=0.3, linewidth=0.7)
    if len(names) > 1:
        handles = [
            Line2D([], [], color=colour_of(i), marker="s", markersize=5, linewidth=1.6, label=name)
            for i, name in enumerate(names)
        ]
        figure.legend(handles=handles, loc="outside upper right", ncols=legend_columns(names), **LEGEND)
    return as_picture(figure, alternative, caption)


def line_plot(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    labels: tuple[str, str],
    alternative: str,
    caption: str = "",
) -> Picture:
    """Curves over a common axis, such as losses over epochs: name to (x, y)."""
    figure, axes = new_axes(3.0)
    for index, (name, (across, up)) in enumerate(curves.items()):
        _draw_curve(axes, Curve(across, up), name, index)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(axis="y", color=FAINT, alpha=0.3, linewidth=0.7)
    if len(curves) > 1:
        axes.legend(**LEGEND)
    return as_picture(figure, alternative, caption)


def _draw_banded(axes: Axes, curves: Mapping[str, Curve], caption: str) -> str:
    """Draw the curves; the caption, with a word on bands that are left out."""
    few = len(curves) <= MOST_BANDS
    for index, (name, curve) in enumerate(curves.items()):
        _draw_curve(axes, curve if few or index == 0 else Curve(curve.across, curve.up), name, index)
    left_out = not few and any(len(curve.band_across) for curve in curves.values())
    return f"{caption} Of so many curves only the first has its band.".strip() if left_out else caption


def _draw_curve(axes: Axes, curve: Curve, name: str, index: int) -> None:
    colour = colour_of(index)
    if len(curve.band_across):
        band = (curve.band_across, curve.band_low, curve.band_high)
        axes.fill_between(*band, color=colour, alpha=0.15, linewidth=0)
    style = {"color": colour, "linestyle": DASHES[index % len(DASHES)], "linewidth": 1.9}
    axes.plot(curve.across, curve.up, label=name, **style)  # type: ignore[arg-type]


def _draw_markers(axes: Axes, markers: Sequence[Marker]) -> None:
    """Each name has its own shape, whatever the curve."""
    names = list(dict.fromkeys(marker.name for marker in markers))
    for marker in markers:
        shape = "osD^v"[names.index(marker.name) % 5]
        axes.plot(
            [marker.across],
            [marker.up],
            marker=shape,
            markersize=6,
            color=colour_of(marker.series),
            markeredgecolor=INK,
            markeredgewidth=0.8,
            linestyle="none",
            label=marker.name if marker is next(m for m in markers if m.name == marker.name) else None,
            zorder=4,
        )
