"""Primus: a plain Vision Transformer on tokens of 8 voxels, with three-dimensional rotary positions.

The network is that of dynamic-network-architectures, sized as in nnU-Net's own trainers. Different from the
paper: nnU-Net's recipe takes the place of AdamW with a warm-up, unless the trainer says otherwise.
"""

from collections.abc import Sequence
from typing import Any

from wirsung.errors import ConfigError
from wirsung.models.networks.supervision import Switch, refuse_deep_supervision
from wirsung.models.networks.topology import check_divisible
from wirsung.models.networks.torchvision_repair import importable_torchvision
from wirsung.models.plans import Configuration

with importable_torchvision():
    from dynamic_network_architectures.architectures.primus import Primus as PublishedPrimus

SIZES = {
    "S": {"width": 396, "depth": 12, "heads": 6},
    "B": {"width": 792, "depth": 12, "heads": 12},
    "M": {"width": 864, "depth": 16, "heads": 12},
    "L": {"width": 1056, "depth": 24, "heads": 16},
}
"""The paper's."""

_TOKEN = 8
"""Voxels along each axis of a token."""
_HEAD = 6
"""Channels of a head are a multiple of it, so that a third of them tells each axis's position in pairs."""


class Primus(PublishedPrimus):  # type: ignore[misc] # the package has no types
    """Primus: (batch, channel, D, H, W) to logits (batch, class, D, H, W).

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        deep_supervision: Must be False.
        patch_size: Voxels; the table of positions is of this size, so that no other patch fits the weights.
        width: Channels of a token.
        depth: Layers.
        heads: Of the attention.
        drop_path: Fraction of the samples that skip the last layer while training, 0 to 1.

    Raises:
        ConfigError: The patch is no multiple of 8, the heads do not divide the width, or deep supervision is
            asked for.

    Source:
        Wald et al. 2025 (arXiv:2503.01835), section 4; `primus_trainers.py` of nnU-Net 2.8.
    """

    def __init__(  # noqa: PLR0913 - nnU-Net gives them by name
        self,
        input_channels: int,
        num_classes: int,
        *,
        deep_supervision: bool = False,
        patch_size: Sequence[int],
        width: int = 864,
        depth: int = 16,
        heads: int = 12,
        drop_path: float = 0.2,
    ) -> None:
        refuse_deep_supervision("Primus", deep_supervision)
        check_divisible(patch_size, (_TOKEN,) * 3, "Primus")
        if width % (heads * _HEAD):
            msg = (
                f"Primus can't have {heads} heads in a width of {width}: take a multiple of {heads * _HEAD}."
            )
            raise ConfigError(msg)
        super().__init__(
            input_channels,
            width,
            (_TOKEN,) * 3,
            num_classes,
            depth,
            heads,
            tuple(patch_size),
            drop_path_rate=drop_path,
            scale_attn_inner=True,
            init_values=0.1,
        )
        self.decoder = Switch()


def fit(configuration: Configuration) -> dict[str, Any]:
    """The arguments for a plan: of it, Primus takes the patch alone; the size is M.

    Raises:
        ConfigError: The patch is no multiple of 8 along each axis.
    """
    check_divisible(configuration.patch_size, (_TOKEN,) * 3, "Primus")
    return {"patch_size": list(configuration.patch_size), **SIZES["M"]}
