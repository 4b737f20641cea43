"""The U-Net of nnU-Net v1 against that of v2."""

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from torch import nn

from wirsung.errors import ConfigError
from wirsung.models.networks import pansegnet, pansegnet2
from wirsung.models.networks.topology import divisor_of, plan_of_patch
from wirsung.models.networks.unet_v1 import ConvStack, ConvUnit, UNetV1, check_stages, fit
from wirsung.models.plans import parse_plans

torch.set_num_threads(1)
STRIDES = [[1, 1, 1], [1, 2, 2], [2, 2, 2]]
KERNELS = [[1, 3, 3], [3, 3, 3], [3, 3, 3]]
FEATURES = [4, 6, 8]


def _network(decoder_kernels="deeper", **more):
    return UNetV1(
        2,
        3,
        features_per_stage=FEATURES,
        kernel_sizes=KERNELS,
        strides=STRIDES,
        decoder_kernels=decoder_kernels,
        **more,
    )


def _nnunet():
    return PlainConvUNet(
        2,
        3,
        FEATURES,
        nn.Conv3d,
        KERNELS,
        STRIDES,
        2,
        3,
        2,
        conv_bias=True,
        norm_op=nn.InstanceNorm3d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
    )


def _renamed(state):
    """v1's weights under v2's names; v2 has two more biases a decoder stage, which are zero here."""
    made = {}
    for name, value in state.items():
        parts = name.split(".")
        if parts[0] in ("tu", "seg_outputs"):
            kind = {"tu": "transpconvs", "seg_outputs": "seg_layers"}[parts[0]]
            made[f"decoder.{kind}.{parts[1]}.weight"] = value
            outputs = value.shape[1 if parts[0] == "tu" else 0]
            made[f"decoder.{kind}.{parts[1]}.bias"] = torch.zeros(outputs)
            continue
        stage, second = int(parts[1]), parts[2] == "1"
        place = int(second) if parts[2] != "blocks" else int(parts[3])
        leaf = {"conv": "conv", "instnorm": "norm"}[parts[-2]]
        where = f"encoder.stages.{stage}.0" if parts[0].endswith("context") else f"decoder.stages.{stage}"
        made[f"{where}.convs.{place}.{leaf}.{parts[-1]}"] = value
    return made


def test_with_the_kernels_of_v2_it_is_the_network_of_v2():
    ours, theirs = _network("skip"), _nnunet()
    for value in ours.parameters():
        nn.init.normal_(value, std=0.3)
    left = theirs.load_state_dict(_renamed(ours.state_dict()), strict=False)
    assert not left.unexpected_keys
    assert all("all_modules" in name or "decoder.encoder" in name for name in left.missing_keys)
    image = torch.randn(1, 2, 4, 16, 12)
    assert torch.allclose(ours(image), theirs(image), atol=1e-6)


def test_v1_takes_the_decoders_kernels_from_one_stage_deeper():
    kernels = {
        rule: [tuple(pair[0].blocks[0].conv.kernel_size) for pair in _network(rule).conv_blocks_localization]
        for rule in ("deeper", "skip")
    }
    assert kernels == {"deeper": [(3, 3, 3), (3, 3, 3)], "skip": [(3, 3, 3), (1, 3, 3)]}


def test_names_are_those_of_v1():
    names = set(_network().state_dict())
    for name in (
        "conv_blocks_context.0.blocks.1.instnorm.weight",
        "conv_blocks_context.2.1.blocks.0.conv.bias",
        "conv_blocks_localization.1.0.blocks.0.conv.weight",
        "tu.1.weight",
        "seg_outputs.0.weight",
    ):
        assert name in names
    assert not {"tu.0.bias", "seg_outputs.0.bias"} & names


def test_deep_supervision_answers_at_each_decoder_stage_full_resolution_first():
    network = _network(deep_supervision=True)
    image = torch.randn(1, 2, 4, 16, 16)
    made = network(image)
    assert [tuple(item.shape) for item in made] == [(1, 3, 4, 16, 16), (1, 3, 4, 8, 8)]
    network.decoder.deep_supervision = False
    assert torch.equal(network(image), made[0])


def test_he_initialises_convolutions():
    network = _network()
    network.apply(network.initialize)
    first = network.conv_blocks_context[1].blocks[0].conv
    assert float(first.bias.detach().abs().max()) == 0
    assert float(first.weight.detach().std()) == pytest.approx((2 / (4 * 27)) ** 0.5, rel=0.1)


def test_a_stack_has_its_stride_in_the_first_unit():
    stack = ConvStack(2, 4, 2, (3, 3, 3), (1, 2, 2))
    assert [tuple(unit.conv.stride) for unit in stack.blocks] == [(1, 2, 2), (1, 1, 1)]
    assert ConvUnit(1, 2, (1, 3, 3), (1, 1, 1))(torch.randn(1, 1, 2, 4, 4)).shape == (1, 2, 2, 4, 4)


def test_fit_takes_the_stages_of_the_plan(plans_content):
    made = fit(parse_plans(plans_content).configuration("3d_fullres"))
    assert made == {
        "features_per_stage": [4, 8, 8],
        "kernel_sizes": [[3, 3, 3]] * 3,
        "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]],
        "convolutions": 2,
        "decoder_kernels": "skip",
    }
    assert UNetV1(1, 2, **made)(torch.randn(1, 1, 8, 8, 8)).shape == (1, 2, 8, 8, 8)


def test_fit_keeps_the_rule_that_a_plan_of_its_own_names(plans_content):
    table = plans_content["configurations"]["3d_fullres"]
    table["architecture"]["arch_kwargs"]["decoder_kernels"] = "deeper"
    assert fit(parse_plans(plans_content).configuration("3d_fullres"))["decoder_kernels"] == "deeper"


def test_a_patch_that_can_not_be_halved_is_refused_with_one_that_can(plans_content):
    plans_content["configurations"]["3d_fullres"]["patch_size"] = [16, 18, 16]
    with pytest.raises(ConfigError, match="16 x 16 x 16 would do"):
        fit(parse_plans(plans_content).configuration("3d_fullres"))


@pytest.mark.parametrize("fitted", [fit, pansegnet.fit, pansegnet2.fit])
def test_a_patch_too_small_to_be_halved_is_refused_with_one_that_is_not(fitted):
    with pytest.raises(ConfigError, match=r"4 x 4 x 6 voxels is too small.*8 x 8 x 8 would do"):
        fitted(plan_of_patch((4, 4, 6)))
    fitted(plan_of_patch((8, 8, 8)))


def test_stages_must_be_told_alike():
    with pytest.raises(ValueError, match=r"features \(3\) as kernels \(2\)"):
        check_stages([1, 2, 3], [[3, 3, 3]] * 2, [[1, 1, 1]] * 3)
    check_stages(FEATURES, KERNELS, STRIDES)


def test_the_reference_plan_must_be_divided_by_32():
    assert divisor_of(fit(plan_of_patch((64, 64, 64)))["strides"]) == (16, 16, 16)
    assert divisor_of(fit(plan_of_patch((128, 128, 128)))["strides"]) == (32, 32, 32)
