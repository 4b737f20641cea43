"""Tiles that need no network: those that are all one value, and those outside the body.

After normalisation, the air around a body and padding are often one single value, as CT is clipped. A network
always answers the same to the same tile, so one of them is computed and its answer taken for all. Resampling
leaves differences of the last digit of float32, which count as none.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from wirsung.models.plans import Shape

_SAME = 1e-5
"""Values that differ less, in spreads of the training intensities or by that fraction, count as equal."""

Values = tuple[float, ...]
"""Of a tile that is all one value, one a channel."""
Offset = Shape


@dataclass(frozen=True)
class Background:
    """Tiles that are known to hold nothing."""

    is_outside: Callable[[Shape], bool]
    """Whether the tile that begins at that voxel of the image is one."""
    logits: torch.Tensor
    """(output, 1, 1, 1): what is said of each of their voxels."""


@dataclass
class TileCount:
    """How often the network ran, and how often it need not."""

    computed: int = 0
    repeated: int = 0
    """All one value, as another tile that was computed."""
    outside: int = 0
    """Outside the body."""


@dataclass
class KnownTiles:
    """Which tiles of an image to compute, and the answers to the others."""

    constants: dict[Shape, Values]
    """Where tiles that are all one value begin."""
    outside: set[Shape]
    """Where tiles that hold nothing begin."""
    background: Background | None
    count: TileCount
    _answers: dict[Values, torch.Tensor] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        image: torch.Tensor,
        starts: Sequence[Shape],
        patch: Shape,
        *,
        offset: Offset = (0, 0, 0),
        background: Background | None = None,
        count: TileCount | None = None,
    ) -> "KnownTiles":
        """The tiles of an image.

        Args:
            image: (channel, z, y, x), padded.
            starts: Where the tiles begin.
            patch: Their shape.
            offset: Where the image begins in the padded one.
            background: What is known to hold nothing.
            count: Counts the tiles.
        """
        outside: set[Shape] = set()
        if background is not None:
            outside = {start for start in starts if background.is_outside(_less(start, offset))}
        left = [start for start in starts if start not in outside]
        return cls(constant_tiles(image, left, patch), outside, background, count or TileCount())

    def to_compute(self, starts: Iterable[Shape]) -> list[Shape]:
        """The tiles that the network must see: of equal ones the first."""
        seen: set[Values] = set()
        wanted = []
        for start in starts:
            values = self.constants.get(start)
            if start in self.outside or values in seen:
                continue
            if values is not None:
                seen.add(values)
            wanted.append(start)
        return wanted

    def answers(
        self, starts: Iterable[Shape], computed: Iterator[torch.Tensor]
    ) -> Iterator[tuple[Shape, torch.Tensor]]:
        """The logits of each tile, in order.

        Args:
            starts: All tiles.
            computed: The answers to those of `to_compute`.
        """
        starts = list(starts)
        left = Counter(self.constants[start] for start in starts if start in self.constants)
        for start in starts:
            values = self.constants.get(start)
            if start in self.outside and self.background is not None:
                self.count.outside += 1
                yield start, self.background.logits
            elif values in self._answers:
                self.count.repeated += 1
                yield start, self._answers[values]
            else:
                self.count.computed += 1
                made = next(computed)
                if values is not None:
                    self._answers[values] = made
                yield start, made
            if values is not None:
                left[values] -= 1
                if not left[values]:
                    self._answers.pop(values, None)


def constant_tiles(image: torch.Tensor, starts: Sequence[Shape], patch: Shape) -> dict[Shape, Values]:
    """Where the tiles begin that are all one value in each channel, and these values.

    Args:
        image: (channel, z, y, x), at least as large as a tile.
        starts: Where tiles begin.
        patch: Their shape.

    Example:
        >>> image = torch.tensor([[[[1.0, 1.0, 2.0, 2.0, 2.0]]]])
        >>> constant_tiles(image, [(0, 0, 0), (0, 0, 1), (0, 0, 2)], (1, 1, 2))
        {(0, 0, 0): (1.0,), (0, 0, 2): (2.0,)}
    """
    if not starts:
        return {}
    # A few voxels of each tile tell most apart, and on a GPU all at once.
    first = torch.tensor(starts, device=image.device)
    ends = [sorted({0, size // 2, size - 1}) for size in patch]
    probes = torch.cartesian_prod(*(torch.tensor(places, device=image.device) for places in ends))
    z, y, x = (first[:, None] + probes.reshape(-1, 3)[None]).unbind(-1)
    probed = image[:, z, y, x]
    spread = (probed - probed[..., :1]).abs().amax(dim=-1)
    candidates = (spread <= _limit(probed[..., 0])).all(dim=0).nonzero().ravel().tolist()
    found: dict[Shape, Values] = {}
    for index in candidates:
        place = tuple(slice(at, at + size) for at, size in zip(starts[index], patch, strict=True))
        if all(_is_one(channel) for channel in image[:, *place]):
            found[starts[index]] = tuple(_rounded(float(value)) for value in probed[:, index, 0])
    return found


def _is_one(values: torch.Tensor) -> bool:
    """Whether all voxels are the same."""
    first = values[0, 0, 0]
    return bool((values - first).abs().max() <= _limit(first))


def _limit(values: torch.Tensor) -> torch.Tensor:
    """How far others may lie from these values and count as equal."""
    return _SAME * values.abs().clamp_min(1)


def _rounded(value: float) -> float:
    """Without the digits that differences of the last digit reach."""
    unit = _SAME * max(1.0, abs(value))
    return float(f"{round(value / unit) * unit:.6g}")


def _less(start: Shape, offset: Offset) -> Shape:
    z, y, x = (at - before for at, before in zip(start, offset, strict=True))
    return z, y, x
