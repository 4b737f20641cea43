"""The attending parts of MedFormer."""

import pytest
import torch

from wirsung.models.networks.medformer_attention import BothWays, MapMaking


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_tokens_of_a_constant_image_are_that_constant():
    """The weights of a token sum to 1, so that a mean over equal voxels is their value."""
    making = MapMaking(4, (2, 1, 3))
    image = torch.randn(1, 4, 1, 1, 1).expand(1, 4, 5, 5, 5)
    torch.nn.init.zeros_(making.base_proj.weight)
    with torch.no_grad():
        for channel in range(4):
            making.base_proj.weight[channel, channel, 1, 1, 1] = 1
    found = making(image)
    assert found.shape == (1, 4, 2, 1, 3)
    assert torch.allclose(found, image[..., :1, :1, :1].expand_as(found), atol=1e-6)


def test_voxels_that_attend_to_equal_tokens_are_given_their_meaning():
    """Whatever the scores, a mean over equal tokens is the token."""
    attention = BothWays(4, 4, (1, 1, 1), 2, updates_map=True)
    tokens = torch.randn(1, 4, 1, 1, 1).expand(1, 4, 2, 2, 2)
    voxels, _ = attention(torch.randn(1, 4, 3, 3, 3), tokens)
    assert torch.allclose(voxels, voxels[..., :1, :1, :1].expand_as(voxels), atol=1e-6)
