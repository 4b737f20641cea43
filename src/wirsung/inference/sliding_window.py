"""The sliding window: overlapping tiles, each weighted towards its centre, as nnU-Net lays them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations, islice, product
from typing import TypeVar

import numpy as np
import torch
from scipy import ndimage

from wirsung.inference.known_tiles import Background, KnownTiles, TileCount
from wirsung.inference.presets import Steps
from wirsung.models.plans import Shape

T = TypeVar("T")
R = TypeVar("R")
Network = Callable[[torch.Tensor], torch.Tensor]
"""(tile, channel, z, y, x) to logits (tile, class, z, y, x)."""


@dataclass(frozen=True)
class Slab:
    """Finished logits of some rows along the first axis."""

    first: int
    """Row of the image that the logits begin with."""
    repeated: int
    """How many of its first rows the slab before had too, so that one can interpolate between slabs."""
    logits: torch.Tensor
    """(output, z, y, x), which the next slab overwrites."""

    @property
    def stop(self) -> int:
        """One past its last row."""
        return self.first + self.logits.shape[1]


@dataclass(frozen=True)
class Tiling:
    """How an image is cut into tiles."""

    patch: Shape
    """The shape that the network was trained on."""
    outputs: int
    """Of the network."""
    step: float | Steps = 0.5
    """How far tiles are apart at most, as a fraction of the patch or one an axis; above 0, at most 1."""
    tiles_at_once: int = 1
    """Tiles in one batch."""
    workers: int = 1
    """Batches computed at the same time, each in a thread; the sum does not depend on it."""


def sliding_window(
    network: Network,
    image: torch.Tensor,
    patch: Shape,
    *,
    classes: int,
    step: float | Steps = 0.5,
    tiles_at_once: int = 1,
) -> torch.Tensor:
    """The logits (class, z, y, x) of an image (channel, z, y, x), in float32 on the image's device.

    Args:
        network: Called with tiles of the patch's shape.
        image: Normalised; padded with 0 where it is smaller than a patch.
        patch: The shape that the network was trained on.
        classes: Outputs of the network, background included.
        step: How far tiles are apart at most, as a fraction of the patch; above 0, at most 1.
        tiles_at_once: Tiles in one batch.

    Source:
        `nnUNetPredictor._internal_predict_sliding_window_return_logits` of nnU-Net 2.8, which adds up in
        float16 where this one does in float32.
    """
    parts = [
        slab.logits[:, slab.repeated :].clone()
        for slab in slabs(network, image, Tiling(patch, classes, step, tiles_at_once))
    ]
    return torch.cat(parts, dim=1)


def slabs(
    network: Network,
    image: torch.Tensor,
    tiling: Tiling,
    *,
    background: Background | None = None,
    count: TileCount | None = None,
) -> Iterator[Slab]:
    """The logits of an image as soon as no later tile touches them, from the first row to the last.

    Only as many rows as a patch has, and one, ever exist. Of tiles that are all one value, only the first is
    computed.

    Args:
        network: Called with tiles of the patch's shape.
        image: (channel, z, y, x), normalised; padded with 0 where it is smaller than a patch.
        tiling: How it is cut into tiles.
        background: Tiles that are not computed at all.
        count: Counts the tiles.
    """
    padded, inner = _padded(image, tiling.patch)
    shape = padded.shape[1], padded.shape[2], padded.shape[3]
    first, last = inner[0].start, inner[0].stop
    starts_z, *others = tile_starts(shape, tiling.patch, tiling.step)
    window = _Window(tiling, shape, image.device)
    groups = [[(z, y, x) for y, x in product(*others)] for z in starts_z]
    starts = [start for group in groups for start in group]
    offset = inner[0].start, inner[1].start, inner[2].start
    known = KnownTiles.of(padded, starts, tiling.patch, offset=offset, background=background, count=count)
    made = known.answers(starts, _computed(network, padded, tiling, known.to_compute(starts)))
    done = first
    for index, group in enumerate(groups):
        for start, logits in islice(made, len(group)):
            window.add(start, logits)
        stop = min(last, starts_z[index + 1] if index + 1 < len(groups) else last)
        if stop > done:
            repeated = int(done > first)
            rows = window.finished(done, stop, repeated)
            yield Slab(done - first - repeated, repeated, rows[:, :, inner[1], inner[2]])
            done = stop
        if index + 1 < len(groups):
            window.advance(starts_z[index + 1])


class _Window:
    """The rows that tiles are being added to, and the one before them."""

    def __init__(self, tiling: Tiling, shape: Shape, device: torch.device) -> None:
        self.tiling, self.first = tiling, 0
        rows = min(tiling.patch[0], shape[0]) + 1
        if device.type == "cpu":
            # The outputs of one place side by side: so do networks on a CPU answer, and so is exported.
            self.total = torch.zeros((rows, *shape[1:], tiling.outputs)).permute(3, 0, 1, 2)
        else:
            self.total = torch.zeros((tiling.outputs, rows, *shape[1:]), device=device)
        self.weights = torch.zeros((rows, *shape[1:]), device=device)
        self.weight = gaussian(tiling.patch).to(device)

    def add(self, start: Shape, logits: torch.Tensor) -> None:
        """One tile, weighted."""
        z, y, x = (slice(at, at + size) for at, size in zip(start, self.tiling.patch, strict=True))
        rows = slice(z.start - self.first + 1, z.stop - self.first + 1)
        self.total[:, rows, y, x].addcmul_(logits.float(), self.weight)
        self.weights[rows, y, x] += self.weight

    def finished(self, first: int, stop: int, repeated: int) -> torch.Tensor:
        """Some rows, divided by their weights, and the last ones of the time before."""
        rows = slice(first - self.first + 1, stop - self.first + 1)
        self.total[:, rows] /= self.weights[rows]
        return self.total[:, rows.start - repeated : rows.stop]

    def advance(self, first: int) -> None:
        """Let the window begin at a later row."""
        step = first - self.first
        kept = len(self.weights) - step
        for rows in (self.total.permute(1, 2, 3, 0), self.weights):
            # Row by row, as the two places overlap.
            for row in range(kept):
                rows[row] = rows[row + step]
            rows[kept:] = 0
        self.first = first


def _computed(
    network: Network, padded: torch.Tensor, tiling: Tiling, starts: Sequence[Shape]
) -> Iterator[torch.Tensor]:
    """The logits of each tile, in order; some are computed ahead."""

    def answer(group: Sequence[Shape]) -> torch.Tensor:
        places = [
            tuple(slice(at, at + size) for at, size in zip(start, tiling.patch, strict=True))
            for start in group
        ]
        return network(torch.stack([padded[:, *place] for place in places]))

    for batch in ahead(answer, _groups(starts, tiling.tiles_at_once), tiling.workers):
        yield from batch


def ahead(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """The function's answers in order, as many computed at a time as there are workers, one a thread.

    Example:
        >>> list(ahead(abs, [-1, 2, -3], 2))
        [1, 2, 3]
    """
    if workers <= 1:
        yield from map(function, items)
        return
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(torch.inference_mode()(function), item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            torch.set_num_threads(threads)


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


def tile_starts(shape: Shape, patch: Shape, step: float | Steps) -> tuple[list[int], list[int], list[int]]:
    """The first voxel of each tile along z, y and x, evenly spread from border to border.

    Source:
        `compute_steps_for_sliding_window` of nnU-Net 2.8.

    Example:
        >>> tile_starts((110, 64, 65), (64, 64, 64), 0.5)
        ([0, 23, 46], [0], [0, 1])
    """
    steps = step if isinstance(step, tuple) else (step, step, step)
    z, y, x = (_starts(*values) for values in zip(shape, patch, steps, strict=True))
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
    if tile == 1:
        return list(range(size))
    count = int(np.ceil((size - tile) / (tile * step))) + 1
    if count == 1:
        return [0]
    return [int(np.round((size - tile) / (count - 1) * index)) for index in range(count)]


def _padded(image: torch.Tensor, patch: Shape) -> tuple[torch.Tensor, tuple[slice, slice, slice]]:
    """The image, at least as large as a patch, and where the image lies in it."""
    missing = [max(0, size - present) for size, present in zip(patch, image.shape[1:], strict=True)]
    if not any(missing):
        z, y, x = (slice(0, size) for size in image.shape[1:])
        return image, (z, y, x)
    before = [total // 2 for total in missing]
    after = [total - first for total, first in zip(missing, before, strict=True)]
    z, y, x = (slice(first, first + size) for first, size in zip(before, image.shape[1:], strict=True))
    pads = [before[2], after[2], before[1], after[1], before[0], after[0]]
    return torch.nn.functional.pad(image, pads), (z, y, x)


def _groups(starts: Sequence[Shape], size: int) -> Iterator[Sequence[Shape]]:
    for first in range(0, len(starts), size):
        yield starts[first : first + size]
