"""Rearranged layers answer as PyTorch's own do."""

import pytest
import torch
from torch import nn

from wirsung.inference.cpu_layers import quickened


def _same(network, image):
    with torch.inference_mode():
        expected, given = network.eval()(image), image.clone()
        found = quickened(network)(image)
        assert torch.equal(image, given)
    assert float((found - expected).abs().max()) <= 2e-5 * float(expected.abs().max())
    return found


def _norm(channels, mean=0.0):
    layer = nn.InstanceNorm3d(channels, affine=True)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias, mean)
    return layer


@pytest.mark.parametrize("channels", [1, 3, 12])
@pytest.mark.parametrize("shape", [(3, 5, 7), (18, 17, 16)])
def test_convolution_normalisation_and_activation_in_one(channels, shape):
    torch.manual_seed(channels)
    convolution = nn.Conv3d(2, channels, 3, padding=1)
    network = nn.Sequential(nn.Sequential(convolution, _norm(channels), nn.LeakyReLU(0.1, inplace=True)))
    found = _same(network, torch.randn(2, 2, *shape))
    assert found.shape == (2, channels, *shape)


def test_a_normalisation_alone_leaves_its_input_alone():
    torch.manual_seed(0)
    image = torch.randn(1, 4, 6, 7, 8).contiguous(memory_format=torch.channels_last_3d)
    _same(nn.Sequential(_norm(4)), image)


def test_a_mean_far_from_zero_costs_no_digits():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Sequential(_norm(2)))
    image = torch.randn(1, 2, 20, 21, 22, dtype=torch.float64) + 500
    with torch.inference_mode():
        expected = network.double().eval()(image)
        found = quickened(network.float())(image.float())
    assert float((found - expected).abs().max()) <= 1e-3


@pytest.mark.parametrize("stride", [(2, 2, 2), (1, 2, 2), (3, 1, 2)])
@pytest.mark.parametrize("bias", [True, False])
def test_transposed_convolutions_whose_kernel_is_their_stride(stride, bias):
    torch.manual_seed(0)
    network = nn.Sequential(nn.ConvTranspose3d(5, 3, stride, stride, bias=bias))
    _same(network, torch.randn(2, 5, 3, 4, 6))


def test_what_is_not_known_stays_as_it_is():
    torch.manual_seed(0)
    layers = (
        nn.Conv3d(2, 4, 3, padding="same"),
        nn.BatchNorm3d(4),
        nn.InstanceNorm3d(4),
        nn.ReLU(),
        nn.ConvTranspose3d(4, 2, 3, 2, padding=1),
        nn.GELU(),
    )
    _same(nn.Sequential(*layers), torch.randn(1, 2, 6, 6, 6))
    _same(nn.Sequential(nn.Conv2d(2, 3, 3), nn.InstanceNorm2d(3, affine=True)), torch.randn(1, 2, 9, 9))
