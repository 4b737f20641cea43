"""Plans of nnU-Net v2 before 2.3, which name a U-Net's sizes instead of a network class."""

from collections.abc import Mapping
from typing import Any

_BLOCKS = {"PlainConvUNet": "n_conv_per_stage", "ResidualEncoderUNet": "n_blocks_per_stage"}


def modernised(table: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with its `architecture`, made from the older words where it has none.

    Source:
        `ConfigurationManager.__init__` of nnU-Net 2.8, which converts them likewise.

    Example:
        >>> modernised({"patch_size": [8, 8], "architecture": {"network_class_name": "X"}})["architecture"]
        {'network_class_name': 'X'}
    """
    made = dict(table)
    name = made.get("UNet_class_name")
    if "architecture" in made or name not in _BLOCKS:
        return made
    dimensions = f"{len(made['patch_size'])}d"
    stages = len(made["n_conv_per_stage_encoder"])
    largest, first = made["unet_max_num_features"], made["UNet_base_num_features"]
    made["architecture"] = {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{name}",
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": [min(first * 2**stage, largest) for stage in range(stages)],
            "conv_op": f"torch.nn.modules.conv.Conv{dimensions}",
            "kernel_sizes": made["conv_kernel_sizes"],
            "strides": made["pool_op_kernel_sizes"],
            _BLOCKS[name]: made["n_conv_per_stage_encoder"],
            "n_conv_per_stage_decoder": made["n_conv_per_stage_decoder"],
            "conv_bias": True,
            "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dimensions}",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    return made
