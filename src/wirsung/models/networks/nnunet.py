"""nnU-Net's own U-Nets, plain and with residual encoder: how a plan sizes them. The classes are nnU-Net's."""

from typing import Any

from wirsung.models.networks.topology import topology_of
from wirsung.models.plans import Configuration

_RESIDUAL_BLOCKS = (1, 3, 4, 6, 6, 6, 6, 6, 6, 6, 6, 6)
"""Of the encoder's stages, in ResEnc M, L and XL alike; these differ by patch and batch only."""

_PARTS = {
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}


def fit_plain(configuration: Configuration) -> dict[str, Any]:
    """The arguments of `PlainConvUNet`: two convolutions a stage.

    Source:
        Isensee et al. 2021, and the default planner of nnU-Net 2.8.
    """
    stages = len(topology_of(configuration).strides)
    return {
        **_shared(configuration),
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
    }


def fit_residual(configuration: Configuration) -> dict[str, Any]:
    """The arguments of `ResidualEncoderUNet`: 1, 3, 4, 6, 6 ... residual blocks down, one convolution up.

    Source:
        Isensee et al. 2024 (nnU-Net Revisited), and the planner of ResEnc M in nnU-Net 2.8.
    """
    stages = len(topology_of(configuration).strides)
    return {
        **_shared(configuration),
        "n_blocks_per_stage": list(_RESIDUAL_BLOCKS[:stages]),
        "n_conv_per_stage_decoder": [1] * (stages - 1),
    }


def _shared(configuration: Configuration) -> dict[str, Any]:
    topology = topology_of(configuration)
    return {
        "n_stages": len(topology.strides),
        "features_per_stage": list(topology.features),
        "kernel_sizes": [list(item) for item in topology.kernels],
        "strides": [list(item) for item in topology.strides],
        **_PARTS,
    }
