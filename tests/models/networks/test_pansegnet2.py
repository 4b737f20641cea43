"""PanSegNet-2: the U-Net at first, attention where it pays, and learnt by nnU-Net's own optimiser."""

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from torch import nn

from wirsung.errors import ConfigError
from wirsung.models.networks.pansegnet2 import PanSegNet2, check_attention, fit, tokens_of
from wirsung.models.networks.topology import plan_of_patch, topology_of
from wirsung.models.plans import parse_plans

torch.set_num_threads(1)
SMALL = plan_of_patch((16, 16, 16), features=(4, 16))
ALL = ["softmax", "linear", "conv"]


def _peer(arguments):
    residual = arguments["encoder"] == "residual"
    blocks = arguments["blocks_per_stage"]
    return (ResidualEncoderUNet if residual else PlainConvUNet)(
        input_channels=2,
        num_classes=3,
        n_stages=len(arguments["strides"]),
        features_per_stage=arguments["features_per_stage"],
        conv_op=nn.Conv3d,
        kernel_sizes=arguments["kernel_sizes"],
        strides=arguments["strides"],
        n_conv_per_stage_decoder=arguments["blocks_per_stage_decoder"],
        conv_bias=True,
        norm_op=nn.InstanceNorm3d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=True,
        **{"n_blocks_per_stage" if residual else "n_conv_per_stage": blocks},
    )


def _residual_plan(plans_content):
    architecture = plans_content["configurations"]["3d_fullres"]["architecture"]
    architecture["network_class_name"] = (
        "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet"
    )
    return parse_plans(plans_content).configuration("3d_fullres")


@pytest.mark.parametrize("attention", ["auto", *ALL])
@pytest.mark.parametrize("encoder", ["plain", "residual"])
def test_it_begins_as_exactly_the_unet(attention, encoder, plans_content):
    torch.manual_seed(0)
    plan = SMALL if encoder == "plain" else _residual_plan(plans_content)
    arguments = fit(plan, attention)
    assert arguments["encoder"] == encoder
    network, unet = PanSegNet2(2, 3, deep_supervision=True, **arguments), _peer(arguments)
    network.apply(network.initialize)
    left = network.load_state_dict(unet.state_dict(), strict=False)
    assert not left.unexpected_keys
    assert left.missing_keys
    assert all(name.startswith("attention.") for name in left.missing_keys)
    image = torch.randn(2, 2, 16, 16, 16)
    assert all(torch.equal(a, b) for a, b in zip(network(image), unet(image), strict=True))


@pytest.mark.parametrize("attention", ALL)
def test_after_one_step_every_parameter_has_a_gradient(attention):
    torch.manual_seed(0)
    network = PanSegNet2(1, 2, deep_supervision=True, **fit(SMALL, attention))
    network.apply(network.initialize)
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    image = torch.randn(2, 1, 16, 16, 16)
    for _ in range(2):
        optimiser.zero_grad()
        sum((item * torch.randn_like(item)).sum() for item in network(image)).backward()
        optimiser.step()
    # Biases before an instance norm are without effect in any U-Net of nnU-Net's.
    still = [name for name, value in network.named_parameters() if not value.grad.abs().max() > 0]
    assert [name for name in still if not name.endswith("conv.bias")] == []


def test_two_patch_sizes_load_the_same_weights():
    network = PanSegNet2(1, 2, **fit(SMALL)).eval()
    assert network(torch.randn(1, 1, 24, 16, 32)).shape == (1, 2, 24, 16, 32)
    assert not list(network.buffers())


def test_deep_supervision_is_switched_as_nnunet_switches_it():
    network = PanSegNet2(1, 2, deep_supervision=True, **fit(SMALL)).eval()
    image = torch.randn(1, 1, 16, 16, 16)
    made = network(image)
    assert [item.shape[2] for item in made] == [16, 8]
    network.decoder.deep_supervision = False
    assert torch.equal(network(image), made[0])


def test_few_tokens_get_exact_attention_and_many_linear():
    made = fit(plan_of_patch((128, 128, 128)))
    assert made["attention_per_stage"] == ["none", "none", "linear", "none", "none", "softmax"]
    assert made["layers_per_stage"] == [0, 0, 1, 0, 0, 2]
    # The published plan for T1-weighted MRI halves the first axis late: its finer stage lies deeper.
    thick = plan_of_patch((32, 224, 224), (4.4, 1.09375, 1.09375))
    assert fit(thick)["attention_per_stage"] == ["none", "none", "none", "linear", "none", "softmax"]
    assert tokens_of((32, 224, 224), topology_of(thick))[-1] == 196


def test_kinds_differ_in_nothing_but_their_kind():
    plan = plan_of_patch((64, 64, 64))
    counts = {}
    for attention in (*ALL, "auto", "none"):
        with torch.device("meta"):
            network = PanSegNet2(1, 2, **fit(plan, attention))
        counts[attention] = sum(value.numel() for value in network.parameters())
    assert len({counts[attention] for attention in (*ALL, "auto")}) == 1
    with torch.device("meta"):
        plain = _peer(fit(plan, "none"))
    assert fit(plan, "none")["layers_per_stage"] == [0] * 5
    # The peer has two channels and three classes: one more channel in, one more class a stage out.
    more = 32 * 27 + sum(width + 1 for width in (32, 64, 128, 256))
    assert counts["none"] == sum(value.numel() for value in plain.parameters()) - more


def test_a_plan_of_its_own_keeps_what_it_says(plans_content):
    architecture = plans_content["configurations"]["3d_fullres"]["architecture"]
    own = fit(_residual_plan(plans_content), "conv")
    architecture["network_class_name"] = "wirsung.models.networks.pansegnet2.PanSegNet2"
    architecture["arch_kwargs"] = own
    configuration = parse_plans(plans_content).configuration("3d_fullres")
    assert fit(configuration) == own
    assert fit(configuration, "linear") == {**own, "attention_per_stage": ["none", "none", "linear"]}


def test_it_trains_under_mixed_precision():
    torch.manual_seed(0)
    network = PanSegNet2(1, 2, **fit(SMALL, "linear"))
    network.apply(network.initialize)
    nn.init.constant_(network.attention["2"].layers[0].scale_mix, 0.5)
    image = torch.randn(2, 1, 16, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = network(image)
        made.float().square().mean().backward()
    assert all(bool(value.grad.isfinite().all()) for value in network.parameters() if value.grad is not None)
    assert (made.float() - network(image)).abs().mean() < 0.02 * made.float().std()


def test_nnunet_builds_it_from_a_plan():
    network = get_network_from_plans(
        "wirsung.models.networks.pansegnet2.PanSegNet2", fit(SMALL), [], 1, 3, deep_supervision=True
    )
    assert type(network) is PanSegNet2
    assert network.decoder.deep_supervision
    assert network.compute_conv_feature_map_size((16, 16, 16)) > 0
    linear = [module for module in network.attention.modules() if isinstance(module, nn.Linear)]
    assert all(float(module.bias.detach().abs().max()) == 0 for module in linear if module.bias is not None)
    assert float(network.attention["2"].layers[0].scale_mix.detach().abs().max()) == 0


def test_patches_that_do_not_fit_are_refused_with_one_that_would(plans_content):
    table = plans_content["configurations"]["3d_fullres"]
    table["patch_size"] = [4, 4, 4]
    with pytest.raises(ConfigError, match=r"leaves one\. A patch of 8 x 8 x 8 would do"):
        fit(parse_plans(plans_content).configuration("3d_fullres"))
    table["patch_size"] = [16, 17, 16]
    with pytest.raises(ConfigError, match="16 x 16 x 16 would do"):
        fit(parse_plans(plans_content).configuration("3d_fullres"))


@pytest.mark.parametrize(
    ("kinds", "layers"),
    [(["none", "other"], [0, 1]), (["none", "conv"], [0, 0]), (["none"], [0]), (["none", "conv"], [1, 1])],
)
def test_attention_that_is_told_wrongly_is_refused(kinds, layers):
    with pytest.raises(ValueError, match="must have 2 entries each"):
        check_attention(kinds, layers, 2)
    check_attention(["none", "softmax"], [0, 2], 2)
