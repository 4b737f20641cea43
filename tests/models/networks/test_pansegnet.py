"""The released PanSegNet: what its definition says. Its answers are held in test_v1_checkpoint."""

import math

import numpy as np
import pytest
import torch

from wirsung.errors import ConfigError
from wirsung.models.networks.pansegnet import (
    PanSegNet,
    PositionTable,
    SelfAttentionBlock,
    SelfAttentionLayer,
    SummedAttention,
    fit,
    sinusoids,
)
from wirsung.models.networks.topology import plan_of_patch
from wirsung.models.plans import parse_plans

torch.set_num_threads(1)
T1 = {
    "patch_size": [32, 224, 224],
    "features_per_stage": [32, 64, 128, 256, 320, 320],
    "kernel_sizes": [[1, 3, 3], [1, 3, 3], *([[3, 3, 3]] * 4)],
    "strides": [[1, 1, 1], [1, 2, 2], [1, 2, 2], *([[2, 2, 2]] * 3)],
}
"""The published plan for T1-weighted MRI."""
SMALL = {
    "patch_size": [8, 16, 16],
    "features_per_stage": [4, 6, 8],
    "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
    "width": 16,
    "heads": 4,
    "layers": 2,
}


def _count(module):
    return sum(value.numel() for value in module.parameters())


def test_the_published_plan_gives_196_tokens_and_the_published_number_of_parameters():
    with torch.device("meta"):
        network = PanSegNet(1, 2, **T1)
    assert network.self_atten.pos_encode.pe.shape == (1, 196, 512)
    # Per layer 6 projections of 512 x 512 + 512 and two norms; a projection there and back.
    layer = 6 * (512 * 512 + 512) + 2 * 2 * 512
    assert _count(network.self_atten) == 8 * layer + (320 * 512 + 512) + (512 * 320 + 320) == 12_952_384
    assert _count(network) == pytest.approx(43.7e6, rel=0.01)


def test_the_published_plan_runs_with_the_published_shapes():
    with torch.device("meta"):
        network = PanSegNet(1, 2, **T1, deep_supervision=True)
        made = network(torch.empty(1, 1, 32, 224, 224))
    shapes = [(32, 224, 224), (32, 112, 112), (32, 56, 56), (16, 28, 28), (8, 14, 14)]
    assert [tuple(item.shape) for item in made] == [(1, 2, *shape) for shape in shapes]


def test_rows_of_the_released_attention_sum_to_one_by_the_root_of_the_heads_width():
    attention = SummedAttention(8, heads=2)
    for item in attention.linears[2:]:
        torch.nn.init.zeros_(item.weight)
    torch.nn.init.ones_(attention.linears[2].bias)  # every value is 1, so the output is the sum of the row
    attention.linears[3].load_state_dict({"weight": torch.eye(8), "bias": torch.zeros(8)})
    assert torch.allclose(attention(torch.randn(2, 5, 8)), torch.full((2, 5, 8), 1 / math.sqrt(4)))


def test_the_position_table_is_that_of_vaswani():
    table = sinusoids(7, 10).numpy()
    for place in range(7):
        for pair in range(5):
            angle = place / 10_000 ** (2 * pair / 10)
            assert np.allclose(
                table[place, 2 * pair : 2 * pair + 2], [math.sin(angle), math.cos(angle)], atol=1e-6
            )
    places = PositionTable(7, 10)
    assert torch.equal(places(torch.zeros(1, 7, 10))[0], sinusoids(7, 10))


def test_it_takes_the_patch_that_it_was_made_for_and_no_other():
    network = PanSegNet(1, 3, **SMALL).eval()
    assert network(torch.randn(2, 1, 8, 16, 16)).shape == (2, 3, 8, 16, 16)
    with pytest.raises(ConfigError, match=r"patches of 8 x 16 x 16 voxels only.*64 rows.*has 128 tokens"):
        network(torch.randn(1, 1, 16, 16, 16))


def test_layers_and_projections_begin_alike_as_released():
    block = SelfAttentionBlock(6, 4, SelfAttentionLayer(8, 2, 0.3), 2)
    first, second = (layer.state_dict() for layer in block.transformer.layers)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(first["self_attn.linears.0.weight"], first["self_attn.linears.3.weight"])


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    network, image = PanSegNet(1, 2, **SMALL), torch.randn(1, 1, 8, 16, 16)
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


def test_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    network = PanSegNet(1, 2, **SMALL, deep_supervision=True)
    sum((item * torch.randn_like(item)).sum() for item in network(torch.randn(2, 1, 8, 16, 16))).backward()
    # Behind a bottleneck, or before an instance norm, biases have no effect, but must still be reached.
    assert [name for name, value in network.named_parameters() if value.grad is None] == []
    weights = [value for name, value in network.named_parameters() if name.endswith("weight")]
    assert all(float(value.grad.abs().max()) > 0 for value in weights)


def test_fit_sizes_it_for_the_patch(plans_content):
    made = fit(parse_plans(plans_content).configuration("3d_fullres"))
    assert made["patch_size"] == [16, 16, 16]
    assert made["decoder_kernels"] == "skip"
    small = {**made, "width": 16, "heads": 2, "layers": 1}
    assert PanSegNet(1, 2, **small)(torch.randn(1, 1, 16, 16, 16)).shape == (1, 2, 16, 16, 16)


def test_fit_keeps_what_a_plan_of_its_own_says(plans_content):
    architecture = plans_content["configurations"]["3d_fullres"]["architecture"]
    architecture["network_class_name"] = "wirsung.models.networks.pansegnet.PanSegNet"
    architecture["arch_kwargs"] |= {"decoder_kernels": "deeper", "width": 16, "layers": 1, "heads": 2}
    made = fit(parse_plans(plans_content).configuration("3d_fullres"))
    assert {name: made[name] for name in ("decoder_kernels", "width", "layers", "heads")} == {
        "decoder_kernels": "deeper",
        "width": 16,
        "layers": 1,
        "heads": 2,
    }


def test_patches_that_do_not_fit_are_refused_with_one_that_would(plans_content):
    table = plans_content["configurations"]["3d_fullres"]
    table["patch_size"] = [4, 4, 4]
    with pytest.raises(ConfigError, match=r"leaves one\. A patch of 8 x 8 x 8 would do"):
        fit(parse_plans(plans_content).configuration("3d_fullres"))
    table["patch_size"] = [16, 17, 16]
    with pytest.raises(ConfigError, match="16 x 16 x 16 would do"):
        fit(parse_plans(plans_content).configuration("3d_fullres"))
    with pytest.raises(ConfigError, match="PanSegNet with these strides can't take a patch of 8 x 16 x 15"):
        PanSegNet(1, 2, **{**SMALL, "patch_size": [8, 16, 15]})


def test_the_reference_plan_leaves_64_tokens():
    with torch.device("meta"):
        network = PanSegNet(1, 2, **fit(plan_of_patch((128, 128, 128))))
    assert network.self_atten.pos_encode.pe.shape[1] == 4**3
