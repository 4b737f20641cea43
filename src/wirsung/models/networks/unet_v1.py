"""The 3D U-Net of nnU-Net v1, under v1's own names, so that its checkpoints load key for key.

It differs from nnU-Net v2's `PlainConvUNet` in three things: the transposed and the last convolutions have no
bias, and the decoder takes its kernels from one stage deeper (`decoder_kernels="deeper"`), which matters for
anisotropic plans.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from dynamic_network_architectures.initialization.weight_init import InitWeights_He
from torch import nn

from wirsung.models.networks.topology import topology_of
from wirsung.models.plans import Configuration, Shape

DecoderKernels = Literal["deeper", "skip"]
"""Whose kernel a decoder stage takes: of the stage one deeper (v1), or of the stage of its skip (v2)."""

_CONVOLUTIONS = 2
"""A stage, in every plan that v1 made."""


class ConvUnit(nn.Module):
    """Convolution, instance norm and leaky ReLU: (B, in, D, H, W) to (B, out, D', H', W')."""

    def __init__(self, inputs: int, outputs: int, kernel: Sequence[int], stride: Sequence[int]) -> None:
        super().__init__()
        padding = _shape([(size - 1) // 2 for size in kernel])
        self.conv = nn.Conv3d(inputs, outputs, _shape(kernel), _shape(stride), padding)
        self.instnorm = nn.InstanceNorm3d(outputs, eps=1e-5, affine=True)
        self.lrelu = nn.LeakyReLU(0.01, inplace=True)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The feature maps."""
        made: torch.Tensor = self.lrelu(self.instnorm(self.conv(image)))
        return made


class ConvStack(nn.Module):
    """Some units in a row, the first with a stride."""

    def __init__(
        self, inputs: int, outputs: int, count: int, kernel: Sequence[int], stride: Sequence[int] = (1, 1, 1)
    ) -> None:
        super().__init__()
        first = ConvUnit(inputs, outputs, kernel, stride)
        others = (ConvUnit(outputs, outputs, kernel, (1, 1, 1)) for _ in range(count - 1))
        self.blocks = nn.Sequential(first, *others)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The feature maps."""
        made: torch.Tensor = self.blocks(image)
        return made


class UNetV1(nn.Module):
    """The 3D U-Net of nnU-Net v1: (B, channel, D, H, W) to logits (B, class, D, H, W).

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        features_per_stage: Feature maps, full resolution first, bottleneck last.
        kernel_sizes: One a stage.
        strides: One a stage, that of the first stage is 1.
        convolutions: A stage, in encoder and decoder.
        decoder_kernels: v1's rule, or v2's.
        deep_supervision: Whether it answers with a list, full resolution first, one a decoder stage.

    Source:
        Isensee et al. 2021 and the class `Generic_UNet` of nnU-Net 1.7 (Apache-2.0), from whose state dict
        the names are; written anew. Dropout is left out, as v1's own trainers set it to 0.
    """

    def __init__(  # noqa: PLR0913 - the words of a plan
        self,
        input_channels: int,
        num_classes: int,
        *,
        features_per_stage: Sequence[int],
        kernel_sizes: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        convolutions: int = _CONVOLUTIONS,
        decoder_kernels: DecoderKernels = "deeper",
        deep_supervision: bool = False,
    ) -> None:
        super().__init__()
        check_stages(features_per_stage, kernel_sizes, strides)
        self.deep_supervision = deep_supervision
        pools = len(strides) - 1
        widths = [input_channels, *features_per_stage]
        self.conv_blocks_context = nn.ModuleList(
            ConvStack(widths[stage], widths[stage + 1], convolutions, kernel_sizes[stage], strides[stage])
            for stage in range(pools)
        )
        self.conv_blocks_context.append(
            _pair(widths[-2], widths[-1], convolutions, kernel_sizes[-1], strides[-1])
        )
        self.conv_blocks_localization = nn.ModuleList()
        self.tu = nn.ModuleList()
        self.seg_outputs = nn.ModuleList()
        for stage in reversed(range(pools)):
            below, skip = features_per_stage[stage + 1], features_per_stage[stage]
            stride = _shape(strides[stage + 1])
            kernel = kernel_sizes[stage + 1 if decoder_kernels == "deeper" else stage]
            self.tu.append(nn.ConvTranspose3d(below, skip, stride, stride, bias=False))
            self.conv_blocks_localization.append(_pair(2 * skip, skip, convolutions, kernel))
            self.seg_outputs.append(nn.Conv3d(skip, num_classes, 1, bias=False))

    @property
    def decoder(self) -> "UNetV1":
        """Itself, whose `deep_supervision` nnU-Net's trainer sets."""
        return self

    def forward(self, image: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """The logits, or with deep supervision those of every decoder stage, full resolution first."""
        *levels, bottleneck = self.conv_blocks_context
        skips = []
        for level in levels:
            image = level(image)
            skips.append(image)
        image = self.at_bottleneck(bottleneck(image))
        answers: list[torch.Tensor] = []
        for rise, blocks, answer in zip(
            self.tu, self.conv_blocks_localization, self.seg_outputs, strict=True
        ):
            image = blocks(torch.cat((rise(image), skips.pop()), dim=1))
            if self.deep_supervision or not skips:
                answers.append(answer(image))
        return answers[::-1] if self.deep_supervision else answers[-1]

    def at_bottleneck(self, features: torch.Tensor) -> torch.Tensor:
        """What is done to the deepest feature maps: here nothing."""
        return features

    @staticmethod
    def initialize(module: nn.Module) -> None:
        """He's initialisation of convolutions, as in both versions of nnU-Net."""
        InitWeights_He(1e-2)(module)


def fit(configuration: Configuration) -> dict[str, Any]:
    """The arguments for nnU-Net's plan; plans that name this network keep what they say of it.

    Raises:
        ConfigError: The patch is no multiple of the strides, or too small to be halved once; the message says
            which would do.
    """
    topology = topology_of(configuration)
    said = configuration.architecture.arguments
    return {
        "features_per_stage": list(topology.features),
        "kernel_sizes": [list(item) for item in topology.kernels],
        "strides": [list(item) for item in topology.strides],
        "convolutions": int(said.get("convolutions", _CONVOLUTIONS)),
        "decoder_kernels": str(said.get("decoder_kernels", "skip")),
    }


def check_stages(
    features: Sequence[int], kernels: Sequence[Sequence[int]], strides: Sequence[Sequence[int]]
) -> None:
    """Do nothing where there is one entry a stage, and at least two stages.

    Raises:
        ValueError: The numbers of stages differ, or there is one stage only.
    """
    counts = {len(features), len(kernels), len(strides)}
    if len(counts) != 1 or min(counts) < 2:
        msg = (
            f"A U-Net needs as many features ({len(features)}) as kernels ({len(kernels)}) and strides "
            f"({len(strides)}), and at least 2."
        )
        raise ValueError(msg)


def _shape(values: Sequence[int]) -> Shape:
    first, second, third = (int(value) for value in values)
    return first, second, third


def _pair(
    inputs: int, outputs: int, count: int, kernel: Sequence[int], stride: Sequence[int] = (1, 1, 1)
) -> nn.Sequential:
    """v1 builds bottleneck and decoder stages of two stacks, the second of one unit."""
    first = ConvStack(inputs, outputs, count - 1, kernel, stride)
    return nn.Sequential(first, ConvStack(outputs, outputs, 1, kernel))
