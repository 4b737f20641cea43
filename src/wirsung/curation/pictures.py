"""A small picture of each curated image: its middle axial slice, as a radiologist expects it."""

import io
from pathlib import Path

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

from wirsung.compute.atomic import write_bytes
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.pages.montage import WINDOW_HU

_SIDE_PX = 160
_PERCENTILES = (1, 99)
"""Darkest and brightest of an image without a unit."""


def write_picture(path: Path, volume: Volume, *, is_ct: bool) -> None:
    """Write the middle axial slice as PNG, its longer side 160 pixels, the patient's right on the left.

    Raises:
        StorageError: It can't be written.
    """
    content = io.BytesIO()
    grey = axial_picture(volume, is_ct=is_ct)
    imsave(content, grey, cmap="gray", vmin=0, vmax=1, format="png")
    write_bytes(path, content.getvalue())


def axial_picture(volume: Volume, *, is_ct: bool) -> NDArray[np.float64]:
    """Brightness from 0 to 1, rows from anterior to posterior, columns from right to left of the patient."""
    turned = reorient(volume, "LPS")
    plane = turned.voxels[:, :, turned.shape[2] // 2].T
    across_mm, down_mm = turned.shape[0] * turned.spacing_mm[0], turned.shape[1] * turned.spacing_mm[1]
    pixel_mm = max(across_mm, down_mm) / _SIDE_PX
    rows = _places(plane.shape[0], max(1, round(down_mm / pixel_mm)))
    columns = _places(plane.shape[1], max(1, round(across_mm / pixel_mm)))
    small = plane[np.ix_(rows, columns)].astype(np.float64)
    low, high = WINDOW_HU if is_ct else np.percentile(small, _PERCENTILES)
    return np.asarray(np.clip((small - low) / max(float(high - low), 1e-6), 0, 1))


def _places(length: int, wanted: int) -> NDArray[np.intp]:
    """Which pixels to show, evenly spread."""
    return ((np.arange(wanted) + 0.5) * length / wanted).astype(np.intp)
