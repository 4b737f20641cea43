"""The block of PanSegNet-2: nothing at first, and then what its kind says."""

import pytest
import torch
from torch import nn

from wirsung.models.networks.attention_block import (
    AttentionBlock,
    AttentionLayer,
    ConvMixing,
    Depthwise,
    HeadMixing,
    heads_of,
)
from wirsung.models.networks.pansegnet2 import PanSegNet2

torch.set_num_threads(1)
KINDS = ["softmax", "linear", "conv"]


def _awake(module, scale=0.5):
    """The block after it has learnt: its scales are no longer zero."""
    for name, value in module.named_parameters():
        if "scale" in name:
            nn.init.constant_(value, scale)
    return module


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_block_changes_nothing(kind):
    features = torch.randn(2, 12, 3, 4, 5)
    assert torch.equal(AttentionBlock(12, kind, 3)(features), features)


def test_all_kinds_have_as_many_parameters_as_a_count_by_hand():
    channels = 24
    norms, scales = 2 * 2 * channels, 2 * channels
    depthwise = 27 * channels + channels
    mixing = 4 * channels**2 + 3 * channels
    feed = (channels * 2 * channels + 2 * channels) + (2 * channels * channels + channels)
    for kind in KINDS:
        found = sum(value.numel() for value in AttentionLayer(channels, kind).parameters())
        assert found == norms + scales + depthwise + mixing + feed


@pytest.mark.parametrize("kind", KINDS)
def test_no_module_is_dead(kind):
    torch.manual_seed(0)
    block = _awake(AttentionBlock(8, kind, 2))
    (block(torch.randn(2, 8, 3, 4, 5)) * torch.randn(2, 8, 3, 4, 5)).sum().backward()
    assert [name for name, value in block.named_parameters() if not value.grad.abs().max() > 1e-6] == []


@pytest.mark.parametrize("kind", KINDS)
def test_any_size_does_and_no_table_is_kept(kind):
    block = _awake(AttentionBlock(8, kind, 1)).eval()
    assert not list(block.buffers())
    for shape in ((2, 3, 4), (5, 1, 7)):
        assert block(torch.randn(1, 8, *shape)).shape == (1, 8, *shape)


@pytest.mark.parametrize(("kind", "sees"), [("softmax", True), ("linear", True), ("conv", False)])
def test_attention_sees_the_far_end_of_the_volume_and_the_control_does_not(kind, sees):
    torch.manual_seed(0)
    block = _awake(AttentionBlock(8, kind, 1)).double()
    features = torch.randn(1, 8, 1, 1, 12, dtype=torch.float64)
    other = features.clone()
    other[..., 11] += torch.randn(1, 8, 1, 1)
    changed = (block(other) - block(features))[..., 0].abs().max()
    assert bool(changed > 1e-6) == sees


@pytest.mark.parametrize("kind", KINDS)
def test_training_and_prediction_are_the_same_as_nothing_is_dropped(kind):
    block, features = _awake(AttentionBlock(8, kind, 1)), torch.randn(1, 8, 2, 3, 4)
    assert torch.equal(block.train()(features), block.eval()(features))


def test_layers_and_projections_begin_each_on_its_own():
    block = AttentionBlock(8, "softmax", 2)
    weights = [module.weight for module in block.modules() if isinstance(module, nn.Linear)]
    square = [item for item in weights if item.shape == (8, 8)]
    assert len(square) == 8
    assert not any(torch.equal(a, b) for at, a in enumerate(square) for b in square[:at])


def test_the_place_in_the_volume_matters():
    torch.manual_seed(0)
    for kind in ("softmax", "linear"):
        made = _awake(AttentionBlock(8, kind, 1))(torch.ones(1, 8, 4, 4, 4) * torch.randn(1, 8, 1, 1, 1))
        assert not torch.allclose(made[..., 0, 0, 0], made[..., 1, 1, 1])


def test_a_depthwise_convolution_mixes_no_channels():
    layer = Depthwise(3)
    nn.init.zeros_(layer.conv.bias)
    grid = torch.zeros(1, 3, 3, 3, 3)
    grid[0, 1, 1, 1, 2] = 1
    made = layer(grid)
    assert torch.equal(made[..., 2], layer.conv.weight[2, 0].flip(0, 1, 2)[None])
    assert float(made[..., :2].detach().abs().max()) == 0


def test_mixings_keep_the_shape():
    grid = torch.randn(2, 3, 4, 5, 48)
    assert heads_of(48) == 2
    for mixing in (HeadMixing(48, "softmax"), HeadMixing(48, "linear"), ConvMixing(48)):
        assert mixing(grid, grid).shape == grid.shape


@pytest.mark.parametrize(("kind", "learns"), [("softmax", True), ("linear", True), ("conv", False)])
def test_nnunets_own_optimiser_teaches_attention_what_the_control_can_not_learn(kind, learns):
    """Each of 16 voxels in a row is to say whether the first is bright; the control sees two voxels far."""
    torch.manual_seed(0)
    network = nn.Sequential(AttentionBlock(8, kind, 2), nn.Conv3d(8, 2, 1))
    network.apply(PanSegNet2.initialize)
    optimiser = torch.optim.SGD(network.parameters(), 1e-2, momentum=0.99, nesterov=True, weight_decay=3e-5)
    for _ in range(150):
        image, answer = _row(32)
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(image)[:, :, 0, 0], answer).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 12)
        optimiser.step()
    image, answer = _row(500)
    right = (network(image)[:, :, 0, 0].argmax(1) == answer)[:, 5:].float().mean()
    assert right > 0.95 if learns else right < 0.6


def _row(count):
    bright = torch.randint(0, 2, (count,))
    image = 0.3 * torch.randn(count, 8, 1, 1, 16)
    image[:, 0, 0, 0, 0] += 6 * bright - 3
    image[:, 1, 0, 0, 0] += 3
    return image, bright[:, None].expand(count, 16)
