"""Labels as one picture a slice, stacked on the grid of the DICOM series that they were drawn on."""

import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib.image
import numpy as np

from wirsung.anatomy.schemes import Scheme
from wirsung.errors import GeometryError, ImageError, LabelError
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.dicom import read_stacks
from wirsung.imaging.volume import Volume

_NEAR = 16
"""How far a grey value may lie from that of its class: CHAOS calls 55 to 70 liver, and draws 63."""


def stack_pictures(series: Path, pictures: Sequence[Path], scheme: Scheme) -> Volume:
    """The label map of the pictures; the picture of a slice is the one at its place among the files' names.

    Args:
        series: The folder of the slices, which must be one stack.
        pictures: One grey picture a slice, as large as it.
        scheme: Each grey value becomes the nearest value of it; 0 and what is far from all stay background.

    Raises:
        GeometryError: The series is no single stack, or pictures and slices differ in number or size.
        ImageError: The series or a picture can't be read.
        LabelError: A picture holds a value that is none of the scheme's.
    """
    stacks = read_stacks(series).usable
    slices = stacks[0].slices if len(stacks) == 1 else ()
    if not slices or stacks[0].affine is None or len(slices) != len(pictures):
        msg = (
            f"{series.name}: {len(pictures)} pictures don't fit {len(stacks)} stacks of slices "
            f"({len(slices)} slices in the first). Unpack the series again."
        )
        raise GeometryError(msg)
    places = {path: place for place, path in enumerate(sorted((item.path for item in slices), key=_natural))}
    ordered = sorted(pictures, key=_natural)
    table = _table(scheme)
    planes = [_labels(ordered[places[item.path]], table) for item in slices]
    rows, columns = slices[0].shape
    if {plane.shape for plane in planes} != {(columns, rows)}:
        msg = f"{series.name}: a picture is not {columns} x {rows} as its slice is. Unpack it again."
        raise GeometryError(msg)
    return Volume(np.stack(planes, axis=2), stacks[0].affine)


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """Numbers in a name count as numbers: slice 9 comes before slice 10."""
    parts = re.split(r"(\d+)", path.name)
    return [(1, int(part)) if part.isdigit() else (0, part) for part in parts]


def _table(scheme: Scheme) -> Voxels:
    """Grey value to label; 255 where there is none, as no picture holds more than 8 bits."""
    grey = np.arange(256)
    values = np.array(scheme.values)
    apart = np.abs(grey[:, None] - values)
    table = np.where(apart.min(axis=1) <= _NEAR, values[apart.argmin(axis=1)], -1)
    table[0] = 0
    return table.astype(np.int16)


def _labels(path: Path, table: Voxels) -> Voxels:
    """The picture's labels, column first."""
    try:
        picture = matplotlib.image.imread(path)
    except (OSError, ValueError, SyntaxError) as error:
        msg = f"{path.name} can't be read as a picture ({type(error).__name__}). Unpack it again."
        raise ImageError(msg) from error
    grey = picture if picture.ndim == 2 else picture[..., 0]
    labels = table[np.rint(grey * 255).astype(np.uint8)]
    if (labels < 0).any():
        odd = int(np.rint(grey[labels < 0][0] * 255))
        msg = f"{path.name} holds the grey value {odd}, which is near none of its scheme. Mend the picture."
        raise LabelError(msg)
    return np.asarray(labels.T.astype(np.uint8))
