"""What is measured of each mask, and the checksum of voxels."""

import hashlib
import sys
from typing import Any

import numpy as np

from wirsung.datasets.manifest import StructureRow
from wirsung.datasets.measure_kernels import box_of, count_components, rows_of, tally
from wirsung.imaging.arrays import Mask, Voxels
from wirsung.imaging.code_volume import CodeVolume
from wirsung.imaging.file_order import in_file_order
from wirsung.imaging.run_kernels import Integers, find_runs, flat
from wirsung.imaging.volume import Volume

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


def sha256_of_mask(mask: Voxels) -> str:
    """The checksum of a mask of 0 and 1: of its shape and its runs, see `sha256_of_runs`."""
    runs = find_runs(flat(in_file_order(mask.view(np.uint8))))
    shape = (mask.shape[0], mask.shape[1], mask.shape[2])
    return sha256_of_runs(runs[:, :2], shape)


def sha256_of_runs(runs: Integers, shape: tuple[int, int, int]) -> str:
    """The checksum of a mask: SHA-256 of its shape and its runs, as little-endian int64.

    Args:
        runs: First voxel and last + 1 of each run of ones, in file order; neighbours are one run.
        shape: Of the mask.

    Example:
        >>> stored = np.array([4, 1, 1, 1, 3], dtype="<i8")  # its shape, then its only run
        >>> sha256_of_runs(np.array([[1, 3]]), (4, 1, 1)) == hashlib.sha256(stored.tobytes()).hexdigest()
        True
    """
    numbers = np.concatenate([np.array(shape), runs.reshape(-1)])
    return hashlib.sha256(numbers.astype("<i8").tobytes()).hexdigest()


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
    codes = CodeVolume(image.with_voxels(mask.view(np.uint8)), (0, 1), (structure,))
    return measure_codes(case, codes, image)[0]


def measure_codes(case: str, codes: CodeVolume, image: Volume) -> tuple[StructureRow, ...]:
    """The same of all masks at once, by structure; the voxels are gone over once."""
    values = in_file_order(image.voxels).reshape(-1)
    counts, means, squares = _moments(codes.runs, values, len(codes.patterns))
    rows = []
    for structure in sorted(codes.structures):
        members = codes.members(structure) & (counts > 0)
        found: dict[str, Any] = dict.fromkeys((*_BOX, "hu_mean", "hu_sd"))
        found |= {"volume_ml": 0.0, "components": 0, "touches_border": False}
        own = codes.runs_of(structure)
        if members.any():
            found = _shape_of(own, image.shape)
            size = int(counts[members].sum())
            mean = float((counts[members] * means[members]).sum()) / size
            spread = squares[members] + counts[members] * (means[members] - mean) ** 2
            found["volume_ml"] = size * image.voxel_volume_mm3 / 1000
            found["hu_mean"], found["hu_sd"] = mean, float(np.sqrt(spread.sum() / size))
        found["runs_sha256"] = sha256_of_runs(own, codes.volume.shape)
        rows.append(StructureRow(case, structure, **found))
    return tuple(rows)


def _moments(runs: Integers, values: Voxels, codes: int) -> tuple[Integers, Voxels, Voxels]:
    """By code, the voxels, the mean of their values, and the sum of the squared distances from it."""
    means = np.zeros(codes)
    for _ in range(2):  # the second time about the mean, so that nothing cancels out
        counts, sums = np.zeros(codes, dtype=np.int64), np.zeros((codes, 2))
        tally(runs, values, means, counts, sums)
        means = means + sums[:, 0] / np.maximum(counts, 1)
    return counts, means, sums[:, 1]


def _shape_of(runs: Integers, shape: tuple[int, int, int]) -> dict[str, Any]:
    """Box, pieces and border of a mask that is not empty."""
    pieces = rows_of(runs, shape[0])
    box = box_of(pieces, shape[1]).tolist()
    return {
        **dict(zip(_BOX, box, strict=True)),
        "components": int(count_components(pieces, shape[1])),
        "touches_border": any(box[2 * axis] == 0 or box[2 * axis + 1] == shape[axis] for axis in range(3)),
    }
