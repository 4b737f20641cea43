"""Networks by an allow-list."""

import pytest
import torch

from wirsung.errors import CheckpointError
from wirsung.models.networks import build_architecture
from wirsung.models.plans import Architecture, parse_plans

RESIDUAL = {
    "n_stages": 3,
    "features_per_stage": [4, 8, 8],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[3, 3, 3]] * 3,
    "strides": [[1, 1, 1], [2, 2, 2], [1, 2, 2]],
    "n_blocks_per_stage": [1, 1, 1],
    "n_conv_per_stage_decoder": [1, 1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
IMPORTED = ("conv_op", "norm_op", "dropout_op", "nonlin")


def _plain():
    arguments = {key: value for key, value in RESIDUAL.items() if key != "n_blocks_per_stage"}
    return Architecture("somewhere.PlainConvUNet", {**arguments, "n_conv_per_stage": [1, 1, 1]}, IMPORTED)


@pytest.mark.parametrize(
    "architecture",
    [_plain(), Architecture("x.ResidualEncoderUNet", RESIDUAL, IMPORTED)],
    ids=["plain", "residual"],
)
def test_a_network_answers_with_a_logit_a_class_and_voxel(architecture):
    network = build_architecture(architecture, channels=2, classes=5)
    assert network(torch.randn(1, 2, 8, 8, 12)).shape == (1, 5, 8, 8, 12)
    deep = build_architecture(architecture, channels=2, classes=5, deep_supervision=True)
    assert [tuple(item.shape[2:]) for item in deep(torch.randn(1, 2, 8, 8, 12))] == [(8, 8, 12), (4, 4, 6)]


def test_the_network_is_nnunets(plans_content):
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    architecture = parse_plans(plans_content).configuration("3d_fullres").architecture
    ours = build_architecture(architecture, channels=1, classes=3)
    table = plans_content["configurations"]["3d_fullres"]["architecture"]
    theirs = get_network_from_plans(
        table["network_class_name"],
        table["arch_kwargs"],
        table["_kw_requires_import"],
        1,
        3,
        deep_supervision=False,
    )
    theirs.load_state_dict(ours.state_dict())
    image = torch.randn(1, 1, 16, 16, 16)
    assert torch.equal(ours(image), theirs(image))


@pytest.mark.parametrize("name", ["os.system", "subprocess.Popen", "dynamic_network_architectures.Evil"])
def test_plans_can_not_name_what_is_not_on_the_list(name):
    with pytest.raises(CheckpointError, match="networks are not built of here"):
        build_architecture(Architecture(name, RESIDUAL, IMPORTED), channels=1, classes=2)
    with pytest.raises(CheckpointError, match="networks are not built of here"):
        build_architecture(
            Architecture("ResidualEncoderUNet", {**RESIDUAL, "conv_op": name}, IMPORTED),
            channels=1,
            classes=2,
        )


def test_arguments_that_make_no_network_are_refused():
    wrong = {**RESIDUAL, "n_stages": 4}
    with pytest.raises(CheckpointError, match="no valid ResidualEncoderUNet"):
        build_architecture(Architecture("ResidualEncoderUNet", wrong, IMPORTED), channels=1, classes=2)
