"""PanSegNet-2: nnU-Net's U-Net with attention at the bottleneck and at one finer stage.

It begins as exactly the U-Net: every attention layer is added with a scale that is zero at first. What it
mends of the released PanSegNet, and what was measured, is in docs/concepts/pansegnet.md.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from torch import nn

from wirsung.errors import ConfigError
from wirsung.models.networks import nnunet
from wirsung.models.networks.attention import cheaper
from wirsung.models.networks.attention_block import AttentionBlock
from wirsung.models.networks.topology import Topology, topology_of
from wirsung.models.networks.unet_v1 import check_stages
from wirsung.models.plans import Configuration

Encoder = Literal["plain", "residual"]
Attention = Literal["auto", "none", "softmax", "linear", "conv"]
"""auto takes for each stage what is cheaper there; the others are for ablations, conv being the control."""

_SHARE = 16
"""The finer stage holds at most one voxel-channel for so many of the full resolution; see `_finer_stage`."""
_LAYERS = {"bottleneck": 2, "finer": 1}


class PanSegNet2(nn.Module):
    """A U-Net with attention: (B, channel, D, H, W) to logits (B, class, D, H, W), for any size it can halve.

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        features_per_stage: Feature maps, full resolution first, bottleneck last.
        kernel_sizes: One a stage.
        strides: One a stage, that of the first stage is 1.
        blocks_per_stage: Convolutions, or residual blocks, of each encoder stage.
        blocks_per_stage_decoder: Convolutions of each decoder stage, the deepest first.
        attention_per_stage: none, softmax, linear or conv, one a stage.
        layers_per_stage: Attention layers, one number a stage.
        encoder: Of convolutions, or residual.
        deep_supervision: Whether it answers with a list, full resolution first, one a decoder stage.

    Source:
        Ours. The U-Nets are nnU-Net's: Isensee et al. 2021, and 2024 for the residual encoder.
    """

    def __init__(  # noqa: PLR0913 - the words of a plan
        self,
        input_channels: int,
        num_classes: int,
        *,
        features_per_stage: Sequence[int],
        kernel_sizes: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        blocks_per_stage: Sequence[int],
        blocks_per_stage_decoder: Sequence[int],
        attention_per_stage: Sequence[str],
        layers_per_stage: Sequence[int],
        encoder: Encoder = "plain",
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        check_stages(features_per_stage, kernel_sizes, strides)
        check_attention(attention_per_stage, layers_per_stage, len(strides))
        residual = encoder == "residual"
        unet = (ResidualEncoderUNet if residual else PlainConvUNet)(
            input_channels=input_channels,
            num_classes=num_classes,
            n_stages=len(strides),
            features_per_stage=list(features_per_stage),
            kernel_sizes=[list(item) for item in kernel_sizes],
            strides=[list(item) for item in strides],
            n_conv_per_stage_decoder=list(blocks_per_stage_decoder),
            conv_op=nn.Conv3d,
            conv_bias=True,
            norm_op=nn.InstanceNorm3d,
            norm_op_kwargs={"eps": 1e-5, "affine": True},
            nonlin=nn.LeakyReLU,
            nonlin_kwargs={"inplace": True},
            deep_supervision=deep_supervision,
            **{"n_blocks_per_stage" if residual else "n_conv_per_stage": list(blocks_per_stage)},
        )
        self.encoder = unet.encoder
        self.decoder = unet.decoder
        stages = zip(features_per_stage, attention_per_stage, layers_per_stage, strict=True)
        self.attention = nn.ModuleDict(
            {
                str(stage): AttentionBlock(channels, kind, layers)  # type: ignore[arg-type] # checked above
                for stage, (channels, kind, layers) in enumerate(stages)
                if kind != "none"
            }
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """The logits, or with deep supervision those of every decoder stage, full resolution first."""
        stem = getattr(self.encoder, "stem", None)
        image = image if stem is None else stem(image)
        skips = []
        for stage, level in enumerate(self.encoder.stages):
            image = level(image)
            if str(stage) in self.attention:
                image = self.attention[str(stage)](image)
            skips.append(image)
        made: torch.Tensor | list[torch.Tensor] = self.decoder(skips)
        return made

    def compute_conv_feature_map_size(self, input_size: Sequence[int]) -> int:
        """nnU-Net's measure of memory, of the U-Net alone."""
        size = list(input_size)
        encoder, decoder = (part.compute_conv_feature_map_size(size) for part in (self.encoder, self.decoder))
        return int(encoder + decoder)

    @staticmethod
    def initialize(module: nn.Module) -> None:
        """nnU-Net's initialisation of the U-Net, and Glorot's of the projections, each on its own."""
        ResidualEncoderUNet.initialize(module)
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def fit(configuration: Configuration, attention: Attention = "auto") -> dict[str, Any]:
    """The arguments for nnU-Net's plan; a plan of a residual encoder gets one, any other a plain one.

    The kind of attention is settled here, by the tokens of the patch, and then is part of the plan: what a
    network computes never depends on the size of its input. A plan of this network's own keeps what it says.

    Raises:
        ConfigError: The patch is no multiple of the strides, too small to be halved once, or leaves a single
            token at the bottleneck; the message says which patch would do.
    """
    topology = topology_of(configuration)
    tokens = tokens_of(configuration.patch_size, topology)
    if tokens[-1] < 2:
        doubled = " x ".join(str(2 * unit) for unit in topology.divisor)
        msg = (
            f"PanSegNet-2 attends between the voxels of its bottleneck, of which this patch leaves one. "
            f"A patch of {doubled} would do."
        )
        raise ConfigError(msg)
    architecture = configuration.architecture
    said = architecture.arguments if architecture.class_name.endswith(".PanSegNet2") else {}
    residual = architecture.class_name.endswith("ResidualEncoderUNet") or said.get("encoder") == "residual"
    unet = (nnunet.fit_residual if residual else nnunet.fit_plain)(configuration)
    kinds, layers = _attention(tokens, topology, attention)
    return {
        **{name: unet[name] for name in ("features_per_stage", "kernel_sizes", "strides")},
        "encoder": "residual" if residual else "plain",
        "blocks_per_stage": unet["n_blocks_per_stage" if residual else "n_conv_per_stage"],
        "blocks_per_stage_decoder": unet["n_conv_per_stage_decoder"],
        "attention_per_stage": kinds,
        "layers_per_stage": layers,
        **({} if attention != "auto" else said),
    }


def tokens_of(patch: Sequence[int], topology: Topology) -> list[int]:
    """Voxels of each stage's feature map.

    Example:
        >>> stages = Topology((8, 8), ((3, 3, 3),) * 2, ((1, 1, 1), (1, 2, 2)))
        >>> tokens_of((4, 8, 8), stages)
        [256, 64]
    """
    made, size = [], list(patch)
    for stride in topology.strides:
        size = [length // step for length, step in zip(size, stride, strict=True)]
        made.append(math.prod(size))
    return made


def check_attention(kinds: Sequence[str], layers: Sequence[int], stages: int) -> None:
    """Do nothing where each stage has its kind and its number of layers.

    Raises:
        ValueError: A kind is unknown, or without layers; layers have no kind; or the stages differ.
    """
    known = ("none", "softmax", "linear", "conv")
    whole = len(kinds) == len(layers) == stages and all(kind in known for kind in kinds)
    if not whole or any((kind == "none") != (count == 0) for kind, count in zip(kinds, layers, strict=True)):
        msg = (
            f"attention_per_stage ({', '.join(kinds)}) and layers_per_stage ({', '.join(map(str, layers))}) "
            f"must have {stages} entries each: {', '.join(known)}, and 0 layers for none alone."
        )
        raise ValueError(msg)


def _attention(
    tokens: Sequence[int], topology: Topology, attention: Attention
) -> tuple[list[str], list[int]]:
    """The kind and the number of layers of each stage."""
    last = len(tokens) - 1
    chosen = {_finer_stage(tokens, topology.features): _LAYERS["finer"], last: _LAYERS["bottleneck"]}
    if attention == "none":
        chosen = {}
    kinds = [cheaper(count) if attention == "auto" else attention for count in tokens]
    return (
        [kind if stage in chosen else "none" for stage, kind in enumerate(kinds)],
        [chosen.get(stage, 0) for stage in range(len(tokens))],
    )


def _finer_stage(tokens: Sequence[int], features: Sequence[int]) -> int:
    """The finest stage below the full resolution whose feature map is small beside that of the full one.

    A step's time goes with the size of feature maps as much as with products, and a layer touches its own
    a dozen times; at a sixteenth, which is a quarter of the resolution of an isotropic plan, it hardly shows.
    """
    allowed = tokens[0] * features[0] / _SHARE
    last = len(tokens) - 1
    return next((stage for stage in range(1, last) if tokens[stage] * features[stage] <= allowed), last)
