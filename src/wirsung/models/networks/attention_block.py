"""Attention layers on a feature map that change nothing at first: the block of PanSegNet-2."""

from typing import Literal

import torch
from torch import nn

from wirsung.models.networks.attention import linear_attention, softmax_attention
from wirsung.models.networks.positions import angles, turned

Mixing = Literal["softmax", "linear", "conv"]
"""How a layer mixes voxels; conv, which mixes neighbours only, is the control. All have equal parameters."""

_WIDEST_HEAD = 32
_KERNEL = 3


class AttentionBlock(nn.Module):
    """Layers in a row on a feature map (B, C, d, h, w), of any size."""

    def __init__(self, channels: int, mixing: Mixing, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(AttentionLayer(channels, mixing) for _ in range(layers))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The feature map after the layers."""
        grid = features.permute(0, 2, 3, 4, 1)
        for layer in self.layers:
            grid = layer(grid)
        return grid.permute(0, 4, 1, 2, 3)


class AttentionLayer(nn.Module):
    """Mixing of voxels, then of channels, each behind its norm and added with a scale that begins at zero.

    Voxels are (B, d, h, w, C), in and out. One depthwise convolution serves twice: added to what the mixing
    reads it tells where a voxel is, and what the mixing makes of it keeps the details that a mean loses.
    """

    def __init__(self, channels: int, mixing: Mixing) -> None:
        super().__init__()
        self.norm_mix = nn.LayerNorm(channels)
        self.local = Depthwise(channels)
        self.mix = ConvMixing(channels) if mixing == "conv" else HeadMixing(channels, mixing)
        self.scale_mix = nn.Parameter(torch.zeros(channels))
        self.norm_feed = nn.LayerNorm(channels)
        self.feed = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )
        self.scale_feed = nn.Parameter(torch.zeros(channels))

    def forward(self, grid: torch.Tensor) -> torch.Tensor:
        """The voxels after this layer."""
        normed = self.norm_mix(grid)
        local = self.local(normed)
        grid = grid + self.scale_mix * self.mix(normed + local, local)
        made: torch.Tensor = grid + self.scale_feed * self.feed(self.norm_feed(grid))
        return made


class HeadMixing(nn.Module):
    """Attention between all voxels, and beside it what a convolution sees of the neighbours."""

    def __init__(self, channels: int, mixing: Mixing) -> None:
        super().__init__()
        self.heads = heads_of(channels)
        self.mixing = mixing
        self.query = nn.Linear(channels, channels)
        # Without bias: exact attention does not depend on it.
        self.key = nn.Linear(channels, channels, bias=False)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, grid: torch.Tensor, local: torch.Tensor) -> torch.Tensor:
        """Two times (B, d, h, w, C) to the same shape."""
        query, key, value = (self._split(part(grid)) for part in (self.query, self.key, self.value))
        if self.mixing == "softmax":
            by = angles(grid.shape[1:4], query.shape[-1], grid.device)
            mixed = softmax_attention(turned(query, by), turned(key, by), value)
        else:
            mixed = linear_attention(query, key, value)
        made: torch.Tensor = self.out(mixed.transpose(1, 2).reshape(grid.shape) + local)
        return made

    def _split(self, grid: torch.Tensor) -> torch.Tensor:
        batch, *_, channels = grid.shape
        return grid.reshape(batch, -1, self.heads, channels // self.heads).transpose(1, 2)


class ConvMixing(nn.Module):
    """The control: as many parameters as `HeadMixing`, but no voxel sees further than its neighbours."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.wide = nn.Linear(channels, 2 * channels)
        self.narrow = nn.Linear(2 * channels, channels)

    def forward(self, grid: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        """Two times (B, d, h, w, C) to the same shape; the neighbours are in the first already."""
        made: torch.Tensor = self.narrow(nn.functional.gelu(self.wide(grid)))
        return made


class Depthwise(nn.Module):
    """A convolution of each channel with itself: (B, d, h, w, C) to the same shape.

    As it pads with zeros, a voxel learns how far the border is: a position that fits any size.

    Source:
        Chu et al. 2021, arXiv:2102.10882 (positions from a depthwise convolution).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, channels, _KERNEL, padding=_KERNEL // 2, groups=channels)

    def forward(self, grid: torch.Tensor) -> torch.Tensor:
        """The convolved voxels."""
        made: torch.Tensor = self.conv(grid.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)
        return made


def heads_of(channels: int) -> int:
    """How many heads: as wide as possible, up to 32 channels each.

    Example:
        >>> heads_of(320), heads_of(48), heads_of(12)
        (10, 2, 1)
    """
    widest = max(size for size in range(1, min(channels, _WIDEST_HEAD) + 1) if channels % size == 0)
    return channels // widest
