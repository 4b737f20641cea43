"""MedFormer: every voxel attends to a few tokens and they to it, at the three coarser scales of a U-Net.

Names and shapes are those of the released code (CBIM-Medical-Image-Segmentation, Apache-2.0), so that its
weights can be imported; the code is written anew. Left out are three weights whose answer the released
network never uses: the tokens' way into the two finest scales of the decoder, and the last block's update of
its tokens.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from wirsung.errors import ConfigError
from wirsung.models.networks.medformer_attention import Attending, MapFusion, MapMaking
from wirsung.models.networks.medformer_blocks import (
    Activation,
    ConvBlock,
    PatchMerging,
    Sizes,
    Stem,
    enlarged,
)
from wirsung.models.networks.supervision import Switch
from wirsung.models.networks.topology import check_divisible, topology_of
from wirsung.models.plans import Configuration, Shape

Auxiliary = Literal["every", "released", "none"]

_SCALES = 4
_ATTENDS = (False, True, True, True, True, True, False, False)
"""Which of the eight stages have tokens: three on the way down and two on the way up."""
_HEAD_CHANNELS = 32
"""Of a head in every released configuration."""


class MedFormer(nn.Module):
    """MedFormer of the released size: (batch, channel, D, H, W) to logits (batch, class, D, H, W).

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        deep_supervision: Whether it answers at several resolutions, full resolution first.
        strides: Of the full resolution, 1, and of the four steps down; 1 or 2 along each axis.
        kernel_sizes: At full resolution and at each scale below.
        stem_channels: At full resolution on the way down.
        channels: Of the four scales on the way down and the four on the way up.
        conv_blocks: Convolutional blocks at each of the eight.
        transformer_blocks: Attending blocks at each of the eight; at least one at the second to the sixth,
            none at the others.
        heads: Attention heads at each of the eight.
        map_size: Tokens along each axis.
        fusion: Width, depth and heads of the transformer that joins the tokens of the three scales.
        activation: relu as released, or gelu.
        auxiliary: Which further answers it has for training: every, at each resolution that nnU-Net's loss
            weighs; released, one of a quarter of the resolution, enlarged; none.

    Raises:
        ConfigError: Deep supervision is asked for where there is no auxiliary answer, or lists differ in
            length.

    Source:
        Gao et al. 2022 (arXiv:2203.00131); sizes of the released configuration for AMOS CT.
    """

    def __init__(  # noqa: PLR0913 - each is a key of the plans
        self,
        input_channels: int,
        num_classes: int,
        *,
        deep_supervision: bool = False,
        strides: Sequence[Sequence[int]] = ((1, 1, 1), *((2, 2, 2),) * 4),
        kernel_sizes: Sequence[Sequence[int]] = ((3, 3, 3),) * 5,
        stem_channels: int = 32,
        channels: Sequence[int] = (64, 128, 256, 320, 256, 128, 64, 32),
        conv_blocks: Sequence[int] = (2, 1, 0, 0, 0, 1, 2, 2),
        transformer_blocks: Sequence[int] = (0, 1, 4, 6, 4, 1, 0, 0),
        heads: Sequence[int] = (1, 4, 8, 10, 8, 4, 1, 1),
        map_size: Sequence[int] = (4, 4, 4),
        fusion: Sequence[int] = (320, 2, 10),
        activation: Activation = "relu",
        auxiliary: Auxiliary = "every",
    ) -> None:
        super().__init__()
        if deep_supervision and auxiliary == "none":
            msg = "MedFormer without auxiliary answers has no deep supervision. Build it without."
            raise ConfigError(msg)
        _check(strides, kernel_sizes, (channels, conv_blocks, transformer_blocks, heads))
        sizes = [
            Sizes(conv_blocks[i], transformer_blocks[i], heads[i], _shape(map_size), activation)
            for i in range(2 * _SCALES)
        ]
        kernels = [_shape(item) for item in kernel_sizes]
        self.inc = Stem(input_channels, stem_channels, kernels[0], activation)
        down = [stem_channels, *channels[:_SCALES]]
        self.down1, self.down2, self.down3, self.down4 = (
            Down(down[i], down[i + 1], _shape(strides[i + 1]), kernels[i + 1], sizes[i])
            for i in range(_SCALES)
        )
        self.map_fusion = MapFusion(channels[1:_SCALES], *fusion)
        up = [down[_SCALES], *channels[_SCALES:]]
        self.up1, self.up2, self.up3, self.up4 = (
            Up((up[i], down[3 - i], up[i + 1]), kernels[3 - i], sizes[4 + i], updates_map=i == 0)
            for i in range(_SCALES)
        )
        self.auxiliary = auxiliary
        self.decoder = Switch()
        self.decoder.deep_supervision = deep_supervision
        self.outc = nn.Conv3d(channels[7], num_classes, 1)
        if auxiliary != "none":
            self.aux_out = nn.Conv3d(channels[5], num_classes, 1)
        if auxiliary == "every":
            self.half_out = nn.Conv3d(channels[6], num_classes, 1)
            self.eighth_out = nn.Conv3d(channels[4], num_classes, 1)

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """The logits; with deep supervision a list, full resolution first."""
        x0 = self.inc(image)
        x1, _ = self.down1(x0)
        x2, map2 = self.down2(x1)
        x3, map3 = self.down3(x2)
        x4, map4 = self.down4(x3)
        map2, map3, map4 = self.map_fusion([map2, map3, map4])
        eighth, tokens = self.up1(x4, x3, map4, map3)
        quarter, _ = self.up2(eighth, x2, tokens, map2)
        half, _ = self.up3(quarter, x1)
        full, _ = self.up4(half, x0)
        logits: Tensor = self.outc(full)
        if not self.decoder.deep_supervision:
            return logits
        if self.auxiliary == "released":
            coarse = self.aux_out(quarter)
            return [logits, enlarged(coarse, image.shape[2:])]
        return [logits, self.half_out(half), self.aux_out(quarter), self.eighth_out(eighth)]


class Down(nn.Module):
    """One scale on the way down; where it attends it answers with tokens too."""

    def __init__(self, channels: int, wanted: int, step: Shape, kernel: Shape, sizes: Sizes) -> None:
        super().__init__()
        self.patch_merging = PatchMerging(channels, wanted, step, kernel)
        blocks = (ConvBlock(wanted, wanted, kernel, sizes.activation) for _ in range(sizes.conv_blocks))
        self.conv_blocks = nn.Sequential(*blocks)
        attends = sizes.transformer_blocks > 0
        self.map_gen = MapMaking(wanted, sizes.map_size) if attends else None
        self.trans_blocks = Attending(wanted, wanted, kernel, sizes) if attends else None

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Voxels and tokens; no tokens are an empty tensor."""
        found = self.conv_blocks(self.patch_merging(image))
        if self.map_gen is None or self.trans_blocks is None:
            return found, found.new_empty(0)
        voxels, tokens = self.trans_blocks(found, self.map_gen(found))
        return voxels, tokens


class Up(nn.Module):
    """One scale on the way up: the coarser image is enlarged and joined with that of the way down."""

    def __init__(
        self,
        channels: tuple[int, int, int],
        kernel: Shape,
        sizes: Sizes,
        *,
        updates_map: bool = True,
    ) -> None:
        """Channels of the coarser image, of that of the way down, and of the answer."""
        super().__init__()
        joined, wanted = channels[0] + channels[1], channels[2]
        attends = sizes.transformer_blocks > 0
        self.map_reduction = nn.Conv3d(joined, wanted, 1, bias=False) if attends else None
        self.trans_blocks = (
            Attending(joined, wanted, kernel, sizes, updates_map=updates_map) if attends else None
        )
        widths = [wanted if attends else joined, *[wanted] * sizes.conv_blocks]
        pairs = pairwise(widths)
        blocks = (ConvBlock(before, after, kernel, sizes.activation) for before, after in pairs)
        self.conv_blocks = nn.Sequential(*blocks)

    def forward(
        self, coarse: Tensor, skip: Tensor, tokens: Tensor | None = None, known: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Voxels and tokens; `known` are the tokens of the way down."""
        found = torch.cat([enlarged(coarse, skip.shape[2:]), skip], dim=1)
        if self.trans_blocks is None or self.map_reduction is None or tokens is None or known is None:
            return self.conv_blocks(found), found.new_empty(0)
        joined = self.map_reduction(torch.cat([tokens, known], dim=1))
        voxels, tokens = self.trans_blocks(found, joined)
        return self.conv_blocks(voxels), tokens


def fit(configuration: Configuration) -> dict[str, Any]:
    """The arguments for a plan: its first four steps down, its kernels and its features.

    The plan's features are the released ones where nnU-Net's are 32 to 320; a head has 32 channels.

    Raises:
        ConfigError: The patch is no multiple of the four steps, or a single voxel would be left.
    """
    topology = topology_of(configuration)
    strides = [*topology.strides, *[(2, 2, 2)] * _SCALES][: _SCALES + 1]
    kernels = [*topology.kernels, *[(3, 3, 3)] * _SCALES][: _SCALES + 1]
    features = [*topology.features, *[topology.features[-1]] * _SCALES][: _SCALES + 1]
    divisor = [math.prod(item[axis] for item in strides) for axis in range(3)]
    check_divisible(configuration.patch_size, divisor, "MedFormer")
    if tuple(configuration.patch_size) == tuple(divisor):
        larger = " x ".join(str(2 * size) for size in divisor)
        msg = f"MedFormer would be left with one voxel of this patch. A patch of {larger} would do."
        raise ConfigError(msg)
    channels = [*features[1:], *features[-2::-1]]
    heads = [_heads(width) if attends else 1 for width, attends in zip(channels, _ATTENDS, strict=True)]
    return {
        "strides": [list(item) for item in strides],
        "kernel_sizes": [list(item) for item in kernels],
        "stem_channels": features[0],
        "channels": channels,
        "heads": heads,
        "fusion": [features[-1], 2, _heads(features[-1])],
    }


def _heads(width: int) -> int:
    """As many heads of 32 channels as there are, or the next fewer that divide the width."""
    return max(count for count in range(1, max(1, width // _HEAD_CHANNELS) + 1) if width % count == 0)


def _check(
    strides: Sequence[Sequence[int]], kernels: Sequence[Sequence[int]], stages: Sequence[Sequence[int]]
) -> None:
    if len(strides) != _SCALES + 1 or len(kernels) != _SCALES + 1:
        msg = f"MedFormer needs {_SCALES + 1} strides and kernels, not {len(strides)} and {len(kernels)}."
        raise ConfigError(msg)
    if any(len(item) != 2 * _SCALES for item in stages):
        msg = f"MedFormer needs channels, blocks and heads for {2 * _SCALES} stages."
        raise ConfigError(msg)
    channels, _, attending, heads = stages
    if tuple(count > 0 for count in attending) != _ATTENDS:
        msg = "MedFormer attends at the second to the sixth of its eight stages, and only there."
        raise ConfigError(msg)
    if any(width % count for width, count in zip(channels, heads, strict=True)):
        msg = f"MedFormer's heads {list(heads)} must divide its channels {list(channels)}."
        raise ConfigError(msg)


def _shape(values: Sequence[int]) -> Shape:
    first, second, third = (int(value) for value in values)
    return first, second, third
