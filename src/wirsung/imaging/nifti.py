"""NIfTI files, read strictly: a file is understood in full or refused with a reason.

An image keeps its values, a label map and a mask are rounded to whole numbers with a tolerance and never
truncated. Grids come back with right angles, in RAS+ mm. Writing lies in `nifti_writing`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from wirsung.errors import ImageError, LabelError, counted
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.nifti_content import read_content, read_header
from wirsung.imaging.nifti_header import NiftiHeader
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.volume import Volume

__all__ = ["read_header", "read_image", "read_label_map", "read_mask", "write_nifti"]

_TOLERANCE = 1e-3
"""How far a label may be from a whole number; scaled files hold 1.0000000591 for 1."""
_CHUNK = 1 << 22
"""Voxels scaled at a time, so that float64 never exists for the whole image."""
_INT16 = np.iinfo(np.int16)


def read_image(path: Path) -> Volume:
    """The image, scaled: int16 where every value is a whole number that int16 holds, else float32.

    Raises:
        ImageError: Missing, damaged, not NIfTI, not one scalar volume, or with NaN or infinite values.
        GeometryError: The header puts the voxels nowhere, or at two places, or on a sheared grid.
    """
    header, raw = read_content(path)
    if raw.dtype.kind in "iu" and not header.is_scaled:
        fits = int(raw.min()) >= _INT16.min and int(raw.max()) <= _INT16.max
        # Not copied where they are int16 already: a long scan takes a gigabyte.
        return _volume(header, raw.astype(np.int16 if fits else np.float32, copy=False))
    values = np.empty(raw.shape, dtype=np.float32)
    whole, bad = True, 0
    for place, chunk in _scaled(header, raw):
        bad += int(np.count_nonzero(~np.isfinite(chunk)))
        if bad == 0:
            whole = whole and _fits_int16(chunk)
            with np.errstate(over="ignore"):  # too large a value becomes infinite, and is found below
                values[place] = chunk
    if bad:
        msg = (
            f"{path}: {counted(bad, 'voxel is', 'voxels are')} NaN or infinite. "
            "Find out what they stand for, and give them a value."
        )
        raise ImageError(msg)
    if not np.isfinite(values).all():
        msg = f"{path}: some values are too large for float32. Its scaling is damaged, or it is no image."
        raise ImageError(msg)
    return _volume(header, values.astype(np.int16) if whole else values)


def read_label_map(path: Path) -> Volume:
    """The label map, scaled and rounded: uint8, or uint16 where a value needs it.

    Raises:
        LabelError: A value is negative, above 65535, or more than 1e-3 from a whole number.
        ImageError: Missing, damaged, not NIfTI, not one scalar volume.
        GeometryError: The header puts the voxels nowhere, or at two places, or on a sheared grid.
    """
    header, raw = read_content(path)
    if raw.dtype in (np.uint8, np.uint16) and not header.is_scaled:
        labels = raw.astype(raw.dtype.newbyteorder("="))
    else:
        labels = np.empty(raw.shape, dtype=np.uint16)
        for place, chunk in _scaled(header, raw):
            labels[place] = _rounded(chunk, path)
    return _volume(header, labels.astype(np.uint8) if int(labels.max()) < 256 else labels)


def read_mask(path: Path) -> Volume:
    """The mask as bool, from 0 and 1 after scaling, or from 0 and 255.

    Raises:
        LabelError: It holds another value, which the message names.
        ImageError: Missing, damaged, not NIfTI, not one scalar volume.
        GeometryError: The header puts the voxels nowhere, or at two places, or on a sheared grid.
    """
    labels = read_label_map(path)
    top = int(labels.voxels.max())
    mask = labels.voxels == max(top, 1)
    if top not in (0, 1, 255) or np.count_nonzero(mask) != np.count_nonzero(labels.voxels):
        others = np.unique(labels.voxels[(labels.voxels != 0) & (labels.voxels != 1)])
        msg = (
            f"{path}: a mask holds 0 and 1 (or 0 and 255), but this one holds {others[0]}. Is it a label map?"
        )
        raise LabelError(msg)
    return labels.with_voxels(mask)


def _scaled(header: NiftiHeader, raw: Voxels) -> Iterator[tuple[slice, Voxels]]:
    """Chunk by chunk the place and the values in float64."""
    for start in range(0, raw.size, _CHUNK):
        place = slice(start, start + _CHUNK)
        chunk = raw[place].astype(np.float64)
        yield place, chunk * header.slope + header.intercept if header.is_scaled else chunk


def _fits_int16(chunk: Voxels) -> bool:
    inside = chunk.min() >= _INT16.min and chunk.max() <= _INT16.max
    return bool(inside and np.array_equal(chunk, np.rint(chunk)))


def _rounded(chunk: Voxels, path: Path) -> Voxels:
    labels = np.rint(chunk)
    with np.errstate(invalid="ignore"):  # NaN fails every comparison, so it counts as wrong
        right = (np.abs(chunk - labels) <= _TOLERANCE) & (labels >= 0) & (labels <= 65535)
    if not right.all():
        wrong = chunk[~right]
        msg = (
            f"{path}: a label is a whole number from 0 to 65535, but at least "
            f"{counted(wrong.size, 'voxel is', 'voxels are')} not,"
            f" such as {wrong[0]:g}. If it holds probabilities, threshold them first."
        )
        raise LabelError(msg)
    return labels


def _volume(header: NiftiHeader, flat: Voxels) -> Volume:
    return Volume(flat.reshape(header.shape, order="F"), header.affine)
