"""UNETR: a Vision Transformer over patches of 16 voxels, and a convolutional decoder on four of its layers.

The network is MONAI's; the sizes are the paper's. Different from the paper: nothing but the training,
which is nnU-Net's here.
"""

from collections.abc import Sequence
from typing import Any

from monai.networks.nets.unetr import UNETR
from torch import nn

from wirsung.models.networks.supervision import Switch, refuse_deep_supervision
from wirsung.models.networks.topology import check_divisible
from wirsung.models.plans import Configuration

_TOKEN = 16
"""Voxels along each axis of a token."""


class Unetr(UNETR):
    """UNETR of the paper's size: (batch, channel, D, H, W) to logits (batch, class, D, H, W).

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        deep_supervision: Must be False.
        patch_size: Voxels; the table of positions is of this size, so that no other patch fits the weights.
        feature_size: Feature maps at full resolution.
        hidden_size: Of a token.
        mlp_size: Inside the Transformer's perceptrons.
        heads: Of the attention.

    Raises:
        ConfigError: The patch is no multiple of 16, or deep supervision is asked for.

    Source:
        Hatamizadeh et al. 2022 (arXiv:2103.10504), sections 3.1 and 4.
    """

    def __init__(  # noqa: PLR0913 - nnU-Net gives them by name
        self,
        input_channels: int,
        num_classes: int,
        *,
        deep_supervision: bool = False,
        patch_size: Sequence[int],
        feature_size: int = 16,
        hidden_size: int = 768,
        mlp_size: int = 3072,
        heads: int = 12,
    ) -> None:
        refuse_deep_supervision("UNETR", deep_supervision)
        check_divisible(patch_size, (_TOKEN,) * 3, "UNETR")
        super().__init__(
            in_channels=input_channels,
            out_channels=num_classes,
            img_size=tuple(patch_size),
            feature_size=feature_size,
            hidden_size=hidden_size,
            mlp_dim=mlp_size,
            num_heads=heads,
        )
        for block in self.vit.blocks:
            block.norm_cross_attn = nn.Identity()  # MONAI makes it and never calls it
        self.decoder = Switch()


def fit(configuration: Configuration) -> dict[str, Any]:
    """The arguments for a plan: of it, UNETR takes the patch alone.

    Raises:
        ConfigError: The patch is no multiple of 16 along each axis.
    """
    check_divisible(configuration.patch_size, (_TOKEN,) * 3, "UNETR")
    return {"patch_size": list(configuration.patch_size)}
