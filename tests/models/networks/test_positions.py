"""Positions by turning: only the way from one token to another matters."""

import math

import pytest
import torch

from wirsung.models.networks.positions import angles, turned

torch.set_num_threads(1)


def test_products_depend_on_the_way_between_two_voxels_only():
    torch.manual_seed(0)
    shape, size = (4, 5, 6), 14
    query, key = torch.randn(size), torch.randn(size)
    by = angles(shape, size)
    voxels = [(z, y, x) for z in range(4) for y in range(5) for x in range(6)]
    made_q, made_k = (
        turned(item.expand(1, 1, len(voxels), size), by)[0, 0].double() for item in (query, key)
    )
    products = {}
    for first, place in enumerate(voxels):
        for second, other in enumerate(voxels):
            way = tuple(b - a for a, b in zip(place, other, strict=True))
            products.setdefault(way, []).append(float(made_q[first] @ made_k[second]))
    assert all(max(found) - min(found) < 1e-4 for found in products.values())
    # Each axis tells: a step along any of them is another product.
    ways = [products[way][0] for way in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))]
    assert len({round(value, 4) for value in ways}) == 4


def test_pairs_are_dealt_to_the_axes_each_with_its_own_wavelengths():
    by = angles((2, 2, 2), 10)  # 5 pairs: two for the first axis, two for the second, one for the third
    assert by.shape == (8, 5)
    assert by[7].tolist() == pytest.approx([1, 1, 1, 0.1, 0.1])
    assert by[4].tolist() == pytest.approx([1, 0, 0, 0.1, 0])


@pytest.mark.parametrize("size", [1, 2, 5, 32])
def test_turning_changes_no_length(size):
    torch.manual_seed(0)
    tokens = torch.randn(2, 3, 24, size)
    made = turned(tokens, angles((2, 3, 4), size))
    assert made.shape == tokens.shape
    assert torch.allclose(made.norm(dim=-1), tokens.norm(dim=-1), atol=1e-5)
    assert torch.equal(made[:, :, 0], tokens[:, :, 0])


def test_a_quarter_turn_by_hand():
    made = turned(torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[math.pi / 2]]))
    assert made.flatten().tolist() == pytest.approx([-2.0, 1.0])
