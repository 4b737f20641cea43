"""A slab of slices out of a .nii.gz file, without inflating what lies before it.

Files of `slab_writing` say where their slabs begin and what each adds up to; any other file is read whole.
"""

from pathlib import Path
from typing import BinaryIO

import numpy as np

from wirsung.errors import ConfigError, ImageError
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.gzip_members import LONGEST_HEADER, Piece, SlabIndex, inflate_piece, read_index
from wirsung.imaging.nifti_content import read_content
from wirsung.imaging.nifti_header import NiftiHeader, parse_header
from wirsung.imaging.volume import Volume


def read_slab(path: Path, first: int, stop: int) -> Volume:
    """Slices `first` to `stop` - 1 along k, at their place and in the number type of the file.

    Raises:
        ConfigError: No such slices.
        ImageError: Missing, damaged, not NIfTI, or its values are scaled.
        GeometryError: The header puts the voxels nowhere, or at two places.
    """
    try:
        with path.open("rb") as file:
            found = read_index(file.read(LONGEST_HEADER))
            header, voxels = (
                _whole(path, first, stop) if found is None else _slab(file, *found, path, (first, stop))
            )
    except OSError as error:
        msg = (
            f"{path} can't be read ({error.strerror or type(error).__name__}). Check the name and its rights."
        )
        raise ImageError(msg) from error
    shift = np.eye(4)
    shift[2, 3] = first
    return Volume(voxels, header.affine @ shift)


def _whole(path: Path, first: int, stop: int) -> tuple[NiftiHeader, Voxels]:
    header, flat = read_content(path)
    _check(header, path, first, stop)
    return header, flat.reshape(header.shape, order="F")[:, :, first:stop]


def _slab(
    file: BinaryIO, index: SlabIndex, start: int, path: Path, wanted: tuple[int, int]
) -> tuple[NiftiHeader, Voxels]:
    first, stop = wanted
    places = np.cumsum([start, *(piece.stored_bytes for piece in index.pieces)]).tolist()
    beginning = _inflated(file, places[0], index.pieces[0], index.offset, path)
    header = parse_header(beginning, path)
    _check(header, path, first, stop)
    slice_voxels = header.shape[0] * header.shape[1]
    slabs = -(-header.shape[2] // index.slices)
    if header.offset != index.offset or slabs != len(index.pieces) - 1:
        msg = f"{path} is damaged: its header and its index disagree. Copy or download it again."
        raise ImageError(msg)
    contents: list[bytes] = []
    for slab in range(first // index.slices, -(-stop // index.slices)):
        slices = min(index.slices, header.shape[2] - slab * index.slices)
        count = slices * slice_voxels * header.dtype.itemsize
        contents.append(_inflated(file, places[1 + slab], index.pieces[1 + slab], count, path))
    flat = np.frombuffer(b"".join(contents), dtype=header.dtype)
    whole_slabs = flat.reshape((*header.shape[:2], -1), order="F")
    before = first // index.slices * index.slices
    return header, whole_slabs[:, :, first - before : stop - before]


def _inflated(file: BinaryIO, place: int, piece: Piece, count: int, path: Path) -> bytes:
    file.seek(place)
    return inflate_piece(file.read(piece.stored_bytes), piece, count, path)


def _check(header: NiftiHeader, path: Path, first: int, stop: int) -> None:
    if not 0 <= first < stop <= header.shape[2]:
        msg = f"{path} has slices 0 to {header.shape[2] - 1}, but {first} to {stop - 1} were asked for."
        raise ConfigError(msg)
    if header.is_scaled:
        msg = f"{path}: its values are scaled, so a slab can't be read as it is stored. Convert it first."
        raise ImageError(msg)
