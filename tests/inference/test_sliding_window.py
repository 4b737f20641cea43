"""The sliding window."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wirsung.inference.sliding_window import gaussian, mirrored, sliding_window, tile_starts

SIZES = st.tuples(*[st.integers(3, 20)] * 3)
PATCHES = st.tuples(*[st.integers(2, 9)] * 3)


@settings(max_examples=40, deadline=None)
@given(shape=SIZES, patch=PATCHES, step=st.floats(0.2, 1.0), tiles=st.integers(1, 3))
def test_an_identity_network_returns_its_input(shape, patch, step, tiles):
    image = torch.randn(2, *shape)
    made = sliding_window(lambda x: x, image, patch, classes=2, step=step, tiles_at_once=tiles)
    assert made.shape == image.shape
    assert torch.allclose(made, image, atol=1e-4)


@pytest.mark.parametrize(("size", "tile"), list(itertools.product((16, 17, 40, 63, 110), (8, 16))))
@pytest.mark.parametrize("step", [0.25, 0.5, 0.75, 1.0])
def test_tiles_start_where_nnunets_do(size, tile, step):
    from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window

    expected = compute_steps_for_sliding_window((size,) * 3, (tile,) * 3, step)
    assert list(tile_starts((size,) * 3, (tile,) * 3, step)) == expected


def test_weights_are_nnunets():
    from nnunetv2.inference.sliding_window_prediction import compute_gaussian

    expected = compute_gaussian((12, 9, 16), dtype=torch.float32, device=torch.device("cpu"))
    assert torch.allclose(gaussian((12, 9, 16)), expected, rtol=1e-6)
    assert gaussian((12, 9, 16)).min() > 0


def test_an_image_smaller_than_the_patch_is_padded_with_zeros_around_it():
    seen = []

    def network(batch):
        seen.append(batch)
        return batch

    image = torch.ones(1, 3, 10, 5)
    assert torch.equal(sliding_window(network, image, (6, 4, 8), classes=1, step=1.0), image)
    tile = seen[0][0, 0]
    assert tile.shape == (6, 4, 8)
    assert tile.sum() == 3 * 4 * 5
    assert tile[1:4, :, 1:6].sum() == 3 * 4 * 5


@pytest.mark.parametrize("axes", [(), (0,), (0, 2), (0, 1, 2)])
def test_mirroring_averages_every_way(axes):
    weight = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 5, 6)))

    def network(batch):
        return batch * weight

    image = torch.randn(1, 1, 4, 5, 6, dtype=torch.float64)
    ways = [way for count in range(len(axes) + 1) for way in itertools.combinations(axes, count)]
    expected = image * sum(torch.flip(weight, way) if way else weight for way in ways) / 2 ** len(axes)
    assert torch.allclose(mirrored(network, axes)(image), expected)
