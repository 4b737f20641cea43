"""The sliding window: overlapping tiles, each weighted towards its centre, as nnU-Net lays them."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, combinations, product

import numpy as np
import torch
from scipy import ndimage

from wirsung.models.plans import Shape

Network = Callable[[torch.Tensor], torch.Tensor]
"""(tile, channel, z, y, x) to logits (tile, class, z, y, x)."""


def sliding_window(
    network: Network,
    image: torch.Tensor,
    patch: Shape,
    *,
    classes: int,
    step: float = 0.5,
    tiles_at_once: int = 1,
) -> torch.Tensor:
    """The logits (class, z, y, x) of an image (channel, z, y, x), in float32 on the image's device.

    Args:
        network: Called with tiles of the patch's shape.
        image: Normalised; padded with 0 where it is smaller than a patch.
        patch: The shape that the network was trained on.
        classes: Background included.
        step: How far tiles are apart at most, as a fraction of the patch; above 0, at most 1.
        tiles_at_once: Tiles in one batch.

    Source:
        `nnUNetPredictor._internal_predict_sliding_window_return_logits` of nnU-Net 2.8, which adds up in
        float16 where this one does in float32.
    """
    padded, inner = _padded(image, patch)
    weight = gaussian(patch).to(image.device)
    total = torch.zeros((classes, *padded.shape[1:]), dtype=torch.float32, device=image.device)
    weights = torch.zeros(padded.shape[1:], dtype=torch.float32, device=image.device)
    starts = list(product(*tile_starts((padded.shape[1], padded.shape[2], padded.shape[3]), patch, step)))
    for group in _groups(starts, tiles_at_once):
        places = [tuple(slice(a, a + size) for a, size in zip(start, patch, strict=True)) for start in group]
        batch = torch.stack([padded[:, *place] for place in places])
        for logits, place in zip(network(batch), places, strict=True):
            total[:, *place] += logits.float() * weight
            weights[*place] += weight
    total /= weights
    return total[:, *inner]


def mirrored(network: Network, axes: Sequence[int]) -> Network:
    """A network that answers with the mean over every way to mirror along the axes (0 is z)."""
    ways = list(chain.from_iterable(combinations(axes, count) for count in range(len(axes) + 1)))

    def mean(batch: torch.Tensor) -> torch.Tensor:
        total = network(batch)
        for way in ways[1:]:
            flipped = [axis + 2 for axis in way]
            total = total + torch.flip(network(torch.flip(batch, flipped)), flipped)
        return total / len(ways)

    return mean


def tile_starts(shape: Shape, patch: Shape, step: float) -> tuple[list[int], list[int], list[int]]:
    """The first voxel of each tile along z, y and x, evenly spread from border to border.

    Source:
        `compute_steps_for_sliding_window` of nnU-Net 2.8.

    Example:
        >>> tile_starts((110, 64, 65), (64, 64, 64), 0.5)
        ([0, 23, 46], [0], [0, 1])
    """
    z, y, x = (_starts(size, tile, step) for size, tile in zip(shape, patch, strict=True))
    return z, y, x


@lru_cache(maxsize=4)
def gaussian(patch: Shape) -> torch.Tensor:
    """The weight of each voxel of a tile: a Gaussian of a width of an eighth of the patch, 1 in the centre.

    Source:
        `compute_gaussian` of nnU-Net 2.8; the common factor of 10 there cancels out.
    """
    impulse = np.zeros(patch)
    impulse[tuple(size // 2 for size in patch)] = 1
    blurred = ndimage.gaussian_filter(impulse, [size / 8 for size in patch], mode="constant")
    weight = torch.from_numpy(blurred / blurred.max()).float()
    return weight.clamp_min(float(weight[weight > 0].min()))


def _starts(size: int, tile: int, step: float) -> list[int]:
    count = int(np.ceil((size - tile) / (tile * step))) + 1
    if count == 1:
        return [0]
    return [int(np.round((size - tile) / (count - 1) * index)) for index in range(count)]


def _padded(image: torch.Tensor, patch: Shape) -> tuple[torch.Tensor, tuple[slice, slice, slice]]:
    """The image, at least as large as a patch, and where the image lies in it."""
    missing = [max(0, size - present) for size, present in zip(patch, image.shape[1:], strict=True)]
    if not any(missing):
        return image, (slice(None), slice(None), slice(None))
    before = [total // 2 for total in missing]
    after = [total - first for total, first in zip(missing, before, strict=True)]
    z, y, x = (slice(first, first + size) for first, size in zip(before, image.shape[1:], strict=True))
    pads = [before[2], after[2], before[1], after[1], before[0], after[0]]
    return torch.nn.functional.pad(image, pads), (z, y, x)


def _groups(starts: Sequence[Shape], size: int) -> Iterator[Sequence[Shape]]:
    for first in range(0, len(starts), size):
        yield starts[first : first + size]
