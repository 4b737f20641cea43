"""MedNeXt: ConvNeXt blocks in a U-Net, with depthwise convolutions and wide perceptrons.

The blocks are MONAI's. Different from the paper: the lowest resolution has no output of its own, because
nnU-Net's deep supervision gives that one no weight; and no gradient checkpoints.
"""

from typing import Any

import torch
from monai.networks.nets.mednext import MedNeXt as PublishedMedNeXt
from torch import nn

from wirsung.errors import ConfigError, near_names
from wirsung.models.networks.supervision import Switch
from wirsung.models.networks.topology import check_divisible, check_not_single
from wirsung.models.plans import Configuration

_SIZES: dict[str, dict[str, Any]] = {
    "S": {"ratios": (2, 2, 2, 2), "bottleneck": 2, "blocks": (2, 2, 2, 2), "deepest": 2},
    "B": {"ratios": (2, 3, 4, 4), "bottleneck": 4, "blocks": (2, 2, 2, 2), "deepest": 2},
    "M": {"ratios": (2, 3, 4, 4), "bottleneck": 4, "blocks": (3, 4, 4, 4), "deepest": 4},
    "L": {"ratios": (3, 4, 8, 8), "bottleneck": 8, "blocks": (3, 4, 8, 8), "deepest": 8},
}
"""The paper's: expansion and blocks of the encoder's stages, and of the bottleneck."""

_STAGES = 4
"""That halve the resolution."""
_STRIDES = [[1, 1, 1]] + [[2, 2, 2]] * _STAGES


class MedNeXt(nn.Module):
    """MedNeXt: (batch, channel, D, H, W) to logits (batch, class, D, H, W), or a list of four resolutions.

    Each axis must be a multiple of 16, one of them more than 16; any such patch fits the same weights.

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        deep_supervision: Whether it answers at full, half, quarter and eighth resolution.
        size: S, B, M or L.
        width: Feature maps at full resolution.
        kernel_size: 3 or 5.
        strides: Of the stages, as nnU-Net reads it from the plans; no other than these.

    Raises:
        ConfigError: An unknown size, or other strides.

    Source:
        Roy et al. 2023 (arXiv:2303.09975), table 1.
    """

    def __init__(  # noqa: PLR0913 - nnU-Net gives them by name
        self,
        input_channels: int,
        num_classes: int,
        *,
        deep_supervision: bool = False,
        size: str = "B",
        width: int = 32,
        kernel_size: int = 3,
        strides: list[list[int]] | None = None,
    ) -> None:
        super().__init__()
        if size not in _SIZES:
            msg = f"MedNeXt has no size {size!r}. {near_names(size, _SIZES)}"
            raise ConfigError(msg)
        if strides is not None and [list(item) for item in strides] != _STRIDES:
            msg = f"MedNeXt halves each axis {_STAGES} times and can't take strides {strides}."
            raise ConfigError(msg)
        self.network = _published(input_channels, num_classes, _SIZES[size], width, kernel_size)
        self.decoder = Switch()
        self.decoder.deep_supervision = deep_supervision

    def forward(self, image: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """The logits, the full resolution first."""
        net = self.network
        now, skips = net.stem(image), []
        for stage, down in zip(net.enc_stages, net.down_blocks, strict=True):
            now = stage(now)
            skips.append(now)
            now = down(now)
        now = net.bottleneck(now)
        answers: list[torch.Tensor] = []
        for level, (up, stage) in enumerate(zip(net.up_blocks, net.dec_stages, strict=True)):
            if level and self.decoder.deep_supervision:
                answers.insert(0, net.out_blocks[level - 1](now))
            now = stage(up(now) + skips[-1 - level])
        logits: torch.Tensor = net.out_0(now)
        return [logits, *answers] if self.decoder.deep_supervision else logits


def fit(configuration: Configuration) -> dict[str, Any]:
    """The arguments for a plan: MedNeXt halves every axis four times, whatever the spacing; the size is B.

    Raises:
        ConfigError: The patch is no multiple of 16 along each axis, or is 16 along all of them.
    """
    divisor = (2**_STAGES,) * 3
    check_divisible(configuration.patch_size, divisor, "MedNeXt")
    check_not_single(configuration.patch_size, divisor, "MedNeXt")
    return {"size": "B", "kernel_size": 3, "strides": _STRIDES}


def _published(channels: int, classes: int, size: dict[str, Any], width: int, kernel_size: int) -> Any:  # noqa: ANN401
    """MONAI's network, less the output of the lowest resolution."""
    made = PublishedMedNeXt(
        init_filters=width,
        in_channels=channels,
        out_channels=classes,
        encoder_expansion_ratio=size["ratios"],
        decoder_expansion_ratio=size["ratios"][::-1],
        bottleneck_expansion_ratio=size["bottleneck"],
        kernel_size=kernel_size,
        deep_supervision=True,
        use_residual_connection=True,
        blocks_down=size["blocks"],
        blocks_bottleneck=size["deepest"],
        blocks_up=size["blocks"][::-1],
        norm_type="group",
    )
    del made.out_blocks[0]
    return made
