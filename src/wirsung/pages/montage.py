"""The slice montage: axial slices with the contours of masks, as a radiologist expects them.

Patient right is on the viewer's left and anterior is up, whatever the axes of the file; one millimetre is as
long across as up. Contours run along voxel edges.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from wirsung.errors import GeometryError
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.pages.figures import data_uri
from wirsung.pages.outline import outlines
from wirsung.pages.template import Picture

WINDOW_HU = (-160.0, 240.0)
"""The usual abdominal window."""

_BACKGROUND = "#161d22"
_PALE = "#cfd8de"
# Keeps words readable on bright tissue.
_HALO = [withStroke(linewidth=2, foreground="#000000")]
_PANEL_IN = 3.4
_GAP_IN = 0.06
_LEGEND_IN = 0.4
_DPI = 110


@dataclass(frozen=True)
class Contour:
    """A mask, and how its outline is drawn."""

    name: str
    mask: Volume
    colour: str
    dashed: bool = False
    dotted: bool = False
    """In place of dashes, so that two predictions differ by more than their colour."""


@dataclass(frozen=True)
class _Panel:
    """One slice, ready to draw: i to the patient's left, j to the back."""

    title: str
    grey: NDArray[np.float64]
    masks: tuple[NDArray[np.bool_], ...]
    spacing_mm: tuple[float, float]


def montage(
    contours: Sequence[Contour],
    *,
    alternative: str,
    image: Volume | None = None,
    window: tuple[float, float] = WINDOW_HU,
    slices: int = 3,
    caption: str = "",
) -> Picture:
    """Axial slices through the masks, from above downwards.

    Slices are spread over the masks' voxels, so that each shows about as much. All are cropped to the masks
    with a margin. Without an image the first mask itself is shown, filled.

    Args:
        contours: At least one, all on one grid; the first is shown filled where there is no image.
        alternative: The content in words.
        image: What lies behind, on the same grid.
        window: Darkest and brightest value, HU for CT.
        slices: How many; fewer where the masks are thinner.
        caption: Text below.

    Raises:
        GeometryError: The masks and the image have different shapes.
    """
    volumes = [item.mask for item in contours] + ([image] if image else [])
    if len({volume.shape for volume in volumes}) > 1:
        shapes = ", ".join(str(volume.shape) for volume in volumes)
        msg = f"A montage needs one grid, but the shapes are {shapes}. Resample them first."
        raise GeometryError(msg)
    turned = [reorient(volume, "LPS") for volume in volumes]
    panels = _panels(turned[: len(contours)], turned[-1] if image else None, window, slices)
    figure = _draw(panels, contours)
    return Picture(_address(figure, is_photo=image is not None), alternative, caption)


def _address(figure: Figure, *, is_photo: bool) -> str:
    """JPEG where there is an image, a quarter of its PNG, with colours as sharp as brightness."""
    buffer = io.BytesIO()
    style: dict[str, Any] = {"dpi": _DPI, "facecolor": _BACKGROUND}
    if is_photo:
        figure.savefig(buffer, format="jpeg", pil_kwargs={"quality": 82, "subsampling": 0}, **style)
        return data_uri(buffer.getvalue(), "image/jpeg")
    figure.savefig(buffer, format="png", metadata={"Software": None}, **style)
    return data_uri(buffer.getvalue(), "image/png")


def slice_indices(mask: NDArray[np.bool_], count: int) -> tuple[int, ...]:
    """Indices along k that divide the mask's voxels evenly, descending; the middle where it is empty.

    Example:
        >>> slice_indices(np.ones((1, 1, 9), dtype=bool), 3)
        (7, 4, 1)
    """
    below = np.cumsum(mask.sum(axis=(0, 1)))
    if below[-1] == 0:
        return (mask.shape[2] // 2,)
    wanted = (np.arange(count) + 0.5) / count * below[-1]
    return tuple(sorted({int(k) for k in np.searchsorted(below, wanted)}, reverse=True))


def _panels(
    masks: Sequence[Volume], image: Volume | None, window: tuple[float, float], count: int
) -> list[_Panel]:
    grid = masks[0]
    together = masks[0].voxels.astype(bool, copy=True)
    for volume in masks[1:]:
        together |= volume.voxels.astype(bool, copy=False)
    i, j = _crop(together, grid.spacing_mm, 40.0 if image else 15.0)
    panels = []
    for k in slice_indices(together, count):
        flat = tuple(volume.voxels[i, j, k].astype(bool) for volume in masks)
        grey = _windowed(image.voxels[i, j, k], window) if image else flat[0] * 0.42
        height_mm = grid.affine[2] @ (*np.array(grid.shape[:2]) / 2, k, 1)
        panels.append(_Panel(f"z = {height_mm:.1f} mm", grey, flat, grid.spacing_mm[:2]))
    return panels


def _crop(mask: NDArray[np.bool_], spacing_mm: tuple[float, ...], margin_mm: float) -> tuple[slice, slice]:
    if not mask.any():
        return slice(None), slice(None)
    ranges = []
    for axis, others in ((0, (1, 2)), (1, (0, 2))):
        inside = np.flatnonzero(mask.any(axis=others))
        margin = round(margin_mm / spacing_mm[axis])
        ranges.append(slice(max(int(inside[0]) - margin, 0), int(inside[-1]) + margin + 1))
    return ranges[0], ranges[1]


def _windowed(voxels: NDArray[np.generic], window: tuple[float, float]) -> NDArray[np.float64]:
    low, high = window
    return np.asarray(np.clip((voxels.astype(np.float64) - low) / (high - low), 0, 1))


def _draw(panels: Sequence[_Panel], contours: Sequence[Contour]) -> Figure:
    (across, up), (di, dj) = panels[0].grey.shape, panels[0].spacing_mm
    height_in = min(max(_PANEL_IN * up * dj / (across * di), 1.6), 4.5)
    step_in = _PANEL_IN + _GAP_IN
    size_in = (step_in * len(panels) - _GAP_IN, height_in + _LEGEND_IN)
    figure = Figure(figsize=size_in)
    # Placed by hand: a layout engine would draw everything twice.
    for index, panel in enumerate(panels):
        left, width = index * step_in / size_in[0], _PANEL_IN / size_in[0]
        box = (left, _LEGEND_IN / size_in[1], width, height_in / size_in[1])
        _draw_panel(figure.add_axes(box), panel, contours)
    handles = [
        Line2D([], [], color=item.colour, linewidth=1.8, linestyle=_dashes(item), label=item.name)
        for item in contours
    ]
    words: dict[str, Any] = {"frameon": False, "labelcolor": _PALE, "fontsize": 9}
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), **words)
    return figure


def _draw_panel(axes: Axes, panel: _Panel, contours: Sequence[Contour]) -> None:
    di, dj = panel.spacing_mm
    ni, nj = panel.grey.shape
    extent = (-0.5 * di, (ni - 0.5) * di, (nj - 0.5) * dj, -0.5 * dj)
    axes.imshow(panel.grey.T, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="nearest")
    for item, mask in zip(contours, panel.masks, strict=True):
        for polygon in outlines(mask):
            axes.plot(
                polygon[:, 0] * di,
                polygon[:, 1] * dj,
                color=item.colour,
                linewidth=1.3,
                linestyle=_dashes(item),
            )
    axes.set(xlim=extent[:2], ylim=extent[2:], aspect="equal")
    axes.set_axis_off()
    words: dict[str, Any] = {
        "color": _PALE,
        "fontsize": 8,
        "transform": axes.transAxes,
        "path_effects": _HALO,
    }
    axes.text(0.015, 0.5, "R", ha="left", va="center", fontweight="bold", **words)
    axes.text(0.985, 0.5, "L", ha="right", va="center", fontweight="bold", **words)
    axes.text(0.02, 0.975, panel.title, ha="left", va="top", **words)
    _draw_scale(axes, extent)


def _draw_scale(axes: Axes, extent: tuple[float, float, float, float]) -> None:
    """A bar of 2 cm, lower right."""
    left, right, bottom, top = extent
    end, height = right - 0.03 * (right - left), bottom - 0.04 * (bottom - top)
    axes.plot(
        [end - 20, end], [height, height], color=_PALE, linewidth=2, solid_capstyle="butt", path_effects=_HALO
    )
    words: dict[str, Any] = {"color": _PALE, "fontsize": 7, "path_effects": _HALO}
    axes.text(end - 10, height - 0.02 * (bottom - top), "2 cm", ha="center", va="bottom", **words)


def _dashes(item: Contour) -> Literal["-"] | tuple[float, tuple[float, float]]:
    if item.dotted:
        return 0, (1.0, 1.4)
    return (0, (3.2, 1.6)) if item.dashed else "-"
