"""What to say when a GPU is too small."""

import json
import re
from dataclasses import replace
from functools import cache

import pytest
import torch

from wirsung.datasets.splits import Fold
from wirsung.errors import ConfigError
from wirsung.models.cost import estimate
from wirsung.models.networks.topology import plan_of_patch
from wirsung.models.plans import parse_plans
from wirsung.training import learning, memory_advice
from wirsung.training.job import Job
from wirsung.training.memory_advice import out_of_memory
from wirsung.training.presets import PRESETS
from wirsung.training.run import train
from wirsung.training.settings import TrainSettings

GIB = 2**30
TABLE = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "pancreas": 1, "pancreatic_lesion": 2}}


@pytest.fixture(scope="module")
def job(shared_dataset, tmp_path_factory):
    """Of a network with 4 to 8 features, patch 32 x 32 x 32, four patches a step."""
    out = tmp_path_factory.mktemp("advice") / "model"
    small = {
        "scheme": "demo-7",
        "preset": "demo",
        "device": "cpu",
        "epochs": 1,
        "iterations": 1,
        "workers": 1,
    }
    shape = {"patch": (32, 32, 32), "features": (4, 8), "batch_size": 4}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "learn", lambda _: None)
        with pytest.raises(Exception, match="checkpoint_final"):
            train(TrainSettings(shared_dataset, out, **small, **shape))
    plans = parse_plans(json.loads((out / "plans.json").read_text()))
    fold = Fold(("p0",), ("p1",))
    return Job(
        plans, TABLE, 0, fold, out / "fold_0", PRESETS["demo"], torch.device("cpu"), 0, names_sides=False
    )


@cache
def needed(patch, batch):
    configuration = plan_of_patch(patch, (5.0, 4.0, 4.0), features=(4, 8), batch_size=batch)
    return estimate("nnunet", configuration, 1, 3).training_bytes


def advised(job, budget, monkeypatch):
    monkeypatch.setattr(memory_advice, "_budget", lambda _: budget)
    said = str(out_of_memory(job, "nnunet"))
    patch = re.search(r"Say --patch (\d+) (\d+) (\d+)", said)
    batch = re.search(r"--batch-size (\d+)", said)
    return said, patch and tuple(map(int, patch.groups())), batch and int(batch[1])


def test_fewer_patches_are_advised_where_they_fit(job, monkeypatch):
    said, patch, batch = advised(job, needed((32, 32, 32), 3) + 1, monkeypatch)
    assert "ran out of memory with patch 32 x 32 x 32 and batches of 4 patches" in said
    assert (
        f"takes about {needed((32, 32, 32), 4) / GIB:.1f} GiB of {needed((32, 32, 32), 3) / GIB:.1f}" in said
    )
    assert (patch, batch) == (None, 3)


def test_a_smaller_patch_is_advised_where_two_do_not_fit(job, monkeypatch):
    budget = needed((32, 32, 32), 2) - 1
    said, patch, batch = advised(job, budget, monkeypatch)
    assert patch == (16, 16, 16)
    assert batch == 2
    assert needed(patch, batch) <= budget
    assert "would take about" in said


def test_where_nothing_fits_a_smaller_network_is_advised(job, monkeypatch):
    said, patch, batch = advised(job, 1000, monkeypatch)
    assert (patch, batch) == (None, None)
    assert said.endswith("Say a smaller --batch-size or --patch, or choose a smaller --network.")


def test_on_two_gpus_the_batch_is_shared(job, monkeypatch):
    two = replace(job, gpus=2)
    said, _, batch = advised(two, needed((32, 32, 32), 1) + 1, monkeypatch)
    assert "4 patches on 2 GPUs" in said
    assert batch == 2  # one on each


def test_a_training_whose_step_finds_no_memory_ends_with_the_advice(shared_dataset, tmp_path, monkeypatch):
    """No GPU is at hand to run out of memory, so the step raises torch's own error."""
    from wirsung.training.trainer import NnUNetTrainer

    def step(*_):
        msg = "CUDA out of memory. Tried to allocate 2.00 GiB."
        raise torch.OutOfMemoryError(msg)

    monkeypatch.setattr(NnUNetTrainer, "train_step", step)
    small = {
        "scheme": "demo-7",
        "preset": "demo",
        "device": "cpu",
        "epochs": 1,
        "iterations": 1,
        "workers": 1,
    }
    settings = TrainSettings(shared_dataset, tmp_path / "m", **small, patch=(32, 32, 32), features=(4, 8))
    with pytest.raises(ConfigError, match=r"patch 32 x 32 x 32 and batches of 2 patches.*Say --"):
        train(settings)


@pytest.mark.gpu
def test_a_gpu_that_is_truly_too_small_is_met_with_a_step_that_fits(shared_dataset, tmp_path):
    small = {"scheme": "demo-7", "preset": "demo", "device": "cuda", "epochs": 1, "iterations": 1}
    shape = {"patch": (320, 320, 320), "features": (32, 320), "batch_size": 24}
    with pytest.raises(ConfigError, match=r"The GPU ran out of memory with patch 320 x 320 x 320 .*Say --"):
        train(TrainSettings(shared_dataset, tmp_path / "m", **small, **shape))
