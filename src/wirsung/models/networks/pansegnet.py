"""PanSegNet as released: nnU-Net v1's U-Net with a Transformer of linear attention behind its bottleneck.

Names are those of the released network, so that its checkpoints load key for key. What is odd in it is kept:
no residual around the block, attention rows that sum to 1/sqrt(d_k), a position table of fixed length, layers
that all begin alike. `pansegnet2` is the network without these; docs/concepts/pansegnet.md compares them.
"""

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from wirsung.errors import ConfigError
from wirsung.models.networks import unet_v1
from wirsung.models.networks.topology import check_divisible, divisor_of
from wirsung.models.networks.unet_v1 import UNetV1
from wirsung.models.plans import Configuration

_EPS = 1e-6
"""Of the layer norms."""
_BASE = 10_000.0
"""Of the wavelengths of the position table."""


class PanSegNet(UNetV1):
    """The released PanSegNet: (B, channel, D, H, W) to logits (B, class, D, H, W).

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        patch_size: The only input size it takes.
        width: Channels of a token.
        heads: Of the attention.
        layers: Of the Transformer.
        dropout: Of the Transformer's branches.
        unet: The arguments of `UNetV1`.

    Source:
        Zhang, Keles et al. 2025, Medical Image Analysis 99:103382; the class `Generic_TransUNet` of
        NUBagciLab/PaNSegNet (Apache-2.0), from whose state dict the names are; written anew.
    """

    def __init__(  # noqa: PLR0913 - the words of a plan
        self,
        input_channels: int,
        num_classes: int,
        *,
        patch_size: Sequence[int],
        width: int = 512,
        heads: int = 8,
        layers: int = 8,
        dropout: float = 0.3,
        **unet: Any,  # noqa: ANN401 - as its parent says
    ) -> None:
        super().__init__(input_channels, num_classes, **unet)
        divisor = divisor_of(unet["strides"])
        check_divisible(patch_size, divisor, "PanSegNet with these strides")
        tokens = math.prod(size // unit for size, unit in zip(patch_size, divisor, strict=True))
        self.patch_size = tuple(patch_size)
        layer = SelfAttentionLayer(width, heads, dropout)
        self.self_atten = SelfAttentionBlock(unet["features_per_stage"][-1], tokens, layer, layers)

    def at_bottleneck(self, features: torch.Tensor) -> torch.Tensor:
        """The feature maps after the Transformer.

        Raises:
            ConfigError: The input had another size than the patch that the network was made for.
        """
        tokens = self.self_atten.pos_encode.pe.shape[1]
        if math.prod(features.shape[2:]) != tokens:
            patch = " x ".join(map(str, self.patch_size))
            msg = (
                f"This PanSegNet takes patches of {patch} voxels only, as its position table has {tokens} "
                f"rows, but the input has {math.prod(features.shape[2:])} tokens. Give it such patches, or "
                "train pansegnet-2, which takes any size."
            )
            raise ConfigError(msg)
        made: torch.Tensor = self.self_atten(features)
        return made


class SelfAttentionBlock(nn.Module):
    """A Transformer over the voxels of a feature map: (B, C, d, h, w) to the same shape, with no residual."""

    def __init__(self, channels: int, tokens: int, layer: "SelfAttentionLayer", layers: int) -> None:
        super().__init__()
        width = layer.linear1.in_features
        self.linear_proj = nn.Linear(channels, width)
        self.linear_back_proj = nn.Linear(width, channels)
        self.pos_encode = PositionTable(tokens, width)
        self.transformer = nn.Module()
        # Copies of one: the released network begins with equal layers.
        self.transformer.layers = nn.ModuleList(copy.deepcopy(layer) for _ in range(layers))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The feature maps after the Transformer."""
        shape = features.shape
        tokens = self.pos_encode(self.linear_proj(features.flatten(2).transpose(1, 2)))
        for layer in self.transformer.layers:  # type: ignore[union-attr]
            tokens = layer(tokens)
        made: torch.Tensor = self.linear_back_proj(tokens)
        return made.transpose(1, 2).reshape(shape)


class PositionTable(nn.Module):
    """Adds a fixed sinusoid to a row of tokens (B, n, width)."""

    pe: torch.Tensor

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.register_buffer("pe", sinusoids(tokens, width)[None])

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The tokens and their places."""
        return tokens + self.pe


class SelfAttentionLayer(nn.Module):
    """Attention and a feed-forward part, each with its norm after the sum: (B, n, width) to the same."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = SummedAttention(width, heads)
        self.linear1 = nn.Linear(width, width)
        self.linear2 = nn.Linear(width, width)
        self.layer_norm1 = nn.LayerNorm(width, eps=_EPS)
        self.layer_norm2 = nn.LayerNorm(width, eps=_EPS)
        self.dropout = dropout

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The tokens after this layer."""
        tokens = self.layer_norm1(tokens + self._dropped(self.self_attn(tokens)))
        inner = self._dropped(functional.gelu(self.linear1(tokens)))
        made: torch.Tensor = self.layer_norm2(tokens + self._dropped(self.linear2(inner)))
        return made

    def _dropped(self, tokens: torch.Tensor) -> torch.Tensor:
        return functional.dropout(tokens, self.dropout, self.training)


class SummedAttention(nn.Module):
    """Efficient attention as released: its rows sum to 1/sqrt(d_k), where Shen et al. have 1.

    Source:
        Shen et al. 2021, arXiv:1812.01243; the further division is the released network's.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        projection = nn.Linear(width, width)
        # Query, key, value and output; copies of one, as released.
        self.linears = nn.ModuleList(copy.deepcopy(projection) for _ in range(4))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, n, width) to the same shape."""
        *inputs, output = self.linears
        query, key, value = (item(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2) for item in inputs)
        weights = query.softmax(-1) / math.sqrt(query.shape[-1])
        context = key.softmax(-2).transpose(-2, -1) @ value
        made: torch.Tensor = output((weights @ context).transpose(1, 2).flatten(2))
        return made


def sinusoids(tokens: int, width: int) -> torch.Tensor:
    """The position table (tokens, width), -1 to 1: sines in even columns, cosines in odd ones.

    Source:
        Vaswani et al. 2017, section 3.5.

    Example:
        >>> sinusoids(2, 2)[0].tolist()
        [0.0, 1.0]
    """
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(_BASE) / width))
    angles = torch.arange(tokens)[:, None] * rates
    return torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)


def fit(configuration: Configuration) -> dict[str, Any]:
    """The arguments for nnU-Net's plan; plans that name this network keep what they say of it.

    Raises:
        ConfigError: The patch is no multiple of the strides, or leaves a single token at the bottleneck; the
            message says which patch would do.
    """
    made = unet_v1.fit(configuration)
    divisor = divisor_of(made["strides"])
    if tuple(configuration.patch_size) == divisor:
        doubled = " x ".join(str(2 * unit) for unit in divisor)
        msg = (
            f"PanSegNet attends between the voxels of its bottleneck, of which this patch leaves one. "
            f"A patch of {doubled} would do."
        )
        raise ConfigError(msg)
    architecture = configuration.architecture
    known = architecture.arguments if architecture.class_name.endswith(".PanSegNet") else {}
    own = {name: known[name] for name in ("width", "heads", "layers", "dropout") if name in known}
    return {"patch_size": list(configuration.patch_size), **own, **made}
