"""NIfTI files as Wirsung writes them: whole or absent, equal for equal volumes, and without free text."""

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from nibabel.nifti1 import Nifti1Header

from wirsung.compute.atomic import atomic_path
from wirsung.errors import ConfigError, ImageError
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.nifti_header import orthogonal_affine
from wirsung.imaging.volume import Volume

_OFFSET = 352
_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")
_SLICES = 16
"""Slices compressed at a time."""


def write_nifti(path: Path, volume: Volume) -> None:
    """Write the volume to a .nii or .nii.gz file; bool becomes uint8.

    sform and qform are equal with code 1, units are mm, no text field is filled, and the gzip header names
    neither a file nor a time, so that equal volumes give equal files.

    Raises:
        ConfigError: The name ends in neither .nii nor .nii.gz.
        ImageError: The number type is not one of NIfTI's, a value is not finite, or an axis is too long.
        GeometryError: The grid is sheared, which sform and qform can't both say.
        StorageError: The disk is full, or the folder can't be written.
    """
    if not path.name.endswith((".nii", ".nii.gz")):
        msg = f"{path}: a NIfTI file is named .nii.gz or .nii. Choose such a name."
        raise ConfigError(msg)
    voxels = volume.voxels.view(np.uint8) if volume.voxels.dtype == np.bool_ else volume.voxels
    _check(voxels, path)
    affine, _ = orthogonal_affine(volume.affine, volume.shape, path)
    pieces = _pieces(_header(voxels, affine), voxels)
    with atomic_path(path) as partial, partial.open("wb") as file:
        for piece in _compressed(pieces) if path.name.endswith(".gz") else pieces:
            file.write(piece)


def _check(voxels: Voxels, path: Path) -> None:
    if voxels.dtype.name not in _TYPES:
        msg = f"{path}: NIfTI has no number type for {voxels.dtype.name}. It has {', '.join(_TYPES)}."
        raise ImageError(msg)
    if max(voxels.shape) > np.iinfo(np.int16).max:
        msg = f"{path}: NIfTI allows 32767 voxels along an axis, but the shape is {voxels.shape}. Crop it."
        raise ImageError(msg)
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        bad = int(np.count_nonzero(~np.isfinite(voxels)))
        msg = f"{path}: {bad} voxels are NaN or infinite, so it was not written. Give them a value first."
        raise ImageError(msg)


def _header(voxels: Voxels, affine: np.ndarray) -> bytes:
    header = Nifti1Header()
    header.set_data_dtype(voxels.dtype.newbyteorder("="))
    header.set_data_shape(voxels.shape)
    header.set_sform(affine, code=1)
    header.set_qform(affine, code=1)
    header.set_xyzt_units("mm")
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["vox_offset"] = _OFFSET
    little_endian = header.as_byteswapped("<")
    return bytes(little_endian.binaryblock).ljust(_OFFSET, b"\0")


def _pieces(header: bytes, voxels: Voxels) -> Iterator[bytes]:
    yield header
    stored = voxels.dtype.newbyteorder("<")
    for start in range(0, voxels.shape[2], _SLICES):
        yield voxels[:, :, start : start + _SLICES].astype(stored, copy=False).tobytes(order="F")


def _compressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    # zlib's own gzip header has time 0 and no name. Level 6 takes five times as long to save a twentieth.
    stream = zlib.compressobj(1, zlib.DEFLATED, 31)
    for piece in pieces:
        yield stream.compress(piece)
    yield stream.flush()
