"""The figures of the pages: box plots, ROC curves, paired scores and curves, as SVG inside the page.

Drawn on Figure objects, so nothing global changes and any worker may draw. Colours are Okabe and Ito's,
which colour-blind readers can tell apart; lines also differ in their dashes. Ink follows the page's light or
dark scheme.
"""

import base64
import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from wirsung.pages.template import Picture

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Blue, vermilion, green, purple, orange, sky blue (Okabe and Ito)."""

_DASHES = ("-", "--", "-.", ":")
# Never the colour of data: it is replaced by the page's own ink in the SVG.
_INK = "#1c2b36"
_SCHEMES = (
    f"<style>svg{{color:{_INK}}}@media(prefers-color-scheme:dark){{svg{{color:#dde5ea}}}}"
    f"@media print{{svg{{color:{_INK}}}}}</style>"
)
_WIDTH_IN = 9.0


def box_plot(
    groups: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    label: str,
    alternative: str,
    caption: str = "",
    limits: tuple[float, float] | None = None,
) -> Picture:
    """Horizontal boxes, one row a group and one box a series, every value shown as a dot.

    The box spans the quartiles with the median inside, whiskers end at the last value within 1.5 times the
    interquartile range. NaN is left out; an empty series leaves its place empty.

    Args:
        groups: Row name to series name to values.
        label: What the values are, with unit.
        alternative: The content in words.
        caption: Text below.
        limits: Of the axis; by default what the values need.
    """
    series = list(dict.fromkeys(name for row in groups.values() for name in row))
    step = 0.8 / max(len(series), 1)
    height = 1.2 + len(groups) * max(0.36, 0.30 * len(series))
    figure, axes = _figure(height)
    for row, values_of in enumerate(groups.values()):
        for index, name in enumerate(series):
            values = np.asarray(values_of.get(name, ()), dtype=np.float64)
            place = row + (index - (len(series) - 1) / 2) * step
            _box(axes, values[np.isfinite(values)], place, 0.62 * step, COLOURS[index % len(COLOURS)])
    axes.set_yticks(range(len(groups)), list(groups))
    axes.set_ylim(len(groups) - 0.5, -0.5)
    if limits:
        axes.set_xlim(*limits)
    axes.set_xlabel(label)
    axes.grid(axis="x", color="#8b98a3", alpha=0.3, linewidth=0.7)
    if len(series) > 1:
        handles = [Patch(color=COLOURS[i % len(COLOURS)], label=name) for i, name in enumerate(series)]
        figure.legend(handles=handles, loc="outside upper right", ncols=len(series), **_LEGEND)
    return _svg(figure, alternative, caption)


def roc_plot(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, alternative: str, caption: str = ""
) -> Picture:
    """ROC curves: name to (false positive fractions, true positive fractions), both ascending."""
    figure, axes = _figure(4.6, 4.6)
    axes.plot([0, 1], [0, 1], color="#8b98a3", linewidth=0.8, linestyle=":")
    for index, (name, (false_positives, true_positives)) in enumerate(curves.items()):
        style = {"color": COLOURS[index % len(COLOURS)], "linestyle": _DASHES[index % len(_DASHES)]}
        axes.plot(false_positives, true_positives, linewidth=2, label=name, **style)  # type: ignore[arg-type]
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xlabel("1 − specificity")
    axes.set_ylabel("sensitivity")
    axes.legend(loc="lower right", **_LEGEND)
    return _svg(figure, alternative, caption, width_px=400)


def paired_plot(
    pairs: Sequence[tuple[float, float]], *, labels: tuple[str, str], alternative: str, caption: str = ""
) -> Picture:
    """One dot a case, first method across and second up; above the line the second is higher."""
    figure, axes = _figure(4.6, 4.6)
    points = np.asarray(pairs, dtype=np.float64).reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    low, high = (float(points.min()), float(points.max())) if len(points) else (0.0, 1.0)
    margin = 0.05 * (high - low) or 0.05
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color="#8b98a3", linewidth=0.8, linestyle=":")
    axes.scatter(points[:, 0], points[:, 1], s=22, color=COLOURS[0], alpha=0.7, linewidths=0)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    return _svg(figure, alternative, caption, width_px=400)


def line_plot(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    labels: tuple[str, str],
    alternative: str,
    caption: str = "",
) -> Picture:
    """Curves over a common axis, such as losses over epochs: name to (x, y)."""
    figure, axes = _figure(3.6)
    for index, (name, (across, up)) in enumerate(curves.items()):
        style = {"color": COLOURS[index % len(COLOURS)], "linestyle": _DASHES[index % len(_DASHES)]}
        axes.plot(across, up, linewidth=1.8, label=name, **style)  # type: ignore[arg-type]
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(axis="y", color="#8b98a3", alpha=0.3, linewidth=0.7)
    if len(curves) > 1:
        axes.legend(**_LEGEND)
    return _svg(figure, alternative, caption)


def data_uri(content: bytes, media_type: str) -> str:
    """The content as an address that a page can hold."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


_LEGEND: dict[str, object] = {"frameon": False, "labelcolor": _INK, "fontsize": 9}


def _figure(height_in: float, width_in: float = _WIDTH_IN) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_INK)
    axes.tick_params(colors=_INK, labelsize=9)
    axes.xaxis.label.set_color(_INK)
    axes.yaxis.label.set_color(_INK)
    axes.set_axisbelow(True)
    return figure, axes


def _box(axes: Axes, values: np.ndarray, place: float, width: float, colour: str) -> None:
    if not values.size:
        return
    line = {"color": colour, "linewidth": 1.3}
    axes.boxplot(
        [values],
        positions=[place],
        widths=[width],
        orientation="horizontal",
        showfliers=False,
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": colour + "33", "edgecolor": colour, "linewidth": 1.3},
        medianprops={"color": colour, "linewidth": 2.4},
        whiskerprops=line,
        capprops=line,
    )
    # A fixed pattern instead of random jitter: the same scores give the same file.
    offsets = (np.arange(values.size) * 0.618034 % 1 - 0.5) * width * 0.7
    axes.scatter(values, place + offsets, s=9, color=colour, alpha=0.55, linewidths=0, zorder=3)


def _svg(figure: Figure, alternative: str, caption: str, width_px: int = 0) -> Picture:
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "wirsung", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue().decode().replace(_INK, "currentColor")
    text = text[text.index("<svg") :]
    end = text.index(">") + 1
    return Picture(
        data_uri((text[:end] + _SCHEMES + text[end:]).encode(), "image/svg+xml"),
        alternative,
        caption,
        width_px,
    )
