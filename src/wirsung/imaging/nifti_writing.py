"""NIfTI files as Wirsung writes them: whole or absent, equal for equal volumes, and without free text."""

from pathlib import Path

import numpy as np

from wirsung.compute.atomic import atomic_path
from wirsung.errors import ConfigError
from wirsung.imaging.nifti_frame import check_voxels, header_bytes
from wirsung.imaging.nifti_header import orthogonal_affine
from wirsung.imaging.volume import Volume

_SLICES = 16
"""Slices brought into file order at a time."""


def write_nifti(path: Path, volume: Volume) -> None:
    """Write the volume to a .nii or .nii.gz file; bool becomes uint8.

    sform and qform are equal with code 1, units are mm, no text field is filled, and the gzip header names
    neither a file nor a time, so that equal volumes give equal files. A .nii.gz file is one gzip member with
    an index of its slabs, see `slab_reading`; one of bool is written from its runs.

    Raises:
        ConfigError: The name ends in neither .nii nor .nii.gz.
        ImageError: The number type is not one of NIfTI's, a value is not finite, or an axis is too long.
        GeometryError: The grid is sheared, which sform and qform can't both say.
        StorageError: The disk is full, or the folder can't be written.
    """
    if path.name.endswith(".nii.gz"):
        _write_compressed(path, volume)
    elif path.name.endswith(".nii"):
        _write_plain(path, volume)
    else:
        msg = f"{path}: a NIfTI file is named .nii.gz or .nii. Choose such a name."
        raise ConfigError(msg)


def _write_compressed(path: Path, volume: Volume) -> None:
    # Here and not above: their compiled loops cost a fifth of a second, and many only read.
    from wirsung.imaging.code_files import write_mask
    from wirsung.imaging.slab_writing import write_slabs

    if volume.voxels.dtype == np.bool_:
        write_mask(path, volume)
    else:
        write_slabs(path, volume)


def _write_plain(path: Path, volume: Volume) -> None:
    voxels = volume.voxels.view(np.uint8) if volume.voxels.dtype == np.bool_ else volume.voxels
    check_voxels(voxels, path)
    affine, _ = orthogonal_affine(volume.affine, volume.shape, path)
    stored = voxels.dtype.newbyteorder("<")
    with atomic_path(path) as partial, partial.open("wb") as file:
        file.write(header_bytes(voxels.dtype, volume.shape, affine))
        for start in range(0, voxels.shape[2], _SLICES):
            slab = voxels[:, :, start : start + _SLICES].astype(stored, copy=False)
            file.write(slab.tobytes(order="F"))
