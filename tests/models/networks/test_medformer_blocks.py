"""The convolutional parts of MedFormer."""

import pytest
import torch

from wirsung.models.networks.medformer_blocks import PatchMerging, Separable, SqueezeExcite, enlarged


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_merging_neighbours_loses_no_voxel():
    merging = PatchMerging(1, 8, (2, 2, 2), (1, 1, 1))
    merging.norm = torch.nn.Identity()
    torch.nn.init.ones_(merging.reduction.depthwise.weight)
    with torch.no_grad():
        merging.reduction.pointwise.weight.copy_(torch.eye(8).reshape(8, 8, 1, 1, 1))
    image = torch.arange(64.0).reshape(1, 1, 4, 4, 4)
    found = merging(image)
    assert sorted(found.flatten().tolist()) == list(range(64))
    assert found[0, :, 0, 0, 0].tolist() == [0, 1, 4, 5, 16, 17, 20, 21]


def test_a_separable_convolution_is_one_whose_kernel_is_a_product():
    made = Separable(2, 3, (3, 3, 3))
    kernel = made.pointwise.weight * made.depthwise.weight.transpose(0, 1)
    image = torch.randn(1, 2, 5, 5, 5)
    whole = torch.nn.functional.conv3d(image, kernel, padding=1)
    assert torch.allclose(made(image), whole, atol=1e-6)


def test_squeezing_scales_each_channel_by_one_factor():
    made = SqueezeExcite(8)
    image = torch.rand(1, 8, 3, 3, 3) + 1
    factors = (made(image) / image).detach().flatten(2)
    assert torch.allclose(factors, factors[..., :1].expand_as(factors), atol=1e-6)
    assert float(factors.min()) > 0
    assert float(factors.max()) < 1


def test_an_enlarged_ramp_keeps_its_corners():
    ramp = torch.arange(3.0).reshape(1, 1, 1, 1, 3)
    assert torch.allclose(enlarged(ramp, (1, 1, 5)).flatten(), torch.tensor([0, 0.5, 1, 1.5, 2]))
