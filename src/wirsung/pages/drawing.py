"""What every figure shares: axes, colours, and the way to an SVG inside the page.

Drawn on Figure objects, so nothing global changes and any worker may draw. Colours are Okabe and Ito's,
which colour-blind readers can tell apart; lines also differ in their dashes. Ink follows the page's light or
dark scheme. A figure is drawn as wide as a phone nearly is, so that its words stay readable there.
"""

import base64
import io
import re
from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from wirsung.pages.template import Picture

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Blue, vermilion, green, purple, orange, sky blue (Okabe and Ito)."""

DASHES = ("-", "--", "-.", ":")
"""Of lines, in the order of the colours."""

INK = "#1c2b36"
"""Never the colour of data: it is replaced by the page's own ink in the SVG."""

FAINT = "#8b98a3"
"""Grid and lines of reference, on light and on dark paper."""

LEGEND: dict[str, object] = {"frameon": False, "labelcolor": INK, "fontsize": 9}
"""How a legend looks."""

WIDTH_IN = 4.8
"""Of a figure; two stand side by side on a wide screen."""

_SCHEMES = (
    f"<style>svg{{color:{INK}}}@media(prefers-color-scheme:dark){{svg{{color:#dde5ea}}}}"
    f"@media print{{svg{{color:{INK}}}}}</style>"
)
_PX_PER_IN = 96
_PATH = re.compile(r'(?<= d=")[^"]*')
_DECIMALS = re.compile(r"(\.\d)\d+")
_DOT = re.compile(r"M (\S+ \S+) L \1(?= |$)")


def new_axes(height_in: float, width_in: float = WIDTH_IN) -> tuple[Figure, Axes]:
    """A figure with one pair of axes in the page's ink."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.tick_params(colors=INK, labelsize=9)
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    axes.set_axisbelow(True)
    return figure, axes


def legend_columns(names: Sequence[str]) -> int:
    """How many names stand side by side above a figure; long ones stand below each other.

    Example:
        >>> legend_columns(["ours", "theirs"]), legend_columns(["a_method_with_a_rather_long_name"] * 4)
        (2, 1)
    """
    return max(1, min(len(names), 3, 56 // (max(map(len, names), default=0) + 6)))


def colour_of(index: int) -> str:
    """Of the series with that number."""
    return COLOURS[index % len(COLOURS)]


def draw_points(
    axes: Axes, across: NDArray[np.float64], up: NDArray[np.float64], colour: str, size_pt: float = 3.0
) -> None:
    """Round dots, all in one path: a third of the bytes of as many circles."""
    places = np.repeat(np.column_stack([across, up]), 2, axis=0)
    codes = np.tile([Outline.MOVETO, Outline.LINETO], len(across))
    path = Outline(places, codes)
    # A line of no length with round ends is a dot; it must not be simplified away.
    path.should_simplify = False
    style = {"edgecolor": colour, "alpha": 0.6, "linewidth": size_pt, "capstyle": "round", "zorder": 3}
    axes.add_artist(PathPatch(path, facecolor="none", snap=False, **style))


def thinned(values: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Which values to draw where there are more than `most`: the extremes, and evenly by rank between them.

    Example:
        >>> thinned(np.array([5.0, 1.0, 2.0, 3.0, 4.0]), 3).tolist()
        [1, 3, 0]
    """
    order = np.argsort(values, kind="stable")
    if order.size <= most:
        return order
    return order[np.linspace(0, order.size - 1, most).round().astype(np.intp)]


def as_picture(figure: Figure, alternative: str, caption: str) -> Picture:
    """The figure as SVG inside the page, shown at its own size where the screen allows."""
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "wirsung", "svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = _PATH.sub(_shorter, buffer.getvalue().decode()).replace(INK, "currentColor")
    text = text[text.index("<svg") :]
    end = text.index(">") + 1
    return Picture(
        data_uri((text[:end] + _SCHEMES + text[end:]).encode(), "image/svg+xml"),
        alternative,
        caption,
        round(figure.get_size_inches()[0] * _PX_PER_IN),
    )


def _shorter(path: re.Match[str]) -> str:
    """The path with a tenth of a point as the smallest step, and dots as such."""
    return _DOT.sub(r"M \1h0", _DECIMALS.sub(r"\1", " ".join(path[0].split())))


def data_uri(content: bytes, media_type: str) -> str:
    """The content as an address that a page can hold."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def spread(values: Sequence[float], margin: float = 0.05) -> tuple[float, float]:
    """The finite values' range with a margin on both sides, as a share of it.

    Example:
        >>> spread([1.0, 3.0, float("nan")], 0.5)
        (0.0, 4.0)
    """
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    around = margin * (high - low) or margin
    return low - around, high + around
