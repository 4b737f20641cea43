"""Networks by an allow-list."""

import pytest
import torch

from wirsung.errors import CheckpointError, ConfigError
from wirsung.models.networks import build_architecture, build_network
from wirsung.models.networks.topology import plan_of_patch
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


def test_a_name_and_plans_give_the_network_that_nnunet_would_plan(plans_content):
    plans = parse_plans(plans_content)
    network = build_network("nnunet", plans, channels=1, classes=3, deep_supervision=True)
    found = network(torch.randn(1, 1, 16, 16, 16))
    assert [tuple(item.shape[1:]) for item in found] == [(3, 16, 16, 16), (3, 8, 8, 8)]
    # The features are the plan's, two convolutions a stage are the network's.
    assert network.encoder.output_channels == [4, 8, 8]


def test_arguments_take_the_place_of_the_plans():
    plan = plan_of_patch((32, 32, 32), features=(4, 8))
    wider = build_network("nnunet", plan, 1, 2, arguments={"features_per_stage": [6, 7, 8, 9]})
    assert wider.encoder.output_channels == [6, 7, 8, 9]


def test_an_argument_that_the_network_does_not_take_is_named_with_the_near_ones():
    plan = plan_of_patch((32, 32, 32), features=(4, 8))
    with pytest.raises(ConfigError, match=r"unetr has no argument 'featur_size'. Did you mean feature_size"):
        build_network("unetr", plan, 1, 2, arguments={"featur_size": 4})


def test_an_unknown_name_and_wanted_deep_supervision_are_refused():
    plan = plan_of_patch((32, 32, 32), features=(4, 8))
    with pytest.raises(ConfigError, match=r"no network named 'nnunt'. Did you mean nnunet"):
        build_network("nnunt", plan, 1, 2)
    with pytest.raises(ConfigError, match="unetr has no deep supervision"):
        build_network("unetr", plan, 1, 2, deep_supervision=True)
