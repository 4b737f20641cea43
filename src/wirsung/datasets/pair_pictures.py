"""Two scans side by side: the same place of the body, coronal and axial, at one scale."""

import io
from collections.abc import Mapping

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

from wirsung.datasets.layout import Dataset
from wirsung.datasets.leaks import Leak, Scan
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.pages.drawing import data_uri
from wirsung.pages.montage import WINDOW_HU
from wirsung.pages.template import Picture

_PIXEL_MM = 2.5
_GAP_PX = 4
_QUALITY = 75
_PERCENTILES = (1, 99)
"""Darkest and brightest of an image without a unit."""
_Plane = NDArray[np.float64]


def pair_picture(leak: Leak, datasets: Mapping[str, Dataset]) -> Picture:
    """The first scan on the left and the other on the right; of each the middle coronal and one axial slice.

    The axial slices show the same level of the body where the shift between the scans is known. The patient's
    right is on the viewer's left.

    Raises:
        ImageError: An image is missing or damaged.
    """
    one, other = (_volume(scan, datasets) for scan in (leak.one, leak.other))
    places = _levels_mm(one, other, leak.shift_mm or 0.0)
    panels = [
        plane
        for volume, place_mm, scan in zip((one, other), places, (leak.one, leak.other), strict=True)
        for plane in _planes(volume, place_mm, is_ct=scan.row.modality == "ct")
    ]
    height = max(len(plane) for plane in panels)
    columns = [np.full((height, _GAP_PX), 1.0)]
    for plane in panels:
        below = np.zeros((height - len(plane), plane.shape[1]))
        columns += [np.concatenate([plane, below]), np.full((height, _GAP_PX), 1.0)]
    names = f"{leak.one.case} of {leak.one.dataset}", f"{leak.other.case} of {leak.other.dataset}"
    caption = f"{names[0]} (left) and {names[1]} (right): {leak.detail}"
    return Picture(_jpeg(np.concatenate(columns[1:-1], axis=1)), f"Slices of {' and '.join(names)}", caption)


def _volume(scan: Scan, datasets: Mapping[str, Dataset]) -> Volume:
    return reorient(datasets[scan.dataset].case(scan.case).image(), "LPS")


def _levels_mm(one: Volume, other: Volume, shift_mm: float) -> tuple[float, float]:
    """How far above the lowest face of each the middle of what they share lies."""
    heights = [volume.shape[2] * volume.spacing_mm[2] for volume in (one, other)]
    low, high = max(shift_mm, 0.0), min(heights[0], heights[1] + shift_mm)
    middle_mm = (low + high) / 2
    return middle_mm, middle_mm - shift_mm


def _planes(volume: Volume, place_mm: float, *, is_ct: bool) -> tuple[_Plane, _Plane]:
    """The middle coronal slice, head up, and the axial one at the place, anterior up; brightness 0 to 1."""
    voxels, (di, dj, dk) = volume.voxels, volume.spacing_mm
    k = int(np.clip(place_mm / dk, 0, voxels.shape[2] - 1))
    coronal = _even(voxels[:, voxels.shape[1] // 2, ::-1].T, dk, di)
    axial = _even(voxels[:, :, k].T, dj, di)
    low, high = WINDOW_HU if is_ct else np.percentile(axial, _PERCENTILES)
    span = max(float(high - low), 1e-6)
    return np.clip((coronal - low) / span, 0, 1), np.clip((axial - low) / span, 0, 1)


def _even(plane: NDArray[np.generic], down_mm: float, across_mm: float) -> _Plane:
    """The plane in square pixels of one size, by the nearest."""
    rows, columns = (
        ((np.arange(max(1, round(length * step / _PIXEL_MM))) + 0.5) * _PIXEL_MM / step)
        .astype(np.intp)
        .clip(0, length - 1)
        for length, step in zip(plane.shape, (down_mm, across_mm), strict=True)
    )
    return np.asarray(plane[np.ix_(rows, columns)], dtype=np.float64)


def _jpeg(grey: _Plane) -> str:
    buffer = io.BytesIO()
    pixels = np.repeat((255 * grey).round().astype(np.uint8)[:, :, None], 3, axis=2)
    options = {"quality": _QUALITY, "optimize": True}
    imsave(buffer, np.ascontiguousarray(pixels), format="jpeg", pil_kwargs=options)
    return data_uri(buffer.getvalue(), "image/jpeg")
