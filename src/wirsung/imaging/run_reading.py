"""Masks read from .nii.gz files as runs of voxels: far faster than voxel by voxel, and as strict.

Both checks of gzip are compared, the CRC by the runs. What is not one well-formed member of unscaled bytes of
0 and 1 is not understood here and left to `nifti.read_mask`, which says what is wrong with it.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from isal import isal_zlib

from wirsung.errors import WirsungError
from wirsung.imaging.arrays import Affine
from wirsung.imaging.gzip_members import TRAILER_BYTES, inflate_start, member_trailer, stream_start
from wirsung.imaging.inflate_kernels import Alphabet, alphabet, inflate_to_runs
from wirsung.imaging.nifti_header import LONGEST_HEADER, NiftiHeader, parse_header
from wirsung.imaging.run_encoding import token_table
from wirsung.imaging.run_kernels import Integers, crc_of_runs
from wirsung.imaging.volume import Volume

_NAMELESS = Path()
_RUNS_A_BYTE = 4
"""More runs for a stored byte, and the content is no mask but noise."""


@dataclass(frozen=True, eq=False)
class MaskRuns:
    """A mask at a known place, by its runs in file order."""

    runs: Integers
    """First voxel and last + 1 of each run of ones."""
    shape: tuple[int, int, int]
    affine: Affine

    def volume(self) -> Volume:
        """The mask as voxels of bool."""
        voxels = np.zeros(int(np.prod(self.shape)), dtype=np.bool_)
        for first, stop in self.runs:
            voxels[first:stop] = True
        return Volume(voxels.reshape(self.shape, order="F"), self.affine)


def read_runs(path: Path) -> MaskRuns | None:
    """The runs of a mask file; None for one that is to be read by `nifti.read_mask`, damaged ones too.

    Raises:
        ImageError: It can't be read, or is damaged.
        GeometryError: The header puts the voxels nowhere, or at two places.
    """
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    start = stream_start(stored)
    if start is None:
        return None
    header = parse_header(inflate_start(stored, LONGEST_HEADER, path), path)
    if header.dtype != np.uint8 or header.is_scaled:
        return None
    found = _understood(stored, start, header)
    return None if found is None else MaskRuns(found[1], header.shape, header.affine)


def header_of_mask(stored: bytes) -> bytes | None:
    """What lies before the voxels of a .nii.gz file of 0 and 1; None where it holds anything else."""
    start = stream_start(stored)
    if start is None:
        return None
    try:
        header = parse_header(inflate_start(stored, LONGEST_HEADER, _NAMELESS), _NAMELESS)
    except WirsungError:
        return None
    found = _understood(stored, start, header) if header.dtype == np.uint8 else None
    return None if found is None else found[0]


def _understood(stored: bytes, start: int, header: NiftiHeader) -> tuple[bytes, Integers] | None:
    """What lies before the voxels, and the runs of ones, where stream and trailer are well-formed."""
    row = np.frombuffer(stored, dtype=np.uint8)
    runs, after = inflate_to_runs(row, start, header.file_bytes, _RUNS_A_BYTE * row.size, _alphabet())
    trailer, rest = stored[after : after + TRAILER_BYTES], stored[after + TRAILER_BYTES :]
    if after < 0 or rest.strip(b"\0"):
        return None
    stops, values = runs[:, 0], runs[:, 1]
    firsts = np.maximum(np.concatenate([[0], stops[:-1]]), header.offset)
    before = int(np.searchsorted(stops, header.offset, side="right"))
    if before == len(values) or int(values[before:].max()) > 1:
        return None
    lengths = np.diff(np.minimum(stops[: before + 1], header.offset), prepend=0)
    beginning = np.repeat(values[: before + 1].astype(np.uint8), lengths).tobytes()
    is_one = (values == 1) & (stops > header.offset)
    ones = np.stack([firsts[is_one], stops[is_one]], axis=1) - header.offset
    register = np.int64(isal_zlib.crc32(beginning) ^ 0xFFFFFFFF)
    crc32 = int(crc_of_runs(register, ones, header.file_bytes - header.offset, token_table())) ^ 0xFFFFFFFF
    return (beginning, ones) if trailer == member_trailer(crc32, header.file_bytes) else None


@cache
def _alphabet() -> Alphabet:
    return alphabet()
