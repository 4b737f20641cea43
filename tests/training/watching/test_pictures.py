"""Pictures of a validation case: true to the network, and without a trace in the training."""

import base64
from dataclasses import replace

import numpy as np
import pytest
import torch

from wirsung.models.weights import CHECKPOINT_FILE, read_checkpoint
from wirsung.training import learning
from wirsung.training.trainer import Trainer
from wirsung.training.watching.events import Epoch
from wirsung.training.watching.pictures import INDEX_FILE, Pictures, drawn, predicted
from wirsung.training.watching.shown_case import ShownCase
from wirsung.training.workspace import Workspace, silence

PATCH = (16, 16, 16)


def learn(job, folder, monkeypatch, watchers):
    folder.mkdir(exist_ok=True)
    monkeypatch.setattr(learning, "watchers_of", lambda _: watchers)
    with Workspace(job.folder.parent).environment(0):
        learning.run(replace(job, folder=folder))
    return read_checkpoint(folder / CHECKPOINT_FILE, "cpu")


def test_a_training_is_the_same_to_the_bit_with_and_without_pictures(job, monkeypatch):
    root = job.folder.parent
    without = learn(job, root / "fold_1", monkeypatch, ())
    pictures = Pictures(root / "fold_2", 1, now=lambda: 0.0)
    with_them = learn(job, root / "fold_2", monkeypatch, (pictures,))
    assert [shot.epoch for shot in pictures.shots] == [0, 1, 2]
    assert without["network_weights"].keys() == with_them["network_weights"].keys()
    for name, value in without["network_weights"].items():
        assert torch.equal(value, with_them["network_weights"][name]), name
    for one, other in zip(
        without["optimizer_state"]["state"].values(),
        with_them["optimizer_state"]["state"].values(),
        strict=True,
    ):
        assert all(torch.equal(torch.as_tensor(one[key]), torch.as_tensor(other[key])) for key in one)
    for key in ("train_losses", "val_losses"):
        assert without["logging"][key] == with_them["logging"][key]


@pytest.fixture
def trainer(job):
    with Workspace(job.folder.parent).environment(0), silence():
        made = Trainer.of(job)
        made.initialize()
        made.current_epoch = 0
        yield made


def test_predicting_leaves_network_and_random_numbers_as_they_were(trainer):
    before = {name: value.clone() for name, value in trainer.network_core.state_dict().items()}
    states = (torch.get_rng_state(), np.random.get_state()[1].tolist())  # noqa: NPY002
    image = np.random.default_rng(0).normal(size=(1, 20, 20, 20)).astype(np.float32)
    for training in (True, False):
        trainer.network.train(training)
        predicted(trainer, image)
        assert trainer.network_core.training is training
    assert trainer.network_core.decoder.deep_supervision
    assert all(torch.equal(value, before[name]) for name, value in trainer.network_core.state_dict().items())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002


def test_the_prediction_is_the_networks(trainer):
    """Of one patch, where no window overlaps another, the answer of the network itself."""
    image = np.random.default_rng(1).normal(size=(1, *PATCH)).astype(np.float32)
    found = predicted(trainer, image)
    trainer.network.eval()
    with torch.no_grad():
        expected = trainer.network(torch.from_numpy(image)[None])[0].argmax(1)[0]
    np.testing.assert_array_equal(found, expected)


def test_a_picture_says_how_well_the_prediction_fits(trainer):
    pictures = Pictures(trainer.job.folder, 1)
    pictures.started(trainer)
    case = pictures._case
    plans = trainer.job.plans
    assert case.name in ("p2", "p3")
    pancreas = np.isin(case.labels, case.drawn["pancreas"])
    assert pancreas.any()
    exact = drawn(case, np.where(case.labels > 0, case.labels, 0).astype(np.uint8), plans, 4)
    assert exact.caption == f"Epoch 5, case {case.name}. DSC in this part: pancreas 1.00."
    nothing = drawn(case, np.zeros(case.labels.shape, np.uint8), plans, 4)
    assert "pancreas 0.00" in nothing.caption
    assert base64.b64decode(nothing.data_uri.partition(",")[2]).startswith(b"\xff\xd8")  # JPEG
    assert nothing.data_uri != exact.data_uri


def test_what_is_predicted_everywhere_is_said_instead_of_outlined(trainer):
    labels = np.zeros((8, 8, 8), np.int16)
    labels[2:4, 2:4, 2:4] = 3
    case = ShownCase("a", np.zeros((1, 8, 8, 8), np.float32), labels, {"pancreas": (3,)})
    plans = trainer.job.plans
    found = drawn(case, np.full(labels.shape, 3, np.uint8), plans, 0)
    assert found.caption.endswith("The pancreas is predicted in 100% of it, so without an outline.")
    assert drawn(case, labels.astype(np.uint8), plans, 0).caption.endswith("pancreas 1.00.")


def epoch(number):
    return Epoch(number, 1.0, 1.0, {}, 0.01, 1.0)


def test_pictures_are_made_every_few_epochs_and_after_the_last(trainer, tmp_path):
    trainer.num_epochs = 5
    pictures = Pictures(tmp_path, 2, now=lambda: 0.0)
    pictures.started(trainer)
    for number in range(5):
        pictures.epoch(trainer, epoch(number))
    assert [shot.epoch + 1 for shot in pictures.shots] == [2, 4, 5]
    assert len(pictures.latest(2)) == 2


def test_pictures_that_would_take_a_tenth_of_the_time_are_left_out(trainer, tmp_path):
    trainer.num_epochs = 6
    clock = [0.0]
    pictures = Pictures(tmp_path, 1, now=lambda: clock[0])
    pictures.started(trainer)
    draw = pictures._draw

    def slowly(*arguments):
        draw(*arguments)
        clock[0] += 2.0

    pictures._draw = slowly
    for number in range(6):
        clock[0] += 5.0
        pictures.epoch(trainer, epoch(number))
    # After 2 s for the first, none until 20 s are over; the last is always drawn.
    assert [shot.epoch + 1 for shot in pictures.shots] == [1, 4, 6]


def test_epochs_that_are_learnt_again_are_drawn_again(trainer, tmp_path):
    trainer.num_epochs = 3
    first = Pictures(tmp_path, 1, now=lambda: 0.0)
    first.started(trainer)
    for number in range(3):
        first.epoch(trainer, epoch(number))
    trainer.current_epoch = 1
    again = Pictures(tmp_path, 1, now=lambda: 0.0)
    again.started(trainer)
    assert [shot.epoch for shot in again.shots] == [0]
    again.epoch(trainer, epoch(1))
    assert [shot.epoch for shot in again.shots] == [0, 1]


def test_a_damaged_index_is_no_obstacle(trainer, tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / INDEX_FILE).write_text('{"pictures": [')
    pictures = Pictures(tmp_path, 1)
    pictures.started(trainer)
    assert pictures.shots == ()


def test_a_picture_that_fails_ends_no_training(trainer, tmp_path):
    pictures = Pictures(tmp_path / "file", 1, now=lambda: 0.0)
    pictures.started(trainer)
    (tmp_path / "file").write_text("in the way of the folder")
    pictures.epoch(trainer, epoch(0))
    assert pictures.shots == ()
    assert pictures.obstacle.startswith("No picture of epoch 1: ")


def test_a_case_that_can_not_be_read_ends_no_training(trainer, tmp_path):
    missing = replace(trainer.job.cases, validation=("nobody",))
    trainer.job = replace(trainer.job, cases=missing)
    pictures = Pictures(tmp_path, 1, now=lambda: 0.0)
    pictures.started(trainer)
    pictures.epoch(trainer, epoch(0))
    assert pictures.shots == ()
    assert pictures.obstacle.startswith("No pictures: ")
