"""Tiles that need no network."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.inference.conftest import PLANS

from wirsung.inference.cpu_layers import quickened
from wirsung.inference.known_tiles import Background, TileCount, constant_tiles
from wirsung.inference.sliding_window import Tiling, gaussian, mirrored, slabs, tile_starts
from wirsung.models.networks import build_architecture
from wirsung.models.plans import parse_plans

PATCH = (16, 16, 16)


def _air_around(channels, *, air=(-2.5, 0.75), rounding=0.0):
    """(channel, z, y, x): noise in a corner, else one value a channel, padding included."""
    random = np.random.default_rng(0)
    image = np.empty((channels, 32, 40, 32), np.float32)
    for channel, value in zip(image, air, strict=False):
        channel[:] = value + rounding * random.uniform(-1, 1, channel.shape)
        channel[:10, 30:, :12] = random.normal(size=(10, 10, 12))
    return torch.from_numpy(image)


def _every_tile(network, image, outputs, step=0.5):
    """The logits, with the network called for each tile."""
    shape = tuple(image.shape[1:])
    total, weights = torch.zeros((*shape, outputs)).permute(3, 0, 1, 2), torch.zeros(shape)
    weight = gaussian(PATCH)
    for start in itertools.product(*tile_starts(shape, PATCH, step)):
        place = tuple(slice(at, at + 16) for at in start)
        total[:, *place].addcmul_(network(image[:, *place][None])[0].float(), weight)
        weights[place] += weight
    return total / weights


def _made(network, image, tiling, **others):
    parts = slabs(network, image, tiling, **others)
    return torch.cat([slab.logits[:, slab.repeated :].clone() for slab in parts], dim=1)


@pytest.fixture(scope="module", params=[1, 2], ids=["one channel", "two channels"])
def trained(request):
    """A network of so many channels."""
    torch.manual_seed(0)
    architecture = parse_plans(PLANS).configuration("3d_fullres").architecture
    network = build_architecture(architecture, channels=request.param, classes=3)
    return quickened(network), request.param


@pytest.fixture
def one_thread():
    """PyTorch's own sums also depend on how many threads share them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("axes", "at_once", "workers"), [((), 1, 1), ((), 1, 2), ((0, 2), 1, 1), ((), 3, 1), ((0, 2), 3, 2)]
)
def test_an_answer_taken_again_is_the_one_that_the_network_gives(trained, axes, at_once, workers):
    network, channels = trained
    image, count = _air_around(channels), TileCount()
    answer = mirrored(network, axes) if axes else network
    with torch.inference_mode():
        expected = _every_tile(answer, image, 3)
        made = _made(answer, image, Tiling(PATCH, 3, 0.5, at_once, workers), count=count)
    # In a batch, PyTorch's own sums depend on their company to the last digit.
    assert torch.equal(made, expected) if at_once == 1 else torch.allclose(made, expected, atol=1e-5)
    assert (count.computed, count.repeated) == (9, 27)


def test_what_resampling_leaves_of_rounding_does_not_count(trained):
    network, channels = trained
    image, count = _air_around(channels, rounding=1e-6), TileCount()
    with torch.inference_mode():
        expected = _every_tile(network, image, 3)
        made = _made(network, image, Tiling(PATCH, 3), count=count)
    assert count.repeated == 27
    assert torch.allclose(made, expected, atol=1e-2)
    assert torch.equal(made.argmax(0), expected.argmax(0))


@given(st.data())
def test_constant_tiles_are_those_whose_voxels_are_all_one_value(data):
    random = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    patch = tuple(data.draw(st.lists(st.integers(1, 4), min_size=3, max_size=3)))
    image = torch.from_numpy((random.random((2, 6, 7, 5)) < 0.03).astype(np.float32))
    starts = list(itertools.product(*tile_starts((6, 7, 5), patch, 0.5)))
    expected = {}
    for start in starts:
        tile = image[:, *(slice(at, at + size) for at, size in zip(start, patch, strict=True))].flatten(1)
        if (tile == tile[:, :1]).all():
            expected[start] = tuple(tile[:, 0].tolist())
    assert constant_tiles(image, starts, patch) == expected


def test_tiles_of_other_values_are_each_computed_once():
    image = torch.zeros(1, 8, 8, 32)
    image[..., 8:16], image[..., 24:] = 1, 1
    calls = []

    def network(batch):
        calls.append(len(batch))
        return batch * 2

    count = TileCount()
    made = _made(network, image, Tiling((8, 8, 8), 1, 1.0), count=count)
    assert torch.equal(made, image * 2)
    assert (sum(calls), count.computed, count.repeated) == (2, 2, 2)


def test_tiles_known_to_be_empty_are_background_and_the_padding_shifts_none():
    image = torch.rand(1, 20, 5, 4)
    seen = []

    def is_outside(start):
        seen.append(start)
        return start[0] >= 8

    background = Background(is_outside, torch.full((1, 1, 1, 1), -7.0))
    count = TileCount()
    made = _made(lambda tile: tile, image, Tiling((8, 8, 8), 1, 0.5), background=background, count=count)
    # 5 and 4 voxels are padded to 8, so tiles begin before the image.
    assert {start[1:] for start in seen} == {(-1, -2)}
    assert torch.allclose(made[:, :8], image[:, :8], atol=1e-5)
    assert torch.allclose(made[:, 16:], torch.tensor(-7.0))
    assert (count.computed, count.outside) == (2, 2)
