"""Reading what was drawn, and training on it for real."""

import json
from dataclasses import replace
from math import isfinite

import numpy as np
import pytest
import torch
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from wirsung.datasets.splits import Fold
from wirsung.models.plans import parse_plans
from wirsung.training.augmentation.loader import Augmented, Crops, recipe_of
from wirsung.training.checkpoints import LATEST
from wirsung.training.loading import BatchLoader, NumberedBatches
from wirsung.training.presets import PRESETS
from wirsung.training.randomness import Stream
from wirsung.training.run import train
from wirsung.training.settings import TrainSettings
from wirsung.training.stopping import TrainingStopped
from wirsung.training.trainer import Job, Trainer
from wirsung.training.workspace import Workspace, silence


@pytest.fixture(scope="module")
def job(shared_dataset, tmp_path_factory):
    """Of a model folder that two epochs were trained in, by the option."""
    out = tmp_path_factory.mktemp("job") / "model"
    train(
        TrainSettings(
            shared_dataset,
            out,
            scheme="demo-7",
            preset="demo",
            device="cpu",
            epochs=2,
            iterations=2,
            features=(4, 8),
            augmentation="gpu",
        )
    )
    plans = parse_plans(json.loads((out / "plans.json").read_text()))
    table = json.loads((out / "dataset.json").read_text())
    fold = Fold(("p0", "p1"), ("p2", "p3"))
    preset = replace(
        PRESETS["demo"], epochs=2, iterations=3, validation_iterations=1, augmentation="gpu", mirror=True
    )
    return Job(plans, table, 0, fold, out / "fold_7", preset, torch.device("cpu"), 0, names_sides=True)


@pytest.fixture
def work(job):
    """nnU-Net's folders, and quiet."""
    with Workspace(job.folder.parent).environment(0), silence():
        yield


def trainer_of(job, folder="fold_7"):
    folder = job.folder.parent / folder
    folder.mkdir(exist_ok=True)
    trainer = Trainer.of(replace(job, folder=folder))
    trainer.initialize()
    return trainer


def chooser_of(job):
    """nnU-Net's loader of enlarged crops, without its transforms."""
    trainer = trainer_of(replace(job, preset=replace(job.preset, augmentation="cpu")))
    made = trainer.get_dataloaders()[0]._batches.source
    made.transforms = None
    return trainer, made


def test_the_parts_are_those_of_the_crops_that_nnunet_reads(job, work):
    trainer, chooser = chooser_of(job)
    recipe = recipe_of(trainer, still=False)
    for seed in range(8):
        np.random.seed(seed)  # noqa: NPY002 - what nnU-Net draws from
        whole = chooser.generate_train_batch()
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        batch = Crops(chooser, recipe).generate_train_batch()
        assert list(batch["keys"]) == list(whole["keys"])
        for index, drawn in enumerate(batch["draws"]):
            piece = Augmented(iter(()), recipe, job.device)._augmentation.part(drawn)
            place = (slice(None), *piece.slices)
            assert torch.equal(batch["images"][index], whole["data"][index][place])
            assert torch.equal(batch["labels"][index], whole["target"][index][place])
            assert drawn.moved or piece.size == recipe.patch


def test_cases_kept_by_another_class_of_nnunets_are_read_too(job, work):
    class InMemory:
        def __init__(self, stored):
            self.identifiers = stored.identifiers
            self.load_case = lambda key: _unpacked(stored, key)

    trainer, chooser = chooser_of(job)
    recipe = recipe_of(trainer, still=True)
    batches = []
    for stored in (chooser._data, InMemory(chooser._data)):
        chooser._data = stored
        np.random.seed(1)  # noqa: NPY002
        batches.append(Crops(chooser, recipe).generate_train_batch())
    assert all(torch.equal(*pair) for pair in zip(batches[0]["images"], batches[1]["images"], strict=True))


def _unpacked(stored, key):
    image, labels, _, properties = nnUNetDatasetBlosc2.load_case(stored, key)
    return image[:], labels[:], None, properties


def test_the_trainer_gets_batches_of_the_patch_on_its_device(job, work):
    trainer = trainer_of(job)
    for loader in trainer.get_dataloaders():
        batch = next(loader)
        patch = tuple(trainer.configuration_manager.patch_size)
        assert batch["data"].shape == (trainer.batch_size, 1, *patch)
        assert batch["data"].dtype == torch.float32
        assert len(batch["target"]) == len(trainer._get_deep_supervision_scales())
        assert batch["target"][0].shape == (trainer.batch_size, 1, *patch)
        assert int(batch["target"][0].min()) >= 0
        assert len(batch["keys"]) == trainer.batch_size


def test_left_and_right_are_not_mirrored_where_classes_name_a_side(job, work):
    assert recipe_of(trainer_of(job), still=False).mirror_axes == (0, 1)
    symmetric = replace(job, names_sides=False)
    assert recipe_of(trainer_of(symmetric), still=False).mirror_axes == (0, 1, 2)
    assert recipe_of(trainer_of(job), still=True).mirror_axes == ()


def test_a_batch_depends_on_its_number_alone_whichever_process_reads_it(job, work):
    trainer = trainer_of(job)
    _, chooser = chooser_of(job)
    recipe = recipe_of(trainer, still=False)
    numbered = NumberedBatches(Crops(chooser, recipe), seed=4, stream=Stream.TRAINING)
    drawn = []
    for workers, numbers in ((0, [5, 6]), (1, [5, 6]), (0, [6])):
        coming = iter(numbers)
        loader = Augmented(
            BatchLoader(numbered, lambda: next(coming), workers, pin=False),  # noqa: B023
            recipe,
            job.device,
        )
        drawn.append([next(loader)["data"] for _ in numbers])
        loader.close()
    assert torch.equal(drawn[0][0], drawn[1][0])
    assert torch.equal(drawn[0][1], drawn[1][1])
    assert torch.equal(drawn[0][1], drawn[2][0])
    assert not torch.equal(drawn[0][0], drawn[0][1])


class _StopsAfter:
    """Asks the training to stop after some steps."""

    def __init__(self, steps):
        self.left = steps

    def started(self, trainer):
        self.trainer = trainer

    def step(self, event):
        assert isfinite(event.loss)
        self.left -= 1
        if self.left == 0:
            self.trainer.signals.received = 2

    def epoch(self, trainer, event):
        pass


def test_a_training_that_was_stopped_ends_with_the_weights_of_the_unbroken_one(job, work):
    unbroken = trainer_of(job, "fold_8")
    unbroken.run_training()
    stopped = trainer_of(job, "fold_9")
    stopped.watchers = (_StopsAfter(4),)
    with pytest.raises(TrainingStopped) as caught:
        stopped.run_training()
    assert (caught.value.epoch, caught.value.iteration) == (1, 1)
    resumed = trainer_of(job, "fold_9")
    resumed.resume(resumed.job.folder / LATEST)
    resumed.run_training()
    expected = unbroken.network_core.state_dict()
    for name, weight in resumed.network_core.state_dict().items():
        assert torch.equal(weight, expected[name])


def test_the_option_trains_a_model_on_a_cpu(job):
    course = json.loads((job.folder.parent / "fold_0" / "history.json").read_text())
    assert len(course["train_losses"]) == 2
    assert all(map(isfinite, course["train_losses"] + course["val_losses"]))
