"""Weights: safetensors, nnU-Net's checkpoints, and files that would run code."""

import json
import os
import pickle

import numpy as np
import pytest
import torch

from wirsung.errors import CheckpointError
from wirsung.models.networks import build_architecture
from wirsung.models.plans import parse_plans
from wirsung.models.weights import (
    Weights,
    checkpoint_weights,
    fill,
    load_weights,
    read_checkpoint,
    read_safetensors,
    save_weights,
    unique,
)


@pytest.fixture
def network(plans_content):
    torch.manual_seed(0)
    architecture = parse_plans(plans_content).configuration("3d_fullres").architecture
    return build_architecture(architecture, channels=1, classes=3)


def _checkpoint(network):
    return {
        "network_weights": network.state_dict(),
        "optimizer_state": {},
        "logging": {
            "mean_fg_dice": [np.float64(0.5), np.float32(0.25)],
            "ema_fg_dice": [np.float16(0.5), np.int64(3)],
        },
        "_best_ema": np.float64(0.5),
        "current_epoch": 2,
        "init_args": {"configuration": "3d_fullres", "fold": 0, "device": torch.device("cpu")},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1),
    }


def test_each_tensor_is_kept_once(network):
    state = unique(network.state_dict())
    assert sum(tensor.numel() for tensor in state.values()) == sum(p.numel() for p in network.parameters())
    assert len({tensor.data_ptr() for tensor in state.values()}) == len(state)


def test_a_checkpoint_of_nnunet_is_read_with_its_numpy_numbers(tmp_path, network):
    torch.save(_checkpoint(network), tmp_path / "checkpoint_final.pth")
    content = read_checkpoint(tmp_path / "checkpoint_final.pth")
    assert content["logging"]["mean_fg_dice"] == [0.5, 0.25]
    weights = checkpoint_weights(content)
    assert (weights.configuration, weights.mirror_axes) == ("3d_fullres", (0, 1))
    assert weights.trainer == "nnUNetTrainer"


def test_safetensors_and_checkpoint_hold_the_same_weights(tmp_path, network, plans_content):
    torch.save(_checkpoint(network), tmp_path / "checkpoint_final.pth")
    first = load_weights(tmp_path)
    save_weights(tmp_path / "weights.safetensors", first)
    second = load_weights(tmp_path)
    assert second.sha256 == first.sha256
    architecture = parse_plans(plans_content).configuration("3d_fullres").architecture
    other = build_architecture(architecture, channels=1, classes=3)
    image = torch.randn(1, 1, 16, 16, 16)
    assert not torch.allclose(other(image), network(image))
    fill(other, second.state)
    assert torch.equal(other(image), network(image))


def test_a_checkpoint_that_would_run_code_is_refused_and_runs_nothing(tmp_path):
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(marker),)

    path = tmp_path / "checkpoint_final.pth"
    torch.save({"network_weights": {}, "evil": Evil()}, path)
    with pytest.raises(CheckpointError, match="could run foreign code"):
        read_checkpoint(path)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    assert not marker.exists()


def test_damaged_files_are_refused(tmp_path, network):
    path = tmp_path / "checkpoint_final.pth"
    torch.save(_checkpoint(network), path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    weights = Weights(unique(network.state_dict()), "3d_fullres", ())
    save_weights(tmp_path / "weights.safetensors", weights)
    whole = (tmp_path / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(whole[:500])
    with pytest.raises(CheckpointError, match="damaged"):
        read_safetensors(tmp_path / "weights.safetensors")


def test_a_file_without_our_words_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError, match="was not written by Wirsung"):
        read_safetensors(tmp_path / "weights.safetensors")
    torch.save({"model": torch.ones(1)}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="no checkpoint of nnU-Net v2"):
        read_checkpoint(tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="has neither"):
        load_weights(tmp_path / "fold_0")


def test_weights_that_do_not_fit_are_refused(network):
    state = unique(network.state_dict())
    name = next(iter(state))
    with pytest.raises(CheckpointError, match="is left over"):
        fill(network, {**state, "extra": torch.ones(1)})
    with pytest.raises(CheckpointError, match="is missing"):
        fill(network, {key: value for key, value in state.items() if key != name})
    with pytest.raises(CheckpointError, match="has shape"):
        fill(network, {**state, name: torch.ones(2)})


def test_the_checksum_sees_every_change():
    def weights(**state):
        return Weights(state, "3d_fullres", ()).sha256

    one = torch.ones(2, 3)
    sums = {weights(a=one), weights(b=one), weights(a=one.T), weights(a=one * 2), weights(a=one.double())}
    assert len(sums) == 5


def test_metadata_is_plain_json(tmp_path):
    save_weights(tmp_path / "w.safetensors", Weights({"a": torch.ones(1)}, "3d_fullres", (0, 2)))
    raw = (tmp_path / "w.safetensors").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert json.loads(header["__metadata__"]["mirror_axes"]) == [0, 2]


def test_weights_that_share_their_memory_are_written_each(tmp_path):
    one = torch.arange(6.0)
    weights = Weights({"a": one, "b": one, "c": one[2:], "d": one.reshape(2, 3).T}, "3d_fullres", ())
    save_weights(tmp_path / "w.safetensors", weights)
    read = read_safetensors(tmp_path / "w.safetensors")
    assert read.sha256 == weights.sha256
    assert all(torch.equal(read.state[name], weights.state[name]) for name in weights.state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network_weights": {"a": 1}}, "no checkpoint of nnU-Net v2"),
        ({"network_weights": {1: torch.ones(1)}}, "no checkpoint of nnU-Net v2"),
        ({"init_args": []}, "does not say its"),
        ({"init_args": {}}, "does not say its 'configuration'"),
        ({"inference_allowed_mirroring_axes": 3}, "does not say its"),
        ({"inference_allowed_mirroring_axes": ["x"]}, "does not say its"),
    ],
)
def test_checkpoints_whose_parts_are_something_else_are_refused(tmp_path, network, change, message):
    torch.save({**_checkpoint(network), **change}, tmp_path / "checkpoint_final.pth")
    with pytest.raises(CheckpointError, match=message):
        checkpoint_weights(read_checkpoint(tmp_path / "checkpoint_final.pth"))
