"""Box and violin plots: how values spread, one row a group and one colour a series."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from wirsung.pages.drawing import (
    FAINT,
    LEGEND,
    as_picture,
    colour_of,
    draw_points,
    legend_columns,
    new_axes,
    thinned,
)
from wirsung.pages.template import Picture

MOST_POINTS = 3000
"""Dots of one figure, shared by its boxes; of more values the extremes and, evenly by rank, those between are
shown, and the caption says so."""

FEWEST_FOR_VIOLIN = 20
"""A density of fewer values would show the smoothing, not the values."""

_GRID = 48
_POINTS_OF_A_BOX = (30, 200)


def box_plot(
    groups: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    label: str,
    alternative: str,
    caption: str = "",
    limits: tuple[float, float] | None = None,
    scale: Literal["linear", "log"] = "linear",
) -> Picture:
    """Horizontal boxes over violins, one row a group and one box a series, with the values as dots.

    The box spans the quartiles with the median inside, whiskers end at the last value within 1.5 times the
    interquartile range. The violin is a Gaussian density of Scott's width, cut off at the smallest and the
    largest value. NaN is left out; an empty series leaves its place empty.

    Args:
        groups: Row name to series name to values.
        label: What the values are, with unit.
        alternative: The content in words.
        caption: Text below.
        limits: Of the axis; by default what the values need.
        scale: `log` is linear from 0 to 1 and logarithmic above, for distances of 0 to hundreds of mm.
    """
    series = list(dict.fromkeys(name for row in groups.values() for name in row))
    step = 0.84 / max(len(series), 1)
    legend_rows = -(-len(series) // legend_columns(series)) if len(series) > 1 else 0
    figure, axes = new_axes(0.9 + len(groups) * max(0.3, 0.21 * len(series)) + 0.2 * legend_rows)
    if scale == "log":
        axes.set_xscale("symlog", linthresh=1, linscale=0.4)
    most = int(np.clip(MOST_POINTS // max(len(groups) * len(series), 1), *_POINTS_OF_A_BOX))
    for index, name in enumerate(series):
        rows = []
        for row, values_of in enumerate(groups.values()):
            values = np.asarray(values_of.get(name, ()), dtype=np.float64)
            place = row + (index - (len(series) - 1) / 2) * step
            rows.append((place, values[np.isfinite(values)]))
        _draw_series(axes, [row for row in rows if row[1].size], step, colour_of(index), most)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.set_ylim(max(len(groups), 1) - 0.5, -0.5)
    _set_limits(axes, groups, limits, scale)
    axes.set_xlabel(label)
    axes.grid(axis="x", color=FAINT, alpha=0.3, linewidth=0.7)
    if len(series) > 1:
        handles = [Patch(color=colour_of(i), label=name) for i, name in enumerate(series)]
        figure.legend(handles=handles, loc="outside upper right", ncols=legend_columns(series), **LEGEND)
    if any(len(values) > most for row in groups.values() for values in row.values()):
        caption = (
            f"{caption} At most {most} values of a box are drawn as dots, the extremes among them.".strip()
        )
    return as_picture(figure, alternative, caption)


def _set_limits(
    axes: Axes,
    groups: Mapping[str, Mapping[str, Sequence[float]]],
    limits: tuple[float, float] | None,
    scale: str,
) -> None:
    values = np.concatenate(
        [np.zeros(1), *(np.asarray(v, float) for g in groups.values() for v in g.values())]
    )
    highest = float(np.nanmax(values))
    if scale == "log":
        top = max(1.15 * highest, 2.0)
        axes.set_xlim(-0.05, top)
        ticks = [tick for tick in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if tick <= top]
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
    elif limits:
        axes.set_xlim(*limits)
    else:
        axes.autoscale_view(scaley=False)


def _draw_series(
    axes: Axes, rows: Sequence[tuple[float, NDArray[np.float64]]], step: float, colour: str, most: int
) -> None:
    """All boxes of one series as five paths: as many as each box's own would make a page heavy."""
    violins, boxes, lines, medians = [], [], [], []
    for place, values in rows:
        violins += _violin(axes, values, place, 0.46 * step)
        low, q1, median, q3, high = _five_numbers(values)
        half, cap = 0.22 * step, 0.12 * step
        boxes.append([(q1, place - half), (q3, place - half), (q3, place + half), (q1, place + half)])
        lines += [[(low, place), (q1, place)], [(q3, place), (high, place)]]
        lines += [[(end, place - cap), (end, place + cap)] for end in (low, high)]
        medians.append([(median, place - half), (median, place + half)])
        shown = values[thinned(values, most)]
        # A fixed pattern instead of random jitter: the same scores give the same file.
        offsets = np.array([(n * 0.618034 % 1 - 0.5) * 0.34 * step for n in range(shown.size)])
        draw_points(axes, shown, place + offsets, colour, 2.2)
    _add(axes, violins, closed=True, facecolor=colour + "2a", edgecolor="none")
    _add(axes, boxes, closed=True, facecolor=colour + "40", edgecolor=colour, linewidth=1.1, zorder=2)
    _add(axes, lines, closed=False, facecolor="none", edgecolor=colour, linewidth=1.1, zorder=2)
    _add(axes, medians, closed=False, facecolor="none", edgecolor=colour, linewidth=2.4, zorder=4)


def _add(
    axes: Axes, shapes: Sequence[Sequence[tuple[float, float]]], *, closed: bool, **style: object
) -> None:
    """The shapes as one path."""
    if not shapes:
        return
    paths = [Outline([*shape, shape[0]], closed=True) if closed else Outline(list(shape)) for shape in shapes]
    # The limits from the corners: add_patch would look for the extremes of curves that there are none of.
    axes.add_artist(PathPatch(Outline.make_compound_path(*paths), **style))
    axes.update_datalim(np.concatenate([np.asarray(shape) for shape in shapes]))


def _five_numbers(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Ends of the whiskers, quartiles and median: low, q1, median, q3, high."""
    q1, median, q3 = np.percentile(values, [25, 50, 75])
    reach = 1.5 * (q3 - q1)
    low = values[values >= q1 - reach].min()
    high = values[values <= q3 + reach].max()
    return float(min(low, q1)), float(q1), float(median), float(q3), float(max(high, q3))


def _violin(
    axes: Axes, values: NDArray[np.float64], place: float, half: float
) -> list[list[tuple[float, float]]]:
    """The density's outline, found on the scale of the axis; none of few or of equal values."""
    transform = axes.xaxis.get_transform()
    shown = np.asarray(transform.transform(values), dtype=np.float64)
    width = float(shown.std()) * values.size ** (-0.2)
    if values.size < FEWEST_FOR_VIOLIN or width <= 1e-9:
        return []
    grid = np.linspace(shown.min(), shown.max(), _GRID)
    density = np.exp(-0.5 * ((grid[:, None] - shown) / width) ** 2).sum(axis=1)
    across = np.asarray(transform.inverted().transform(grid))
    up = half * density / density.max()
    upper = zip(across.tolist(), (place - up).tolist(), strict=True)
    lower = zip(across[::-1].tolist(), (place + up)[::-1].tolist(), strict=True)
    return [[*upper, *lower]]
