"""What a trace counts, against counts by hand."""

import pytest
import torch
from torch import nn

from wirsung.models.networks.blueprint import blueprint
from wirsung.models.tracing import trace_inference, trace_training

FLOAT = 4


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, image):
        tokens = (image * self.scale).flatten(2).transpose(1, 2)[:, None]
        made = nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
        return made[:, 0].transpose(1, 2).reshape(image.shape)


def test_the_operations_of_a_convolution_are_counted():
    network = blueprint(lambda: nn.Conv3d(2, 3, 3, padding=1, bias=False))
    trace = trace_inference(network, (1, 2, 8, 8, 8), mixed=False)
    assert trace.flops == 2 * 3 * 2 * 27 * 8**3
    assert trace.peak == 3 * 8**3 * FLOAT


def test_what_is_let_go_is_not_counted_twice():
    network = blueprint(lambda: nn.Sequential(*[nn.Conv3d(4, 4, 1, bias=False) for _ in range(5)]))
    trace = trace_inference(network, (1, 4, 8, 8, 8), mixed=False)
    # One layer's input and its output; the image is the caller's.
    assert trace.peak == 2 * 4 * 8**3 * FLOAT


def test_training_keeps_what_the_gradient_needs():
    layers = [nn.Conv3d(4, 4, 1, bias=False) for _ in range(5)]
    network = blueprint(lambda: nn.Sequential(*layers, nn.Conv3d(4, 2, 1, bias=False)))
    trace = trace_training(network.to("meta"), (1, 4, 8, 8, 8), 2, mixed=False)
    assert trace.kept >= 5 * 4 * 8**3 * FLOAT
    # Forward once and backward twice, less the image's gradient, which nobody wants.
    products = 5 * 4 * 4 + 4 * 2
    assert trace.forward_flops == 2 * products * 8**3
    assert trace.flops == 2 * (3 * products - 4 * 4) * 8**3


def test_mixed_precision_halves_what_convolutions_keep():
    network = blueprint(lambda: nn.Sequential(*[nn.Conv3d(8, 8, 3, padding=1) for _ in range(8)]))
    single, mixed = (trace_training(network, (1, 8, 16, 16, 16), 8, mixed=kind) for kind in (False, True))
    assert mixed.flops == single.flops
    # The loss is in single precision either way: that much is not halved.
    lost = 3 * 8 * 16**3 * FLOAT
    assert mixed.kept < 0.5 * single.kept + lost


def test_attention_is_counted_without_its_matrix():
    network = blueprint(Attention)
    tokens, width = 16**3, 8
    trace = trace_inference(network, (1, width, 16, 16, 16), mixed=False)
    assert trace.flops == 4 * tokens**2 * width
    assert trace.peak < tokens**2


def test_a_trace_leaves_the_network_without_gradients():
    network = blueprint(lambda: nn.Conv3d(1, 2, 1))
    trace_training(network, (1, 1, 4, 4, 4), 2, mixed=False)
    assert all(item.grad is None for item in network.parameters())


@pytest.mark.parametrize("mixed", [False, True])
def test_a_trace_is_the_same_each_time(mixed):
    network = blueprint(
        lambda: nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.InstanceNorm3d(4, affine=True))
    )
    first, second = (trace_training(network, (2, 1, 8, 8, 8), 4, mixed=mixed) for _ in range(2))
    assert first == second


class WithoutAutocast(nn.Module):
    def __init__(self):
        super().__init__()
        self.before = nn.Conv3d(8, 8, 1)
        self.within = nn.Conv3d(8, 8, 1)

    def forward(self, image):
        image = self.before(image)
        with torch.autocast(image.device.type, enabled=False):
            return self.within(image.float())


def test_a_block_without_autocast_stays_in_single_precision():
    shape = (1, 8, 16, 16, 16)
    own = trace_inference(blueprint(WithoutAutocast), shape, mixed=True)
    plain = trace_inference(blueprint(lambda: nn.Sequential(*[nn.Conv3d(8, 8, 1)] * 2)), shape, mixed=True)
    image = 8 * 16**3
    # The first layer's output in half precision, that in single precision, and the second's.
    assert own.peak == pytest.approx(2.5 * image * FLOAT, rel=0.01)
    assert plain.peak < own.peak
    assert torch.autocast is torch.amp.autocast_mode.autocast


class Biased(nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, 1, 64, 64))

    def forward(self, image):
        tokens = image.flatten(2).transpose(1, 2)[:, None]
        made = nn.functional.scaled_dot_product_attention(tokens, tokens, tokens, attn_mask=self.bias)
        return made[:, 0].transpose(1, 2).reshape(image.shape)


def test_attention_gives_a_learnt_bias_its_gradient():
    network = blueprint(Biased)
    with_bias = trace_training(network, (1, 2, 4, 4, 4), 2, mixed=False)
    assert with_bias.peak >= 64 * 64 * FLOAT
