"""Networks told by the names and shapes of their weights."""

import pytest
import torch

from wirsung.errors import CheckpointError, ConfigError
from wirsung.models.networks.medformer import MedFormer
from wirsung.models.state_dicts import recognise, unwrapped

ONE = torch.ones(1)

# The published settings of CBIM for AMOS CT, and of R-Super, in the words of ours.
PUBLISHED = {
    "amos": {"map_size": [4, 4, 4]},
    "r-super": {
        "map_size": [3, 3, 3],
        "conv_blocks": [2, 0, 0, 0, 0, 0, 2, 2],
        "transformer_blocks": [0, 2, 4, 6, 4, 2, 0, 0],
    },
    "flat": {"strides": [[1, 1, 1], [1, 2, 2], [1, 2, 2], [2, 2, 2], [2, 2, 2]], "map_size": [2, 2, 2]},
}


def _medformer(**arguments):
    with torch.device("meta"):
        return MedFormer(2, 5, auxiliary="released", **arguments)


def _released(network):
    """With the weights that only the released network has."""
    last = len(network.up2.trans_blocks.blocks) - 1
    names = (f"up2.trans_blocks.blocks.{last}.attn.map_out", "up3.map_reduction", "up4.map_reduction")
    return {**network.state_dict(), **{f"{name}.weight": torch.ones(2, 2, 1, 1, 1) for name in names}}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_medformer_is_rebuilt_from_the_shapes_of_its_weights(name):
    network = _medformer(**PUBLISHED[name])
    found = recognise(_released(network), "", network=None, source="x.pth")
    assert (found.network, found.channels, found.classes) == ("medformer", 2, 5)
    for key, value in PUBLISHED[name].items():
        assert found.arguments[key] == value
    with torch.device("meta"):
        again = MedFormer(found.channels, found.classes, **found.arguments)
    assert {key: value.shape for key, value in again.state_dict().items()} == {
        key: value.shape for key, value in found.state.items()
    }


def test_wrappers_before_names_are_taken_off():
    state = _released(_medformer(map_size=[2, 2, 2]))
    for prefix in ("module.", "net.", "module._orig_mod.", "model.module."):
        wrapped = {prefix + name: value for name, value in state.items()}
        found = recognise(wrapped, "", network=None, source="x.pth")
        assert sorted(found.state) == sorted(_medformer(map_size=[2, 2, 2]).state_dict())


@pytest.mark.parametrize(
    "place", ["ema_model_state_dict", "model_state_dict", "state_dict", "net", "network_weights", ""]
)
def test_weights_are_found_where_trainers_put_them(place):
    content = {"epoch": 3, place: {"a": ONE}} if place else {"a": ONE}
    assert unwrapped(content, "x.pth") == ({"a": ONE}, place)


def test_the_running_mean_is_preferred():
    content = {"model_state_dict": {"a": ONE}, "ema_model_state_dict": {"a": 2 * ONE}}
    assert unwrapped(content, "x.pth")[0]["a"] == 2


@pytest.mark.parametrize("content", [{}, [ONE], {"epoch": 3}, {"net": {}}, {"net": {"a": 3}}, ONE])
def test_files_without_weights_are_refused(content):
    with pytest.raises(CheckpointError, match="holds no weights"):
        unwrapped(content, "x.pth")


@pytest.mark.parametrize(
    ("state", "network", "message"),
    [
        ({"down_tr64.ops.0.conv1.weight": ONE}, None, "U-Net of Models Genesis"),
        ({"encoder.a": ONE, "decoder.b": ONE}, None, "weights named decoder, encoder and so on"),
        ({"encoder.a": ONE}, "unetr", "Bare weights of unetr can't be read; those of medformer"),
        ({"encoder.a": ONE}, "medformer", "not those of medformer: .* is missing"),
    ],
)
def test_weights_of_no_known_network_are_refused(state, network, message):
    with pytest.raises(CheckpointError, match=message):
        recognise(state, "", network=network, source="x.pth")


def test_an_unknown_network_names_the_near_ones():
    with pytest.raises(ConfigError, match="Did you mean medformer"):
        recognise({"a": ONE}, "", network="medfomer", source="x.pth")
