"""What is measured of each mask, and the checksum of voxels."""

import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from wirsung.curation.measure_kernels import box_of, count_components, fill, rows_of, tally
from wirsung.datasets.manifest import StructureRow
from wirsung.imaging.arrays import Mask, Voxels
from wirsung.imaging.code_volume import CodeVolume
from wirsung.imaging.file_order import in_file_order
from wirsung.imaging.run_kernels import Integers
from wirsung.imaging.volume import Volume

if TYPE_CHECKING:
    from hashlib import _Hash

_BOX = tuple(f"box_{axis}{end}" for axis in "ijk" for end in (0, 1))
_STEP = 1 << 20
"""Bytes of zeros between two states that are kept."""
_PART = 1 << 18
"""Voxels laid out at a time, so that they stay in the processor's cache."""


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


def sha256_of_masks(codes: CodeVolume) -> Iterator[tuple[str, str]]:
    """Each structure with `sha256_of_voxels` of its mask, without a mask in memory.

    Example:
        >>> voxels = np.array([0, 1, 1], dtype=np.uint8).reshape(1, 3, 1)
        >>> codes = CodeVolume(Volume(voxels, np.eye(4)), (0, 1), ("liver",))
        >>> dict(sha256_of_masks(codes))["liver"] == sha256_of_voxels(voxels)
        True
    """
    for structure in codes.structures:
        yield structure, sha256_of_runs(codes.runs_of(structure), codes.volume.voxels.size)


def sha256_of_runs(runs: Integers, size: int) -> str:
    """`sha256_of_voxels` of a mask, from its runs.

    Args:
        runs: First voxel and last + 1 of each run of ones, in file order.
        size: Voxels of the mask.

    Example:
        >>> sha256_of_runs(np.array([[1, 3]]), 4) == hashlib.sha256(bytes([0, 1, 1, 0])).hexdigest()
        True
    """
    first, last = (int(runs[0, 0]), int(runs[-1, 1])) if len(runs) else (size, size)
    state = _after_zeros(first)
    run = 0
    for start in range(first, last, _PART):
        part = np.zeros(min(_PART, last - start), dtype=np.uint8)
        run = fill(runs, run, start, part)
        state.update(part.data)
    for start in range(last, size, _STEP):
        state.update(_zeros()[: min(_STEP, size - start)])
    return state.hexdigest()


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
    checksums = dict(sha256_of_masks(codes))
    rows = []
    for structure in sorted(codes.structures):
        members = codes.members(structure) & (counts > 0)
        found: dict[str, Any] = dict.fromkeys((*_BOX, "hu_mean", "hu_sd"))
        found |= {"volume_ml": 0.0, "components": 0, "touches_border": False}
        if members.any():
            found = _shape_of(codes.runs_of(structure), image.shape)
            size = int(counts[members].sum())
            mean = float((counts[members] * means[members]).sum()) / size
            spread = squares[members] + counts[members] * (means[members] - mean) ** 2
            found["volume_ml"] = size * image.voxel_volume_mm3 / 1000
            found["hu_mean"], found["hu_sd"] = mean, float(np.sqrt(spread.sum() / size))
        rows.append(StructureRow(case, structure, sha256=checksums[structure], **found))
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


@cache
def _zeros() -> memoryview:
    return memoryview(bytes(_STEP))


@cache
def _states() -> "list[_Hash]":
    """SHA-256 after 0, 1, 2 and more steps of zeros; it grows as it is needed."""
    return [hashlib.sha256()]


def _after_zeros(count: int) -> "_Hash":
    """SHA-256 after that many zeros: most of what lies before a structure, hashed once a process."""
    states = _states()
    while len(states) <= count // _STEP:
        states.append(states[-1].copy())
        states[-1].update(_zeros())
    state = states[count // _STEP].copy()
    state.update(_zeros()[: count % _STEP])
    return state
