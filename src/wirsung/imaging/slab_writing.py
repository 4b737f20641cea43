"""Volumes as .nii.gz files that every reader can read whole, and of which a slab of slices can be read alone.

The stream is one gzip member, because browsers stop after the first. It is flushed at the end of each slab,
so that nothing after that place refers to anything before, and the gzip header says where the slabs begin.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from isal import isal_zlib

from wirsung.compute.atomic import atomic_path
from wirsung.errors import ConfigError
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.file_order import in_file_order
from wirsung.imaging.gzip_members import MOST_PIECES, Piece, SlabIndex, member_header, member_trailer
from wirsung.imaging.nifti_frame import check_voxels, header_bytes
from wirsung.imaging.nifti_header import orthogonal_affine
from wirsung.imaging.volume import Volume

_SLAB_BYTES = 1 << 18
"""Least bytes in a slab: smaller ones cost size, and half a megabyte is inflated in 2 ms."""
_BATCH_BYTES = 1 << 24
"""Bytes brought into file order at a time."""
_LEVEL = 2
_MEMORY = 2
"""Little memory makes isal's Huffman blocks short: CT becomes 2 % smaller than by its default, as fast."""


def write_slabs(path: Path, volume: Volume) -> int:
    """Write the volume to a .nii.gz file that `slab_reading.read_slab` can read in part; bool becomes uint8.

    The conventions are those of `nifti_writing.write_nifti`: sform = qform, code 1, mm, no text, no time.

    Returns:
        The CRC32 of the inflated file.

    Raises:
        ConfigError: The name does not end in .nii.gz.
        ImageError: The number type is not one of NIfTI's, a value is not finite, or an axis is too long.
        GeometryError: The grid is sheared, which sform and qform can't both say.
        StorageError: The disk is full, or the folder can't be written.
    """
    if not path.name.endswith(".nii.gz"):
        msg = f"{path}: a file of slabs is named .nii.gz. Choose such a name."
        raise ConfigError(msg)
    voxels = volume.voxels.view(np.uint8) if volume.voxels.dtype == np.bool_ else volume.voxels
    check_voxels(voxels, path)
    affine, _ = orthogonal_affine(volume.affine, volume.shape, path)
    slices = _slices_in_slab(voxels)
    with atomic_path(path) as partial, partial.open("wb") as file:
        return _write(file, header_bytes(voxels.dtype, volume.shape, affine), voxels, slices)


def _slices_in_slab(voxels: Voxels) -> int:
    slice_bytes = voxels[:, :, 0].nbytes
    length_k = int(voxels.shape[2])
    return min(max(-(-_SLAB_BYTES // slice_bytes), -(-length_k // (MOST_PIECES - 1))), length_k)


def _write(file: BinaryIO, header: bytes, voxels: Voxels, slices: int) -> int:
    slabs = -(-voxels.shape[2] // slices)
    file.write(member_header(SlabIndex(slices, len(header), (Piece(0, 0),) * (1 + slabs))))
    stream = isal_zlib.compressobj(level=_LEVEL, wbits=-15, memLevel=_MEMORY)
    pieces: list[Piece] = []
    crc32, length = 0, 0
    for content in _contents(header, voxels, slices):
        stored = file.write(stream.compress(content)) + file.write(stream.flush(isal_zlib.Z_FULL_FLUSH))
        pieces.append(Piece(stored, isal_zlib.crc32(content)))
        length += content.nbytes
        crc32 = int(isal_zlib.crc32_combine(crc32, pieces[-1].crc32, content.nbytes))
    file.write(stream.flush())
    file.write(member_trailer(crc32, length))
    file.seek(0)
    file.write(member_header(SlabIndex(slices, len(header), tuple(pieces))))
    return crc32


def _contents(header: bytes, voxels: Voxels, slices: int) -> Iterator[memoryview]:
    """What each piece of the stream inflates to."""
    yield memoryview(header)
    stored = voxels.dtype.newbyteorder("<")
    slab_bytes = slices * voxels.shape[0] * voxels.shape[1] * voxels.itemsize
    batch = slices * max(1, _BATCH_BYTES // slab_bytes)
    for first in range(0, voxels.shape[2], batch):
        ordered = in_file_order(voxels[:, :, first : first + batch]).astype(stored, copy=False)
        for start in range(0, len(ordered), slices):
            yield np.ascontiguousarray(ordered[start : start + slices]).data.cast("B")
