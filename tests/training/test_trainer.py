"""nnU-Net's trainer under our rules."""

import json
from dataclasses import replace
from math import isfinite

import pytest
import torch

from wirsung.datasets.splits import Fold
from wirsung.errors import CheckpointError
from wirsung.models.plans import parse_plans
from wirsung.training.presets import PRESETS
from wirsung.training.run import train
from wirsung.training.settings import TrainSettings
from wirsung.training.trainer import Job, Trainer
from wirsung.training.workspace import Workspace, silence


@pytest.fixture(scope="module")
def job(shared_dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("job") / "model"
    settings = TrainSettings(
        shared_dataset, out, scheme="demo-7", preset="demo", device="cpu", epochs=1, iterations=1
    )
    train(settings)
    plans = parse_plans(json.loads((out / "plans.json").read_text()))
    table = json.loads((out / "dataset.json").read_text())
    fold = Fold(("p0", "p1"), ("p2", "p3"))
    preset = replace(PRESETS["demo"], epochs=2, iterations=1, validation_iterations=1)
    (out / "fold_7").mkdir()
    return Job(plans, table, 7, fold, out / "fold_7", preset, torch.device("cpu"), 0, names_sides=True)


def _trainer(job):
    with Workspace(job.folder.parent).environment(0), silence():
        return Trainer.of(job)


def _mirror_axes(job):
    trainer = _trainer(job)
    *_, axes = trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    assert axes == trainer.inference_allowed_mirroring_axes
    return axes


def test_left_and_right_are_never_mirrored_where_classes_name_a_side(job):
    mirroring = replace(job, preset=replace(job.preset, mirror=True))
    assert _mirror_axes(mirroring) == (0, 1)
    assert _mirror_axes(replace(mirroring, names_sides=False)) == (0, 1, 2)
    assert _mirror_axes(job) is None
    turned = parse_plans(
        {**job.plans.content, "transpose_forward": [2, 0, 1], "transpose_backward": [1, 2, 0]}
    )
    assert _mirror_axes(replace(mirroring, plans=turned)) == (1, 2)


def test_an_epoch_draws_the_same_whatever_was_drawn_before(job):
    trainer = _trainer(job)
    with Workspace(job.folder.parent).environment(0), silence():
        trainer.initialize()
        loader, _ = trainer.get_dataloaders()
        drawn = []
        for burnt in (1, 3):
            for _ in range(burnt):
                next(loader)
            trainer.current_epoch = 1
            trainer.on_train_epoch_start()
            drawn.append(next(loader)["data"])
    assert torch.equal(*drawn)


def test_the_trainer_is_called_as_nnunet_looks_for_it(job):
    assert type(_trainer(job)).__name__ == "nnUNetTrainer"


def test_a_damaged_checkpoint_is_no_start(job, tmp_path):
    trainer = _trainer(job)
    (tmp_path / "checkpoint_latest.pth").write_bytes(b"damaged")
    with silence(), Workspace(job.folder.parent).environment(0):
        trainer.initialize()
        with pytest.raises(CheckpointError):
            trainer.resume(tmp_path / "checkpoint_latest.pth")


def test_a_network_without_deep_supervision_is_trained_without(job):
    assert _trainer(job).enable_deep_supervision
    content = json.loads(json.dumps(job.plans.content))
    content["configurations"]["3d_fullres"]["architecture"] = {
        "network_class_name": "wirsung.models.networks.unetr.Unetr",
        "arch_kwargs": {
            "patch_size": content["configurations"]["3d_fullres"]["patch_size"],
            "feature_size": 4,
            "hidden_size": 24,
            "mlp_size": 48,
            "heads": 2,
        },
        "_kw_requires_import": [],
    }
    table = content["configurations"]["3d_fullres"]
    table["patch_size"] = table["architecture"]["arch_kwargs"]["patch_size"] = [16, 16, 16]
    other = replace(job, plans=parse_plans(content))
    trainer = _trainer(other)
    assert not trainer.enable_deep_supervision
    with Workspace(job.folder.parent).environment(0), silence():
        trainer.initialize()
        trainer.set_deep_supervision_enabled(True)  # as nnU-Net does after its validation
    image = torch.randn(2, 1, 16, 16, 16)
    outcome = trainer.train_step({"data": image, "target": torch.zeros(2, 1, 16, 16, 16)})
    assert isfinite(outcome["loss"])
