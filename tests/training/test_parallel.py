"""One training shared by several processes, for real, on the CPU."""

import importlib
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from wirsung.errors import ConfigError, WirsungError
from wirsung.models.weights import CHECKPOINT_FILE, read_checkpoint
from wirsung.training.checkpoints import LATEST
from wirsung.training.parallel import agreed, check_gpus, gathered, shared
from wirsung.training.run import train
from wirsung.training.settings import TrainSettings
from wirsung.training.stopping import TrainingStopped

CPU = torch.device("cpu")
SMALL = {
    "scheme": "demo-7",
    "preset": "demo",
    "device": "cpu",
    "epochs": 2,
    "iterations": 3,
    "patch": (16, 16, 16),
    "features": (4, 8),
    "batch_size": 3,
    "workers": 1,
    "gpus": 2,
}


def test_more_gpus_than_there_are_is_refused():
    there = torch.cuda.device_count()
    with pytest.raises(ConfigError, match=f"--gpus is {there + 1}, but this machine has {there}"):
        check_gpus(there + 1 if there else 1, torch.device("cuda"), 64)


def test_more_gpus_than_patches_in_a_batch_are_refused():
    check_gpus(2, CPU, 2)
    with pytest.raises(ConfigError, match="batch of 2 patches can't be shared out to 3"):
        check_gpus(3, CPU, 2)


def test_a_training_on_mps_is_not_shared():
    check_gpus(1, torch.device("mps"), 2)
    with pytest.raises(ConfigError, match="mps can't be shared"):
        check_gpus(2, torch.device("mps"), 2)


def test_alone_one_agrees_with_oneself():
    assert agreed(3) == 3
    assert gathered([0.5, 1.5]) == ((0.5, 1.5),)


@pytest.fixture
def orders(monkeypatch):
    """A module that new processes find by its plain name."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("shared_orders")


@pytest.mark.slow
def test_processes_agree_on_the_strongest_wish_and_know_each_others_losses(orders, tmp_path):
    shared(orders.obey, orders.Order(tmp_path, "agree"), 2, CPU)
    told = repr((1, ((0.0, 0.5), (1.0, 0.5))))
    assert [(tmp_path / f"{rank}.txt").read_text() for rank in range(2)] == [told, told]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        ("fail", WirsungError, "the reason"),
        ("memory", torch.OutOfMemoryError, "3 GiB"),
        ("vanish", WirsungError, "Process 1 of the training was ended .* SIGKILL"),
        ("stop", TrainingStopped, "4, 2"),
    ],
)
def test_what_one_process_meets_with_the_caller_is_told(orders, tmp_path, act, error, words):
    with pytest.raises(error, match=words):
        shared(orders.obey, orders.Order(tmp_path, act), 2, CPU)


@pytest.mark.slow
def test_both_processes_end_with_the_same_weights_and_share_the_batch(
    shared_dataset, tmp_path, monkeypatch, orders
):
    from wirsung.training import learning

    monkeypatch.setattr(learning, "learn", orders.learn_and_keep)
    monkeypatch.setattr("wirsung.training.run.write_record", lambda *_: None)
    made = train(TrainSettings(shared_dataset, tmp_path / "m", **SMALL))
    one, two = (torch.load(made.folder / "fold_0" / f"rank{rank}.pt") for rank in range(2))
    assert (one["sizes"], two["sizes"]) == ((2, [2]), (1, [1]))
    assert all(torch.equal(tensor, two["weights"][name]) for name, tensor in one["weights"].items())
    final = read_checkpoint(made.folder / "fold_0" / CHECKPOINT_FILE)["network_weights"]
    assert all(torch.equal(tensor, final[name]) for name, tensor in one["weights"].items())


def _weights(out):
    return read_checkpoint(out / "fold_0" / CHECKPOINT_FILE)["network_weights"]


@pytest.mark.slow
def test_a_shared_training_that_is_asked_to_stop_goes_on_as_if_it_had_not(shared_dataset, tmp_path):
    whole = TrainSettings(shared_dataset, tmp_path / "whole", **SMALL)
    train(whole)
    broken = replace(whole, out=tmp_path / "broken", checkpoint_minutes=0.0)
    words = [sys.executable, "-m", "wirsung", "train", str(shared_dataset), str(broken.out)]
    for name, value in {**SMALL, "checkpoint_minutes": 0}.items():
        values = value if isinstance(value, tuple) else (value,)
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    latest = broken.out / "fold_0" / LATEST
    deadline = time.monotonic() + 300
    while not latest.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=300) in (143, 0)  # the little network may be done before it arrives
    train(broken)
    first, second = _weights(whole.out), _weights(broken.out)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())


@pytest.mark.slow
def test_what_two_processes_began_one_can_end(shared_dataset, tmp_path):
    settings = TrainSettings(shared_dataset, tmp_path / "m", **SMALL)
    begun = train(replace(settings, max_hours=1e-9))
    assert begun.stopped_at
    ended = train(replace(settings, gpus=1))
    assert not ended.stopped_at
    assert ended.epochs == 2


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_share_a_training(shared_dataset, tmp_path, monkeypatch):
    monkeypatch.setenv("nnUNet_compile", "f")
    made = train(TrainSettings(shared_dataset, tmp_path / "m", **{**SMALL, "device": "cuda"}))
    assert made.epochs == 2
    assert all(bool(torch.isfinite(tensor).all()) for tensor in _weights(made.folder).values())
