"""Which part of an image is worth full resolution: what a first, coarse pass of the same model found.

Nothing is lost in silence. The whole image is predicted where the first pass found nothing, where it missed a
class, where the part would be nearly all of the image, or where what is then found reaches the border.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from wirsung.anatomy.structures import containers
from wirsung.inference.export import Export
from wirsung.inference.presets import Region, Steps
from wirsung.inference.sliding_window import Slab, tile_starts
from wirsung.models.nonzero import Box, box_of
from wirsung.models.plans import Shape

_HINT = float(np.log(3))
"""A class counts as found where background is at most so many times (here 3) as probable."""
_SMALLEST_PIECE = 0.05
"""Pieces of a class smaller than this part of its largest are taken for errors of the coarse pass."""
_DEAREST = 0.25
"""A first pass of more than this part of the tiles is not worth it."""
_LEAST_SAVED = 0.3
"""Nor is a region that saves less than this part of them."""
_MANY = 8
"""So many classes lie all over an abdomen, and leave nothing to spare,"""
_LONG_MM = 600.0
"""unless the scan is longer than this."""


@dataclass(frozen=True)
class Chosen:
    """The part that is predicted."""

    part: Box | None
    """In samples of the prepared image; None for all of it."""
    why: str
    """For the record."""


@dataclass(frozen=True)
class Grid:
    """The prepared image, and the tiles that it would be cut into."""

    shape: Shape
    spacing_mm: tuple[float, float, float]
    patch: Shape
    steps: Steps

    def tiles(self, shape: Shape) -> int:
        """How many tiles an image of that shape takes."""
        full = (max(size, tile) for size, tile in zip(shape, self.patch, strict=True))
        z, y, x = full
        return prod(len(starts) for starts in tile_starts((z, y, x), self.patch, self.steps))


def not_worth_it(grid: Grid, coarse: Shape, classes: int) -> str | None:
    """Why no first pass is made; None where it promises to save time.

    Args:
        grid: Of the prepared image.
        coarse: The shape of the first pass.
        classes: How many are wanted.

    Example:
        >>> grid = Grid((100, 200, 200), (3.0, 1.5, 1.5), (64, 64, 64), (0.5, 0.5, 0.5))
        >>> not_worth_it(grid, (50, 100, 100), 2) is None
        True
        >>> not_worth_it(grid, (50, 100, 100), 28)
        '28 classes leave nothing to spare'
    """
    if grid.tiles(coarse) > _DEAREST * grid.tiles(grid.shape):
        return "the image has few tiles"
    longest = max(size * mm for size, mm in zip(grid.shape, grid.spacing_mm, strict=True))
    if classes > _MANY and longest < _LONG_MM:
        return f"{classes} classes leave nothing to spare"
    return None


def coarser(prepared: torch.Tensor, factors: Shape, *, is_flat: bool) -> torch.Tensor:
    """The mean of blocks of voxels (channel, z, y, x); of a network of slices, some slices as they are."""
    if is_flat:
        prepared, factors = prepared[:, :: factors[0]], (1, factors[1], factors[2])
    pooled: torch.Tensor = torch.nn.functional.avg_pool3d(
        prepared[None], factors, ceil_mode=True, count_include_pad=False
    )[0]
    return pooled


def wanted_outputs(how: Export, names: Sequence[str]) -> dict[int, str]:
    """The outputs that the label map shows: index and name.

    Args:
        how: With the meaning of the outputs.
        names: Of the outputs.
    """
    values, shift = how.meaning.values, int(how.meaning.regions)
    shown = (index for index in range(len(names)) if values[index + shift] != values[0])
    return {index: names[index] for index in shown}


def seen_in(slabs: Iterable[Slab], wanted: Sequence[int], *, regions: bool) -> NDArray[np.int16]:
    """The wanted output that each voxel of the first pass may be (z, y, x); -1 for none.

    Args:
        slabs: The logits of the first pass.
        wanted: Outputs.
        regions: Whether outputs overlap, each a sigmoid.
    """
    made = []
    for slab in slabs:
        logits = slab.logits[:, slab.repeated :]
        best, which = logits[list(wanted)].max(dim=0)
        others = [index for index in range(len(logits)) if index not in wanted]
        rival = 0.0 if regions or not others else logits[others].amax(dim=0)
        codes = torch.where(best > rival - _HINT, torch.tensor(wanted, device=which.device)[which], -1)
        made.append(codes.to(torch.int16).cpu().numpy())
    return np.concatenate(made)


def choose(seen: NDArray[np.int16], names: Mapping[int, str], rule: Region, grid: Grid) -> Chosen:
    """The part of the prepared image that is predicted.

    Args:
        seen: The wanted output of each voxel of the first pass; -1 for none.
        names: Every wanted output and its name.
        rule: The preset's.
        grid: Of the prepared image.
    """
    mask = _without_specks(seen)
    if not mask.any():
        return Chosen(None, "the first pass found nothing")
    missed = _missed({names[int(code)] for code in np.unique(seen[mask])}, names.values())
    if missed and rule.needs_every_class:
        return Chosen(None, f"the first pass did not find {missed[0]}")
    factors = [ceil(size / length) for size, length in zip(grid.shape, seen.shape, strict=True)]
    bounds = []
    for axis, (first, stop) in enumerate(box_of(mask)):
        margin = ceil(rule.margin_mm / grid.spacing_mm[axis])
        low, high = first * factors[axis] - margin, stop * factors[axis] + margin
        bounds.append(_filled(low, high, grid, axis))
    part = bounds[0], bounds[1], bounds[2]
    shape = part[0][1] - part[0][0], part[1][1] - part[1][0], part[2][1] - part[2][0]
    if grid.tiles(shape) > (1 - _LEAST_SAVED) * grid.tiles(grid.shape):
        return Chosen(None, "the region is nearly the whole image")
    return Chosen(part, "found by a first pass")


def reaches_border(labels: NDArray[np.generic], box: Box, full: Box) -> bool:
    """Whether something was found at a face of the box that lies inside the image.

    What is small beside the largest piece of the same label does not count, as in the first pass.

    Args:
        labels: (z, y, x) of the whole image; 0 is background.
        box: What was predicted, in voxels.
        full: What would have been without a region.
    """
    inside = labels[tuple(slice(*bounds) for bounds in box)]
    faces = [
        (axis, end)
        for axis, (own, whole) in enumerate(zip(box, full, strict=True))
        for end in (0, -1)
        if own[end] != whole[end]
    ]
    reaching = {value for axis, end in faces for value in np.unique(inside.take(end, axis=axis)) if value}
    return any(_large_piece_reaches(inside == value, faces) for value in reaching)


def _large_piece_reaches(mask: NDArray[np.bool_], faces: Sequence[tuple[int, int]]) -> bool:
    large = _large_pieces(mask)
    return any(large.take(end, axis=axis).any() for axis, end in faces)


def _without_specks(seen: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Where something was found, without what is small beside the largest piece of the same class."""
    mask = np.zeros(seen.shape, bool)
    for code in np.unique(seen[seen >= 0]):
        mask |= _large_pieces(seen == code)
    return mask


def _large_pieces(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without what is small beside the largest piece."""
    pieces, _ = ndimage.label(mask)
    volumes = np.bincount(pieces.ravel())
    volumes[0] = 0
    kept: NDArray[np.bool_] = (volumes >= _SMALLEST_PIECE * volumes.max())[pieces] & mask
    return kept


def _missed(found: set[str], wanted: Iterable[str]) -> list[str]:
    """What was not found and is no part of what was found; in order."""
    return [name for name in wanted if not found.intersection(containers(name))]


def _filled(low: int, high: int, grid: Grid, axis: int) -> tuple[int, int]:
    """A stretch of an axis, grown to what the tiles that it needs anyway can hold, within the image."""
    size, tile, step = grid.shape[axis], grid.patch[axis], grid.steps[axis]
    low, high = max(0, low), min(size, high)
    if tile > 1:
        more = max(0, ceil((high - low - tile) / (tile * step)))
        length = min(size, tile + int(more * tile * step))
        spare = max(0, length - (high - low))
        low = min(max(0, low - spare // 2), size - max(length, high - low))
        high = low + max(length, high - low)
    return low, high
