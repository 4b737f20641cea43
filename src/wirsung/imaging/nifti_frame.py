"""What stands around the voxels of a NIfTI file as Wirsung writes it, and what may stand there."""

from pathlib import Path

import numpy as np
from nibabel.nifti1 import Nifti1Header

from wirsung.errors import ImageError, counted
from wirsung.imaging.arrays import Affine, Voxels

OFFSET = 352
"""Bytes before the voxels."""
_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")


def header_bytes(dtype: np.dtype, shape: tuple[int, int, int], affine: Affine) -> bytes:
    """The bytes before the voxels: a NIfTI-1 header, little endian, and four zeros for no extension."""
    header = Nifti1Header()
    header.set_data_dtype(dtype.newbyteorder("="))
    header.set_data_shape(shape)
    header.set_sform(affine, code=1)
    header.set_qform(affine, code=1)
    header.set_xyzt_units("mm")
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["vox_offset"] = OFFSET
    return bytes(header.as_byteswapped("<").binaryblock).ljust(OFFSET, b"\0")


def check_voxels(voxels: Voxels, path: Path) -> None:
    """Refuse what NIfTI can't hold.

    Raises:
        ImageError: The number type is not one of NIfTI's, a value is not finite, or an axis is too long.
    """
    if voxels.dtype.name not in _TYPES:
        msg = f"{path}: NIfTI has no number type for {voxels.dtype.name}. It has {', '.join(_TYPES)}."
        raise ImageError(msg)
    if max(voxels.shape) > np.iinfo(np.int16).max:
        msg = f"{path}: NIfTI allows 32767 voxels along an axis, but the shape is {voxels.shape}. Crop it."
        raise ImageError(msg)
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        bad = int(np.count_nonzero(~np.isfinite(voxels)))
        told = counted(bad, "voxel is", "voxels are")
        msg = f"{path}: {told} NaN or infinite, so it was not written. Give them a value first."
        raise ImageError(msg)
