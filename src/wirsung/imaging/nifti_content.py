"""The bytes of a NIfTI file, whole and undamaged or not at all.

Every byte is inflated and both checks of gzip (CRC32 and length) are compared; readers that seek inside a .gz
file skip them, and return wrong voxels from a damaged one.
"""

from pathlib import Path

import numpy as np

from wirsung.errors import ImageError
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.gzip_members import inflate, inflate_start
from wirsung.imaging.nifti_header import LONGEST_HEADER, NiftiHeader, parse_header

_GZIP = b"\x1f\x8b"


def read_content(path: Path) -> tuple[NiftiHeader, Voxels]:
    """The header and the voxels as stored, without scaling, flat in file order.

    Raises:
        ImageError: Missing, damaged, cut short, too long, or not a NIfTI file.
        GeometryError: The header puts the voxels nowhere, or at two places.
    """
    stored = _stored(path)
    # The name is not believed: content decides whether it is compressed.
    if stored.startswith(_GZIP):
        header = parse_header(inflate_start(stored, LONGEST_HEADER, path), path)
        content = inflate(stored, header.file_bytes, path)
    else:
        header = parse_header(stored[:LONGEST_HEADER], path)
        content = stored
    if len(content) != header.file_bytes:
        found = "more" if len(content) > header.file_bytes else f"only {len(content)}"
        msg = f"{path}: its header promises {header.file_bytes} bytes, but there are {found}. Copy it again."
        raise ImageError(msg)
    return header, np.frombuffer(content, dtype=header.dtype, offset=header.offset)


def read_header(path: Path) -> NiftiHeader:
    """The header alone, without a check of the voxels.

    Raises:
        ImageError: Missing, or not a NIfTI file.
        GeometryError: The header puts the voxels nowhere, or at two places.
    """
    beginning = _stored(path, 64 * 1024)
    if beginning.startswith(_GZIP):
        beginning = inflate_start(beginning, LONGEST_HEADER, path)
    return parse_header(beginning[:LONGEST_HEADER], path)


def _stored(path: Path, count: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            stored = file.read(count)
    except OSError as error:
        msg = (
            f"{path} can't be read ({error.strerror or type(error).__name__}). Check the name and its rights."
        )
        raise ImageError(msg) from error
    if not stored:
        msg = f"{path} is empty. Copy it again."
        raise ImageError(msg)
    return stored
