"""The convolutional parts of MedFormer, under the names of the released weights: (B, C, D, H, W) each."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from wirsung.models.plans import Shape

Activation = Literal["relu", "gelu"]

NORM_EPS = 1e-4
"""Of the norm before a convolution or a part of the transformer; elsewhere torch's."""

_EXPANSION = 4
"""Of the feed-forward part, in its input's channels."""
_SQUEEZE = 4


@dataclass(frozen=True)
class Sizes:
    """How much a stage holds."""

    conv_blocks: int
    transformer_blocks: int
    heads: int
    map_size: Shape
    """Tokens along each axis."""
    activation: Activation


class NormActConv(nn.Module):
    """Instance norm without weights, activation, convolution without bias."""

    def __init__(
        self,
        channels: int,
        wanted: int,
        kernel: Shape = (1, 1, 1),
        *,
        activation: Activation | None = "relu",
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm3d(channels, eps=NORM_EPS)
        self.act = _activation(activation)
        self.conv = nn.Conv3d(channels, wanted, kernel, padding=_half(kernel), groups=groups, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        """(B, channels, ...) to (B, wanted, ...)."""
        found: Tensor = self.conv(self.act(self.norm(image)))
        return found


class ConvBlock(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int, wanted: int, kernel: Shape, activation: Activation) -> None:
        super().__init__()
        self.conv1 = NormActConv(channels, wanted, kernel, activation=activation)
        self.conv2 = NormActConv(wanted, wanted, kernel, activation=activation)
        self.shortcut = (
            nn.Sequential()
            if channels == wanted
            else NormActConv(channels, wanted, kernel, activation=activation)
        )

    def forward(self, image: Tensor) -> Tensor:
        """(B, channels, ...) to (B, wanted, ...)."""
        found: Tensor = self.conv2(self.conv1(image)) + self.shortcut(image)
        return found


class Separable(nn.Module):
    """A convolution of each channel by itself, then one across channels."""

    def __init__(self, channels: int, wanted: int, kernel: Shape) -> None:
        super().__init__()
        self.depthwise = nn.Conv3d(
            channels, channels, kernel, padding=_half(kernel), groups=channels, bias=False
        )
        self.pointwise = nn.Conv3d(channels, wanted, 1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        """(B, channels, ...) to (B, wanted, ...)."""
        found: Tensor = self.pointwise(self.depthwise(image))
        return found


class SqueezeExcite(nn.Module):
    """Each channel times a factor between 0 and 1 that the means of all channels decide."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // _SQUEEZE)
        self.excitation = nn.Sequential(
            nn.Conv3d(channels, narrow, 1), nn.ReLU(), nn.Conv3d(narrow, channels, 1), nn.Sigmoid()
        )

    def forward(self, image: Tensor) -> Tensor:
        """The same shape."""
        found: Tensor = image * self.excitation(image.mean((2, 3, 4), keepdim=True))
        return found


class FeedForward(nn.Module):
    """An inverted bottleneck with squeeze and excitation, beside a shortcut."""

    def __init__(self, channels: int, kernel: Shape, activation: Activation) -> None:
        super().__init__()
        wide = _EXPANSION * channels
        self.expand_proj = NormActConv(channels, wide, activation=activation)
        self.depthwise = NormActConv(wide, wide, kernel, activation=activation, groups=wide)
        self.se = SqueezeExcite(wide)
        self.pointwise = NormActConv(wide, channels, activation=None)

    def forward(self, image: Tensor) -> Tensor:
        """The same shape."""
        found: Tensor = self.pointwise(self.se(self.depthwise(self.expand_proj(image)))) + image
        return found


class PatchMerging(nn.Module):
    """Neighbours become channels, which a separable convolution then mixes."""

    def __init__(self, channels: int, wanted: int, step: Shape, kernel: Shape) -> None:
        super().__init__()
        self.step = step
        self.norm = nn.InstanceNorm3d(prod(step) * channels)
        self.reduction = Separable(prod(step) * channels, wanted, kernel)

    def forward(self, image: Tensor) -> Tensor:
        """Each axis shorter by its step."""
        a, b, c = self.step
        neighbours = [image[:, :, i::a, j::b, k::c] for i in range(a) for j in range(b) for k in range(c)]
        found: Tensor = self.reduction(self.norm(torch.cat(neighbours, dim=1)))
        return found


class Stem(nn.Module):
    """The full resolution on the way down."""

    def __init__(self, channels: int, wanted: int, kernel: Shape, activation: Activation) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels, wanted, kernel, padding=_half(kernel), bias=False)
        self.conv2 = ConvBlock(wanted, wanted, kernel, activation)

    def forward(self, image: Tensor) -> Tensor:
        """(B, wanted, D, H, W)."""
        found: Tensor = self.conv2(self.conv1(image))
        return found


def enlarged(image: Tensor, shape: Sequence[int]) -> Tensor:
    """The image on a finer grid whose corner voxels are its own."""
    return functional.interpolate(image, tuple(shape), mode="trilinear", align_corners=True)


def _half(kernel: Shape) -> Shape:
    """The padding that keeps the size."""
    return kernel[0] // 2, kernel[1] // 2, kernel[2] // 2


def _activation(name: Activation | None) -> nn.Module:
    return {"relu": nn.ReLU(), "gelu": nn.GELU(), None: nn.Identity()}[name]
