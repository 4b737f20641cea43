"""What a scan is known again by: exactly, or after it was saved anew, turned, cropped or resampled.

The exact mark is a checksum of the voxels in RPS order. The near one is a profile: block means
around the body's middle, level by level along it, which two copies of a scan share at some shift.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from wirsung.imaging.arrays import Voxels
from wirsung.imaging.file_order import in_file_order
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume

STEP_MM = 3.0
"""Between two levels."""

_CLIP_HU = (-1000, 1000)
RANGE_HU = (-200.0, 300.0)
"""What a level tells apart."""
_BODY_HU = -150
"""Fat and all that is denser."""
BLOCKS = 8
"""Along each side of a level."""
_BLOCK_MM = 40.0
_SMOOTH_MM = 9.0
_CENTRE_MM = 21.0
FEWEST_LEVELS = 12
"""Of 3 mm: what is shorter, or overlaps less, is too little to know a scan by."""
LEAST_OVERLAP = 0.6
"""Of the shorter scan."""
_PERCENTILES = (1.0, 99.0)


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """Block means of one scan, from below upwards.

    Two fingerprints are comparable where both are of CT, or neither.
    """

    levels: NDArray[np.float32]
    """Level, block: HU from -200 to 300, and for MR the same span over its own brightness."""
    is_ct: bool


def rps_sha256(volume: Volume, *, is_ct: bool) -> str:
    """The checksum of shape and voxels in RPS order, the same however a file lays them.

    CT is clipped to -1000 to 1000 HU first, so that a release that clips is known again.

    Example:
        >>> volume = Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
        >>> rps_sha256(volume, is_ct=True) == rps_sha256(reorient(volume, "SAL"), is_ct=True)
        True
    """
    turned = reorient(volume, "RPS")
    rows = in_file_order(turned.voxels)
    digest = hashlib.sha256(repr(turned.shape).encode())
    for row in rows:
        clipped = np.clip(row, *_CLIP_HU) if is_ct else row
        digest.update(np.ascontiguousarray(clipped, dtype="<f4").data)
    return digest.hexdigest()


def values_sha256(volume: Volume, *, is_ct: bool) -> str:
    """The checksum of the sides and of how often each value occurs, the same in any order of the voxels.

    A copy whose header was lost lies turned, and no order of axes that it names is the right one; this knows
    it again all the same. CT is clipped to -1000 to 1000 HU first.

    Example:
        >>> volume = Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
        >>> mirrored = Volume(volume.voxels[::-1].transpose(1, 2, 0), np.diag([9, 9, 9, 1]))
        >>> values_sha256(volume, is_ct=True) == values_sha256(mirrored, is_ct=True)
        True
    """
    voxels = np.clip(volume.voxels, *_CLIP_HU) if is_ct else volume.voxels
    if voxels.dtype == np.int16:
        counts = np.bincount(voxels.ravel(order="K").astype(np.int32) + 2**15)
        values = np.flatnonzero(counts)
        counts, values = counts[values], values - 2**15
    else:
        values, counts = np.unique(voxels, return_counts=True)
    digest = hashlib.sha256(repr(sorted(volume.shape)).encode())
    digest.update(values.astype("<f8").tobytes() + counts.astype("<i8").tobytes())
    return digest.hexdigest()


def fingerprint(volume: Volume, *, is_ct: bool) -> Fingerprint | None:
    """The fingerprint of a scan; None where it is too short, or too narrow to hold a block."""
    turned = reorient(volume, "RPS")
    width_mm = min(turned.shape[axis] * turned.spacing_mm[axis] for axis in (0, 1))
    height_mm = turned.shape[2] * turned.spacing_mm[2]
    if width_mm < BLOCKS * _BLOCK_MM / 2 or height_mm < FEWEST_LEVELS * STEP_MM:
        return None
    low, high, body = _range(turned.voxels, is_ct=is_ct)
    centres = _centres(turned, body)
    means = []
    for row, middle in zip(in_file_order(turned.voxels), centres, strict=True):  # j, i
        grey = (np.clip(row.astype(np.float32), low, high) - low) / (high - low)
        along, across = (
            _weights(length, spacing_mm, place)
            for length, spacing_mm, place in zip(row.shape, turned.spacing_mm[1::-1], middle, strict=True)
        )
        inside = along.sum(axis=1)[:, None] * across.sum(axis=1)[None, :]
        means.append(along @ grey @ across.T / np.maximum(inside, 1e-6))
    profile = np.array(means, dtype=np.float64).reshape(len(means), -1)
    span = RANGE_HU[1] - RANGE_HU[0]
    return Fingerprint((_even(profile, turned.spacing_mm[2]) * span + RANGE_HU[0]).astype(np.float32), is_ct)


def _range(voxels: Voxels, *, is_ct: bool) -> tuple[float, float, float]:
    """Darkest and brightest that count, and what is darker than the body."""
    if is_ct:
        return *RANGE_HU, _BODY_HU
    low, high = (float(value) for value in np.percentile(voxels, _PERCENTILES))
    high = max(high, low + 1e-6)
    return low, high, low + 0.1 * (high - low)


def _centres(volume: Volume, body: float) -> NDArray[np.float64]:
    """The middle of the body along j and i, slice by slice.

    Of the slice's own neighbourhood, so that what was cropped elsewhere does not matter.
    """
    found = [
        [_middle((row > body).sum(axis=axis)) for axis in (1, 0)] for row in in_file_order(volume.voxels)
    ]
    width = max(1, round(_CENTRE_MM / volume.spacing_mm[2]))
    return np.asarray(uniform_filter1d(np.array(found), width, axis=0, mode="nearest"))


def _middle(shadow: NDArray[np.int64]) -> float:
    """The index at which half the voxels lie on either side; a table that is cropped away hardly moves it."""
    below = np.concatenate([[0], np.cumsum(shadow)])
    if not below[-1]:
        return (len(shadow) - 1) / 2
    return float(np.interp(below[-1] / 2, below, np.arange(len(below)))) - 0.5


def _weights(length: int, spacing_mm: float, centre: float) -> NDArray[np.float32]:
    """How much of each voxel lies in each block, blocks by voxels; the sum of a block is its voxels."""
    places = np.arange(length)
    edges = (np.arange(BLOCKS + 1) - BLOCKS / 2) * _BLOCK_MM / spacing_mm + centre
    lower = np.maximum(edges[:-1, None], places[None, :] - 0.5)
    upper = np.minimum(edges[1:, None], places[None, :] + 0.5)
    return np.asarray(np.maximum(upper - lower, 0), dtype=np.float32)


def _even(profile: NDArray[np.float64], spacing_mm: float) -> NDArray[np.float64]:
    """The profile averaged over 9 mm at levels 3 mm apart, whatever the slices' spacing."""
    edges_mm = np.arange(len(profile) + 1) * spacing_mm
    below = np.vstack([np.zeros(profile.shape[1]), np.cumsum(profile, axis=0) * spacing_mm])
    middles_mm = np.arange(_SMOOTH_MM / 2, edges_mm[-1] - _SMOOTH_MM / 2 + 1e-6, STEP_MM)
    ends = [
        np.stack([np.interp(middles_mm + half, edges_mm, column) for column in below.T], axis=1)
        for half in (_SMOOTH_MM / 2, -_SMOOTH_MM / 2)
    ]
    return np.asarray((ends[0] - ends[1]) / _SMOOTH_MM)
