"""Swin UNETR: shifted-window attention in the encoder, and a convolutional decoder.

The network is MONAI's; the sizes are the paper's. Different from the paper: nothing but the training,
which is nnU-Net's here.
"""

from typing import Any

from monai.networks.nets.swin_unetr import SwinUNETR

from wirsung.models.networks.supervision import Switch, refuse_deep_supervision
from wirsung.models.networks.topology import check_divisible, check_not_single
from wirsung.models.plans import Configuration

_DIVISOR = (32, 32, 32)


class SwinUnetr(SwinUNETR):
    """Swin UNETR of the paper's size: (batch, channel, D, H, W) to logits (batch, class, D, H, W).

    Each axis must be a multiple of 32, one of them more than 32; any such patch fits the same weights.

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        deep_supervision: Must be False.
        feature_size: Feature maps at full resolution, a multiple of 12.
        window: Tokens along each axis within which the attention looks.
        use_v2: A residual convolution before each stage, as in MONAI's version 2.

    Raises:
        ConfigError: Deep supervision is asked for.

    Source:
        Hatamizadeh et al. 2022 (arXiv:2201.01266), section 3; Tang et al. 2022 (arXiv:2111.14791).
    """

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        *,
        deep_supervision: bool = False,
        feature_size: int = 48,
        window: int = 7,
        use_v2: bool = False,
    ) -> None:
        refuse_deep_supervision("Swin UNETR", deep_supervision)
        super().__init__(
            in_channels=input_channels,
            out_channels=num_classes,
            feature_size=feature_size,
            window_size=window,
            use_v2=use_v2,
        )
        self.decoder = Switch()


def fit(configuration: Configuration) -> dict[str, Any]:
    """The arguments for a plan: Swin UNETR takes any patch whose axes are multiples of 32, and needs none.

    Raises:
        ConfigError: The patch is no multiple of 32 along each axis, or is 32 along all of them.
    """
    check_divisible(configuration.patch_size, _DIVISOR, "Swin UNETR")
    check_not_single(configuration.patch_size, _DIVISOR, "Swin UNETR")
    return {"feature_size": 48}
