"""nnFormer: attention in local windows at the fine levels, over the whole patch at the coarsest.

An image (B, C, D, H, W) becomes tokens by four convolutions of stride `embedding_stride` in all; each level
has two blocks of attention and then a step to half the size and twice the width. On the way up the first
block of a level is skip attention: the decoder's tokens ask, the encoder's answer. Every level has logits for
deep supervision.

What differs from the released code, which is under the MIT licence and was read, not copied:

- the index of the relative positions has the strides of an array (there the first is 3w-1 in place of
  (2w-1)^2, so that different offsets share a bias);
- padding is masked, so that no token attends to what is not there;
- windows are cut to the grid, and shifted, axis by axis;
- the steps between levels follow nnU-Net's plan, and the window of the coarsest level is the whole patch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from wirsung.errors import ConfigError
from wirsung.models.networks.depth import topology_of_depth
from wirsung.models.networks.topology import topology_of
from wirsung.models.networks.windows import WindowAttention
from wirsung.models.plans import Configuration

_HEADS = 6
"""At the finest level, doubled at each below; a head is as wide as the plan's first stage (the paper: 32)."""
_LEVELS = 4
_EMBEDDED = 2
"""Steps of the plan that the embedding takes in one."""
_FEWEST_STEPS = 3
_WINDOW = 4
_MLP = 4
"""Width of the hidden layer, in widths of a token."""


class NnFormer(nn.Module):
    """nnFormer, by default as released for Synapse (patch 64 x 128 x 128).

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        deep_supervision: Whether it answers at every level of the decoder, full resolution first.
        embedding_stride: By how much the image is larger than the finest grid of tokens.
        strides: [1, 1, 1] and then each step down between levels; nnU-Net reads the scales of deep
            supervision off them.
        channels: Of a token at the finest level; doubled at each level below.
        heads: A level; they divide its width.
        depths: Blocks a level.
        windows: Tokens along each axis, a level; the last should hold the whole patch.
        drop_path: Chance that training skips the deepest block; it grows linearly from 0.

    Raises:
        ConfigError: The lists differ in length, or a level's heads don't divide its width.

    Source:
        Zhou et al., nnFormer: Volumetric Medical Image Segmentation via a 3D Transformer (arXiv 2109.03201);
        widths, depths and windows from the released configuration for Synapse.
    """

    def __init__(  # noqa: PLR0913 - each is a key of the plans
        self,
        input_channels: int,
        num_classes: int,
        *,
        deep_supervision: bool = False,
        embedding_stride: Sequence[int] = (2, 4, 4),
        strides: Sequence[Sequence[int]] = ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2)),
        channels: int = 192,
        heads: Sequence[int] = (6, 12, 24, 48),
        depths: Sequence[int] = (2, 2, 2, 2),
        windows: Sequence[Sequence[int]] = ((4, 4, 4), (4, 4, 4), (8, 8, 8), (4, 4, 4)),
        drop_path: float = 0.2,
    ) -> None:
        super().__init__()
        if len({len(strides), len(heads), len(depths), len(windows)}) > 1:
            msg = "nnFormer needs as many heads, depths and windows as strides."
            raise ConfigError(msg)
        levels = [
            _Level(channels * 2**number, *of_level)
            for number, of_level in enumerate(zip(heads, depths, windows, strides, strict=True))
        ]
        self.embedding = _Embedding(input_channels, channels, embedding_stride)
        self.encoder = _Encoder(levels, drop_path)
        self.decoder = _Decoder(levels[:-1], levels[1:], drop_path)
        self.decoder.heads = nn.ModuleList(
            nn.ConvTranspose3d(level.width, num_classes, _shape(embedding_stride), _shape(embedding_stride))
            for level in levels[:-1]
        )
        self.decoder.deep_supervision = deep_supervision

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Logits of the image's size, or with deep supervision a list that begins with them."""
        answer: Tensor | list[Tensor] = self.decoder(self.encoder(self.embedding(image)))
        return answer

    @staticmethod
    def initialize(module: nn.Module) -> None:
        """Fresh weights: truncated normal for linear layers, He's for convolutions, 0 for offsets."""
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
        elif isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            nn.init.kaiming_normal_(module.weight, a=1e-2)
        if isinstance(module, nn.Linear | nn.Conv3d | nn.ConvTranspose3d) and module.bias is not None:
            nn.init.zeros_(module.bias)


def fit(configuration: Configuration) -> dict[str, Any]:
    """The arguments of `NnFormer` for nnU-Net's plan.

    The plan's first two steps down are taken in one by the embedding, the next three lie between the levels.
    Of only three steps the embedding takes one, for nnU-Net's deep supervision needs logits at two levels.
    Six heads of the plan's first width make the finest tokens: 192 channels where nnU-Net has 32 features.

    Raises:
        ConfigError: The patch is too small for three steps down, or the strides don't divide it.
    """
    planned = len(topology_of(configuration).strides) - 1
    down = min(max(planned, _FEWEST_STEPS), _EMBEDDED + _LEVELS - 1)
    topology = topology_of_depth(configuration, down, "nnFormer")
    embedded = min(_EMBEDDED, down - _FEWEST_STEPS + 1)
    embedding = [prod(item[axis] for item in topology.strides[: embedded + 1]) for axis in range(3)]
    steps = [list(item) for item in topology.strides[embedded + 1 :]]
    grid = [size // by for size, by in zip(configuration.patch_size, embedding, strict=True)]
    windows: list[list[int]] = []
    for number, stride in enumerate([[1, 1, 1], *steps]):
        grid = [size // by for size, by in zip(grid, stride, strict=True)]
        width = max(grid) if number == len(steps) else _WINDOW * (2 if number == _LEVELS - 2 else 1)
        windows.append([min(width, size) for size in grid])
    return {
        "embedding_stride": embedding,
        "strides": [[1, 1, 1], *steps],
        "channels": _HEADS * topology.features[0],
        "heads": [_HEADS * 2**number for number in range(len(windows))],
        "depths": [2] * len(windows),
        "windows": windows,
    }


@dataclass(frozen=True)
class _Level:
    """One grid of tokens."""

    width: int
    heads: int
    depth: int
    window: Sequence[int]
    stride: Sequence[int]
    """From the level above."""

    def __post_init__(self) -> None:
        if self.width % self.heads:
            msg = f"nnFormer can't split {self.width} channels into {self.heads} heads."
            raise ConfigError(msg)


class _Embedding(nn.Module):
    """Four convolutions of 3 x 3 x 3, the first and the third with stride: (B, C, D, H, W) to tokens."""

    def __init__(self, input_channels: int, width: int, stride: Sequence[int]) -> None:
        super().__init__()
        first = _shape([2 if by % 2 == 0 else 1 for by in stride])
        second = _shape([by // taken for by, taken in zip(stride, first, strict=True)])
        half = width // 2
        self.convolutions = nn.ModuleList(
            [
                nn.Conv3d(input_channels, half, 3, first, padding=1),
                nn.Conv3d(half, half, 3, padding=1),
                nn.Conv3d(half, width, 3, second, padding=1),
                nn.Conv3d(width, width, 3, padding=1),
            ]
        )
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in (half, half, width, width))

    def forward(self, image: Tensor) -> Tensor:
        """Tokens, (B, depth, height, width, channels)."""
        last = len(self.convolutions) - 1
        for number, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            image = convolution(image)
            tokens = (image if number == last else nn.functional.gelu(image)).movedim(1, -1)
            image = norm(tokens).movedim(-1, 1)
        return image.movedim(1, -1)


class _Encoder(nn.Module):
    """The levels from fine to coarse; each answers with its normalised tokens."""

    def __init__(self, levels: Sequence[_Level], drop_path: float) -> None:
        super().__init__()
        rates = iter(_rates(levels, drop_path))
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                _Block(level, next(rates), shifted=bool(number % 2)) for number in range(level.depth)
            )
            for level in levels
        )
        self.norms = nn.ModuleList(nn.LayerNorm(level.width) for level in levels)
        self.down_norms = nn.ModuleList(nn.LayerNorm(level.width) for level in levels[:-1])
        self.downs = nn.ModuleList(
            nn.Conv3d(level.width // 2, level.width, 3, _shape(level.stride), padding=1)
            for level in levels[1:]
        )

    def forward(self, tokens: Tensor) -> list[Tensor]:
        """The tokens of each level, fine to coarse."""
        found = []
        for number, (blocks, norm) in enumerate(zip(self.blocks, self.norms, strict=True)):
            if number:
                activated = self.down_norms[number - 1](nn.functional.gelu(tokens))
                tokens = self.downs[number - 1](activated.movedim(-1, 1)).movedim(1, -1)
            for block in _listed(blocks):
                tokens = block(tokens)
            found.append(norm(tokens))
        return found


class _Decoder(nn.Module):
    """The levels from coarse to fine, and the logits of each."""

    heads: nn.ModuleList
    deep_supervision: bool

    def __init__(self, levels: Sequence[_Level], below: Sequence[_Level], drop_path: float) -> None:
        super().__init__()
        rates = _rates(levels, drop_path)
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                _Block(level, rates.pop(), shifted=number > 0, crossed=number == 0)
                for number in range(level.depth)
            )
            for level in levels
        )
        self.up_norms = nn.ModuleList(nn.LayerNorm(level.width) for level in below)
        self.ups = nn.ModuleList(
            nn.ConvTranspose3d(level.width, level.width // 2, _shape(level.stride), _shape(level.stride))
            for level in below
        )

    def forward(self, found: list[Tensor]) -> Tensor | list[Tensor]:
        """Logits of each level, fine to coarse, or the finest alone."""
        tokens = found[-1]
        answers: list[Tensor] = []
        for number in reversed(range(len(self.ups))):
            raised = self.ups[number](self.up_norms[number](tokens).movedim(-1, 1)).movedim(1, -1)
            skip = found[number]
            first, *others = _listed(self.blocks[number])
            tokens = first(raised + skip, skip, raised)
            for block in others:
                tokens = block(tokens)
            if self.deep_supervision or number == 0:
                answers.insert(0, self.heads[number](tokens.movedim(-1, 1)))
        return answers if self.deep_supervision else answers[0]


class _Block(nn.Module):
    """Attention and a two-layer perceptron, each normalised before and added to what came in."""

    def __init__(self, level: _Level, drop: float, *, shifted: bool, crossed: bool = False) -> None:
        super().__init__()
        self.drop = drop
        self.attention_norm = nn.LayerNorm(level.width)
        self.attention = WindowAttention(
            level.width, level.heads, level.window, shifted=shifted, crossed=crossed
        )
        self.norm = nn.LayerNorm(level.width)
        self.widen = nn.Linear(level.width, _MLP * level.width)
        self.narrow = nn.Linear(_MLP * level.width, level.width)

    def forward(self, tokens: Tensor, keys: Tensor | None = None, queries: Tensor | None = None) -> Tensor:
        """Tokens of the same grid; keys and queries only where the attention is crossed."""
        normed = self.attention_norm(tokens if keys is None else keys)
        asked = None if queries is None else self.attention_norm(queries)
        tokens = tokens + self._kept(self.attention(normed, asked))
        return tokens + self._kept(self.narrow(nn.functional.gelu(self.widen(self.norm(tokens)))))

    def _kept(self, branch: Tensor) -> Tensor:
        """The branch, or in training for some cases nothing; its mean stays."""
        if not self.training or self.drop == 0:
            return branch
        kept = torch.rand(len(branch), 1, 1, 1, 1, device=branch.device) >= self.drop
        return branch * (kept / (1 - self.drop)).to(branch.dtype)


def _rates(levels: Sequence[_Level], most: float) -> list[float]:
    """The chance to skip, of each block: from 0 up to the most."""
    blocks = sum(level.depth for level in levels)
    return [most * number / max(1, blocks - 1) for number in range(blocks)]


def _listed(modules: nn.Module) -> list[nn.Module]:
    """The modules of a list, which torch types as one module."""
    return list(modules.children())


def _shape(values: Sequence[int]) -> tuple[int, int, int]:
    first, second, third = (int(value) for value in values)
    return first, second, third
