"""What is measured of each mask, and the checksum of voxels."""

import hashlib
import sys
from typing import Any

import numpy as np
from scipy import ndimage

from wirsung.datasets.manifest import StructureRow
from wirsung.imaging.arrays import Mask, Voxels
from wirsung.imaging.volume import Volume

_CORNERS = np.ones((3, 3, 3), dtype=bool)
_BOX = tuple(f"box_{axis}{end}" for axis in "ijk" for end in (0, 1))


def sha256_of_voxels(voxels: Voxels) -> str:
    """The checksum of the voxels as NIfTI holds them: i fastest, little-endian, bool as uint8.

    It does not change with the compression or the header, and anybody can compute it from the file:
    `gzip -dc ct.nii.gz | tail -c +353 | sha256sum`.

    Example:
        >>> sha256_of_voxels(np.array([[[False, True]]])) == hashlib.sha256(bytes([0, 1])).hexdigest()
        True
    """
    stored = voxels.view(np.uint8) if voxels.dtype == np.bool_ else voxels
    if stored.dtype.byteorder == ">" or (stored.dtype.byteorder == "=" and sys.byteorder == "big"):
        stored = stored.astype(stored.dtype.newbyteorder("<"))
    return hashlib.sha256(np.ascontiguousarray(stored.T).data).hexdigest()


def bounding_box(mask: Mask) -> tuple[slice, slice, slice] | None:
    """The smallest box that holds the mask, half-open; None for an empty mask.

    Example:
        >>> bounding_box(np.array([[[0, 1, 1, 0]]], dtype=bool))
        (slice(0, 1, None), slice(0, 1, None), slice(1, 3, None))
    """
    across: Mask = np.logical_or.reduce(mask, axis=0)
    lines: list[Mask] = [
        np.logical_or.reduce(mask, axis=(1, 2)),
        np.logical_or.reduce(across, axis=1),
        np.logical_or.reduce(across, axis=0),
    ]
    if not lines[0].any():
        return None
    i, j, k = (slice(int(line.argmax()), int(len(line) - line[::-1].argmax())) for line in lines)
    return i, j, k


def measure(case: str, structure: str, mask: Mask, image: Volume) -> StructureRow:
    """Volume, HU, box and pieces of one mask on the image's grid."""
    box = bounding_box(mask)
    found: dict[str, Any] = dict.fromkeys((*_BOX, "hu_mean", "hu_sd"))
    found |= {"volume_ml": 0.0, "components": 0, "touches_border": False}
    if box is not None:
        inside = mask[box]
        values = image.voxels[box][inside].astype(np.float64)
        bounds = [bound for part in box for bound in (part.start, part.stop)]
        ends = zip(box, image.shape, strict=True)
        found = {
            **dict(zip(_BOX, bounds, strict=True)),
            "volume_ml": int(values.size) * image.voxel_volume_mm3 / 1000,
            "hu_mean": float(values.mean()),
            "hu_sd": float(values.std()),
            "components": int(ndimage.label(inside, _CORNERS)[1]),
            "touches_border": any(part.start == 0 or part.stop == size for part, size in ends),
        }
    return StructureRow(case, structure, sha256=sha256_of_voxels(mask), **found)
