"""The thumbnail: one small axial slice with sharp contours, some ten kilobytes, to be enlarged at will.

The slice is a small JPEG, the contours lie above it as vectors. Patient right is on the viewer's left and
anterior is up, as in the montage.
"""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

from wirsung.errors import GeometryError
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.pages.drawing import data_uri
from wirsung.pages.montage import WINDOW_HU, Contour
from wirsung.pages.outline import outlines
from wirsung.pages.template import Picture

_LONGER_SIDE_PX = 200
_QUALITY = 60
_MARGIN_MM = 15.0
_SMALLEST_MM = 60.0
"""A tiny structure is shown with its surroundings."""


def thumbnail(
    contours: Sequence[Contour],
    *,
    alternative: str,
    image: Volume | None = None,
    window: tuple[float, float] = WINDOW_HU,
    width_px: int = 120,
) -> Picture:
    """The axial slice where the first two masks differ most, cropped to the masks.

    Args:
        contours: Reference and prediction, then further masks on the same grid.
        alternative: The content in words.
        image: What lies behind, on the same grid; without it the reference is filled.
        window: Darkest and brightest value, HU for CT.
        width_px: Width at which it is shown first.

    Raises:
        GeometryError: The masks and the image have different shapes.
    """
    volumes = [item.mask for item in contours] + ([image] if image else [])
    if len({volume.shape for volume in volumes}) > 1:
        shapes = ", ".join(str(volume.shape) for volume in volumes)
        msg = f"A thumbnail needs one grid, but the shapes are {shapes}. Resample them first."
        raise GeometryError(msg)
    k = slice_of_largest_error(*(reorient(item.mask, "LPS").voxels for item in contours[:2]))
    flat = [reorient(volume, "LPS").voxels[:, :, k] for volume in volumes]
    spacing_mm = reorient(contours[0].mask, "LPS").spacing_mm[:2]
    masks = [plane.astype(bool) for plane in flat[: len(contours)]]
    i, j = (_window(np.logical_or.reduce(masks), axis, spacing_mm[axis]) for axis in (0, 1))
    grey = _grey(flat[-1][i, j], spacing_mm, window) if image else ""
    svg = _svg(grey, [mask[i, j] for mask in masks], contours, spacing_mm)
    return Picture(data_uri(svg.encode(), "image/svg+xml"), alternative, width_px=width_px)


def slice_of_largest_error(
    reference: NDArray[np.generic], prediction: NDArray[np.generic] | None = None
) -> int:
    """Index along k where most voxels differ; where none does, that with most of the reference.

    Example:
        >>> one = np.zeros((2, 2, 3), dtype=bool)
        >>> other = one.copy()
        >>> other[0, 0, 2] = True
        >>> slice_of_largest_error(one, other)
        2
    """
    ours = reference.astype(bool, copy=False)
    differing = (ours ^ prediction.astype(bool, copy=False)).sum(axis=(0, 1)) if prediction is not None else 0
    counts = differing if np.any(differing) else ours.sum(axis=(0, 1))
    return int(np.argmax(counts))


def _window(mask: NDArray[np.bool_], axis: int, spacing_mm: float) -> slice:
    """The mask's range along an axis with a margin, and not less than the smallest."""
    inside = np.flatnonzero(mask.any(axis=1 - axis))
    if not inside.size:
        return slice(None)
    first, last = int(inside[0]), int(inside[-1])
    margin = max(_MARGIN_MM, (_SMALLEST_MM - (last - first + 1) * spacing_mm) / 2)
    steps = round(margin / spacing_mm)
    return slice(max(first - steps, 0), last + steps + 1)


def _grey(plane: NDArray[np.generic], spacing_mm: tuple[float, float], window: tuple[float, float]) -> str:
    """A small JPEG of the plane, by the nearest voxel, as an address."""
    sides_mm = [length * step for length, step in zip(plane.shape, spacing_mm, strict=True)]
    pixel_mm = max(max(sides_mm) / _LONGER_SIDE_PX, min(spacing_mm))
    i, j = (
        ((np.arange(count) + 0.5) * length / count).astype(np.intp)
        for length, count in (
            (n, max(1, round(mm / pixel_mm))) for n, mm in zip(plane.shape, sides_mm, strict=True)
        )
    )
    low, high = window
    bright = np.clip((plane[np.ix_(i, j)].astype(np.float64) - low) / (high - low), 0, 1)
    buffer = io.BytesIO()
    rows = np.repeat((255 * bright.T).round().astype(np.uint8)[:, :, None], 3, axis=2)
    imsave(
        buffer, np.ascontiguousarray(rows), format="jpeg", pil_kwargs={"quality": _QUALITY, "optimize": True}
    )
    return data_uri(buffer.getvalue(), "image/jpeg")


def _svg(
    grey: str,
    masks: Sequence[NDArray[np.bool_]],
    contours: Sequence[Contour],
    spacing_mm: tuple[float, float],
) -> str:
    (ni, nj), (di, dj) = masks[0].shape, spacing_mm
    size = f'width="{ni * di:.1f}" height="{nj * dj:.1f}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {ni * di:.1f} {nj * dj:.1f}" {size}>']
    parts.append(f'<rect {size} fill="#161d22"/>')
    if grey:
        parts.append(f'<image {size} preserveAspectRatio="none" href="{grey}"/>')
    parts.append(f'<g transform="scale({di:.5g} {dj:.5g})" fill="none" stroke-width="1.3">')
    for number, (mask, item) in enumerate(zip(masks, contours, strict=True)):
        fill = ' fill="#6b6b6b"' if number == 0 and not grey else ""
        pattern = "1.3 1.8" if item.dotted else "4 2"
        dashes = f' stroke-dasharray="{pattern}"' if item.dashed or item.dotted else ""
        if mask.any():
            parts.append(
                f'<path vector-effect="non-scaling-stroke" stroke="{item.colour}"{fill}{dashes} '
                f'fill-rule="evenodd" d="{path_of(mask)}"/>'
            )
    return "".join([*parts, "</g></svg>"])


def path_of(mask: NDArray[np.bool_]) -> str:
    """The mask's outline as an SVG path in voxels, the first voxel's corner at 0, steps alone.

    Example:
        >>> path_of(np.array([[True]]))
        'M0 0h1v1h-1z'
    """
    words = []
    for polygon in outlines(mask):
        corners = (polygon + 0.5).round().astype(int)
        steps = np.diff(corners, axis=0)[:-1].tolist()
        words.append(f"M{corners[0, 0]} {corners[0, 1]}")
        words += [f"h{across}" if across else f"v{down}" for across, down in steps]
        words.append("z")
    return "".join(words)
