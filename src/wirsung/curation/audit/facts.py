"""What the rules judge: one case's masks, measured in one pass over their codes.

All lies in RPS order, as curated volumes do: i grows to the patient's right, j to the back, k upwards.
Positions are mm from the first voxel along these axes.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wirsung.datasets.manifest import ManifestRow
from wirsung.imaging.arrays import Mask
from wirsung.imaging.code_volume import CodeVolume
from wirsung.imaging.file_order import in_file_order
from wirsung.imaging.volume import Volume

Box = tuple[slice, slice, slice]

SMALLEST_MM = 120.0
"""A narrower image, left to right or front to back, shows no body, and no rule of anatomy applies."""

_SLAB = 32
"""Slices measured at a time, so that indices of all voxels never exist at once."""
_HU = (-1024, 3072)
_BIN_HU = 4


@dataclass(frozen=True, eq=False)
class StructureFacts:
    """What is measured of one mask."""

    name: str
    counts: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
    """Voxels in each plane along i, j and k."""
    median_hu: float
    """NaN for MR, for an empty mask, and without an image."""

    @cached_property
    def voxels(self) -> int:
        """Voxels in all."""
        return int(self.counts[2].sum())

    @cached_property
    def box(self) -> Box:
        """The smallest box that holds the mask, which must not be empty."""
        i, j, k = (slice(int(full[0]), int(full[-1]) + 1) for full in map(np.flatnonzero, self.counts))
        return i, j, k

    @cached_property
    def centre(self) -> tuple[float, float, float]:
        """The mean index along i, j and k of a mask that is not empty."""
        i, j, k = (float(np.arange(len(line)) @ line / self.voxels) for line in self.counts)
        return i, j, k

    def beyond(self, index: float) -> float:
        """The fraction of voxels that lie farther right than a plane across i.

        Example:
            >>> line = np.array([1, 2, 1])
            >>> StructureFacts("liver", (line, line, line), 50.0).beyond(1.0)
            0.25
        """
        line = self.counts[0]
        return float(line[np.arange(len(line)) > index].sum() / self.voxels)


@dataclass(frozen=True, eq=False)
class Facts:
    """One case as its rules see it."""

    codes: CodeVolume
    """Every mask that lies on the image's grid, in RPS order."""
    image: Volume | None
    """In RPS order; None where it can't be read."""
    row: ManifestRow | None
    """What is known of the patient and the scan."""
    is_ct: bool
    structures: dict[str, StructureFacts] = field(default_factory=dict)
    """Every mask, empty ones too."""
    overlaps: dict[tuple[str, str], int] = field(default_factory=dict)
    """Voxels in common of two structures, where there are any."""
    pieces: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Pieces and voxels outside the largest, of the structures that a rule asked for."""

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Along right, back and up."""
        return self.codes.volume.spacing_mm

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j and k."""
        return self.codes.volume.shape

    @property
    def shows_body(self) -> bool:
        """Whether the image is wide enough for a body's section."""
        return all(self.shape[axis] * self.spacing_mm[axis] >= SMALLEST_MM for axis in (0, 1))

    def there(self, *names: str) -> list[StructureFacts]:
        """Those of the structures that are not empty, or all such."""
        wanted = names or tuple(self.structures)
        return [self.structures[name] for name in wanted if self.size(name)]

    def size(self, name: str) -> int:
        """Voxels of a structure; 0 without a mask too."""
        return self.structures[name].voxels if name in self.structures else 0

    def volume_ml(self, name: str) -> float:
        """Of a structure; 0 without a mask too."""
        return self.size(name) * self.codes.volume.voxel_volume_mm3 / 1000

    def centre_mm(self, name: str, axis: int) -> float:
        """The mean position along right, back or up, of a mask that is not empty."""
        return self.structures[name].centre[axis] * self.spacing_mm[axis]

    def union(self, names: tuple[str, ...], box: Box) -> Mask:
        """The voxels of any of the structures, inside a box."""
        members = np.zeros(len(self.codes.patterns), dtype=bool)
        for name in names:
            if name in self.structures:
                members |= self.codes.members(name)
        return np.asarray(members[self.codes.volume.voxels[box]])

    def grown(self, box: Box, margin_mm: float, least_voxels: int = 1) -> Box:
        """The box with a margin, inside the image."""
        i, j, k = (
            slice(max(0, part.start - margin), min(length, part.stop + margin))
            for part, length, spacing in zip(box, self.shape, self.spacing_mm, strict=True)
            for margin in (max(least_voxels, int(np.ceil(margin_mm / spacing))),)
        )
        return i, j, k


def gather(codes: CodeVolume, image: Volume | None, row: ManifestRow | None, *, is_ct: bool) -> Facts:
    """Measure every mask in one pass over the codes.

    Args:
        codes: In RPS order.
        image: On the same grid.
        row: What the manifest says.
        is_ct: Whether the image's values are HU.
    """
    lines, histogram = _sweep(codes, image if is_ct else None)
    counts = lines[2].sum(axis=1)
    members = {name: codes.members(name) for name in codes.structures}
    structures = {}
    for name, inside in members.items():
        i, j, k = (line[inside].sum(axis=0) for line in lines)
        structures[name] = StructureFacts(name, (i, j, k), _median(histogram[inside].sum(axis=0)))
    overlaps = {}
    for index, (one, first) in enumerate(members.items()):
        for other, second in list(members.items())[index + 1 :]:
            shared = int(counts[first & second].sum())
            if shared:
                overlaps[one, other] = shared
    return Facts(codes, image, row, is_ct, structures, overlaps)


def _sweep(codes: CodeVolume, image: Volume | None) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """Voxels by code and plane for each axis, and by code and HU."""
    count, shape = len(codes.patterns), codes.volume.shape
    lines = [np.zeros((count, length), dtype=np.int64) for length in shape]
    bins = (_HU[1] - _HU[0]) // _BIN_HU
    histogram = np.zeros((count, bins if image is not None else 1), dtype=np.int64)
    rows = in_file_order(codes.volume.voxels)  # k, j, i
    values = None if image is None else in_file_order(image.voxels)
    for start in range(0, shape[2], _SLAB):
        slab = rows[start : start + _SLAB]
        k, j, i = np.nonzero(slab)
        code = slab[k, j, i].astype(np.int64)
        for line, index in zip(lines, (i, j, k + start), strict=True):
            size = line.shape[1]
            line += np.bincount(code * size + index, minlength=line.size).reshape(line.shape)
        if values is not None:
            hu = np.clip(values[start : start + _SLAB][k, j, i], _HU[0], _HU[1] - 1).astype(np.int64)
            place = code * bins + (hu - _HU[0]) // _BIN_HU
            histogram += np.bincount(place, minlength=histogram.size).reshape(histogram.shape)
    return lines, histogram


def _median(histogram: NDArray[np.int64]) -> float:
    """To the middle of a bin of 4 HU; NaN for none."""
    below = np.cumsum(histogram)
    if len(histogram) == 1 or below[-1] == 0:
        return float("nan")
    return float(np.searchsorted(below, below[-1] / 2) * _BIN_HU + _HU[0] + _BIN_HU / 2)
