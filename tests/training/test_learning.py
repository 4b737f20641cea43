"""A training that ends before its time, and goes on as if it never had."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wirsung.datasets.splits import Fold
from wirsung.errors import WirsungError
from wirsung.models.plans import parse_plans
from wirsung.models.weights import CHECKPOINT_FILE, read_checkpoint
from wirsung.training import learning
from wirsung.training.checkpoints import LATEST
from wirsung.training.job import Job
from wirsung.training.learning import run
from wirsung.training.presets import PRESETS
from wirsung.training.run import train
from wirsung.training.settings import TrainSettings
from wirsung.training.stopping import TrainingStopped
from wirsung.training.watching.journal import JOURNAL_FILE, read_journal, steps_of
from wirsung.training.workspace import Workspace

EPOCHS, ITERATIONS = 3, 4
SMALL = {
    "scheme": "demo-7",
    "preset": "demo",
    "device": "cpu",
    "epochs": EPOCHS,
    "iterations": ITERATIONS,
    "patch": (16, 16, 16),
    "features": (4, 8),
    "workers": 1,
}


@pytest.fixture(scope="module")
def unbroken(shared_dataset, tmp_path_factory):
    """A finished training, and the job that makes it again in another folder."""
    out = tmp_path_factory.mktemp("unbroken") / "model"
    train(TrainSettings(shared_dataset, out, **SMALL))
    plans = parse_plans(json.loads((out / "plans.json").read_text()))
    table = json.loads((out / "dataset.json").read_text())
    preset = replace(
        PRESETS["demo"], epochs=EPOCHS, iterations=ITERATIONS, patch=(16, 16, 16), features=(4, 8)
    )
    fold = Fold(("p0", "p1"), ("p2", "p3"))
    return Job(plans, table, 0, fold, out / "fold_0", preset, torch.device("cpu"), 0, names_sides=True)


class Killed(BaseException):
    """As abrupt as it gets within one process."""


class AfterSteps:
    """Looks on, and does something after so many batches of this call."""

    def __init__(self, steps, act):
        self.left = steps
        self.act = act
        self.told = []

    def started(self, trainer):
        self.trainer = trainer
        self.told.append(("started", trainer.current_epoch, trainer.iteration))

    def step(self, event):
        self.told.append((event.epoch, event.iteration))
        self.left -= 1
        if self.left == 0:
            self.act(self.trainer)

    def epoch(self, trainer, event):
        self.told.append(("epoch", event.epoch))

    def ended(self, trainer, reason):
        self.told.append(("ended", reason))


def learn(job, watcher=None):
    """Learn, looked on by the watcher."""
    with pytest.MonkeyPatch.context() as patch, Workspace(job.folder.parent).environment(0):
        patch.setattr(learning, "watchers_of", lambda _: () if watcher is None else (watcher,))
        run(job)


def elsewhere(job, number):
    folder = job.folder.parent / f"fold_{number}"
    folder.mkdir(exist_ok=True)
    (folder / LATEST).unlink(missing_ok=True)
    return replace(job, folder=folder)


def assert_same(job, other):
    """Weights, momentum and course are the same to the last bit."""
    one, two = (read_checkpoint(item.folder / CHECKPOINT_FILE) for item in (job, other))
    assert one["network_weights"].keys() == two["network_weights"].keys()
    for name, tensor in one["network_weights"].items():
        assert torch.equal(tensor, two["network_weights"][name]), name
    for index, state in one["optimizer_state"]["state"].items():
        for key, value in state.items():
            assert torch.equal(value, two["optimizer_state"]["state"][index][key])
    for key in ("train_losses", "val_losses", "mean_fg_dice", "ema_fg_dice", "lrs"):
        assert one["logging"][key] == two["logging"][key]
    assert one["wirsung"] == two["wirsung"]


def kill(_):
    raise Killed


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, EPOCHS * ITERATIONS), min_size=1, max_size=3), st.booleans())
def test_a_training_killed_at_any_steps_ends_as_the_unbroken_one(unbroken, steps, every_batch):
    job = replace(elsewhere(unbroken, 1), checkpoint_s=0.0 if every_batch else 1e9)
    job = replace(job, preset=replace(job.preset, checkpoint_every=1))
    for count in steps:
        try:
            learn(job, AfterSteps(count, kill))
        except Killed:
            continue
        break  # fewer batches were left than that
    if (job.folder / LATEST).exists() or not (job.folder / CHECKPOINT_FILE).exists():
        learn(job)
    assert_same(job, unbroken)
    assert not (job.folder / LATEST).exists()
    (job.folder / CHECKPOINT_FILE).unlink()


def test_it_goes_on_from_the_very_batch_that_was_last_saved(unbroken):
    job = replace(elsewhere(unbroken, 2), checkpoint_s=0.0)
    with pytest.raises(Killed):
        learn(job, AfterSteps(ITERATIONS + 3, kill))
    resumed = AfterSteps(1000, kill)
    learn(job, resumed)
    assert resumed.told[:4] == [("started", 1, 2), (1, 2), (1, 3), ("epoch", 1)]
    assert resumed.told[-2:] == [("epoch", EPOCHS - 1), ("ended", "finished")]


def no_time_left(trainer):
    trainer.clock.deadline_s = trainer.clock.now()


def interrupt(_):
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("act", "reason"), [(no_time_left, "max-hours"), (interrupt, "interrupted")], ids=["hours", "ctrl-c"]
)
@pytest.mark.parametrize("steps", [1, ITERATIONS, ITERATIONS + 2])
def test_a_training_that_stops_in_time_goes_on_as_if_it_had_not(unbroken, act, reason, steps):
    job = elsewhere(unbroken, 3)
    watcher = AfterSteps(steps, act)
    with pytest.raises(TrainingStopped) as stopped:
        learn(job, watcher)
    # After the last batch of an epoch what is left of it is the validation.
    epoch = (steps - 1) // ITERATIONS
    assert (stopped.value.reason, stopped.value.epoch) == (reason, epoch)
    assert stopped.value.iteration == steps - epoch * ITERATIONS
    assert watcher.told[-1] == ("ended", reason)
    learn(job)
    assert_same(job, unbroken)


def test_hours_that_are_over_at_once_leave_a_start_and_say_how_to_go_on(shared_dataset, unbroken, tmp_path):
    small = TrainSettings(shared_dataset, tmp_path / "m", **SMALL)
    first = train(replace(small, max_hours=1e-9))
    assert not first.skipped
    assert first.as_json()["finished"] is False
    said = " ".join(first.lines())
    assert "epoch 1 of 3, after 0 of 4 batches" in said
    assert "same command goes on" in said
    assert not (tmp_path / "m" / "wirsung.json").exists()
    last = train(replace(small, max_hours=9.0))
    assert last.as_json()["finished"] is True
    assert_same(replace(unbroken, folder=tmp_path / "m" / "fold_0"), unbroken)


def test_ctrl_c_ends_the_call_as_python_does(shared_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(learning, "watchers_of", lambda _: (AfterSteps(2, interrupt),))
    with pytest.raises(KeyboardInterrupt):
        train(TrainSettings(shared_dataset, tmp_path / "m", **SMALL))
    assert read_checkpoint(tmp_path / "m" / "fold_0" / LATEST)["wirsung"]["iteration"] == 2


def _saved(path):
    """How many batches a training's latest checkpoint has learnt."""
    if not path.is_file():
        return 0
    content = read_checkpoint(path)
    return content["current_epoch"] * ITERATIONS + content["wirsung"]["iteration"]


@pytest.mark.slow
def test_a_process_that_is_ended_again_and_again_ends_as_the_unbroken_one(shared_dataset, unbroken, tmp_path):
    words = [sys.executable, "-m", "wirsung", "train", str(shared_dataset), str(tmp_path / "m")]
    for name, value in {**SMALL, "checkpoint_minutes": 0}.items():
        values = value if isinstance(value, tuple) else (value,)
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    latest = tmp_path / "m" / "fold_0" / LATEST
    endings = [
        (1, signal.SIGKILL, -signal.SIGKILL),
        (3, signal.SIGINT, 130),
        (6, signal.SIGTERM, 143),
        (8, signal.SIGKILL, -signal.SIGKILL),
    ]
    ended = []
    for batches, kind, status in endings:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 300
        while _saved(latest) < batches and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(kind)
        ended.append(process.wait(timeout=300))
        assert ended[-1] in (status, 0)  # the little network may be done before the signal arrives
    assert ended[0] == -signal.SIGKILL
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert_same(replace(unbroken, folder=tmp_path / "m" / "fold_0"), unbroken)


def poison(trainer):
    """The next batches hold no numbers, as a damaged image would."""
    source = trainer.dataloader_train

    class Poisoned:
        def __next__(self):
            batch = next(source)
            return {**batch, "data": batch["data"] * float("nan")}

        def close(self):
            source.close()

    trainer.dataloader_train = Poisoned()


def test_a_loss_that_is_no_number_stops_with_the_cases_and_keeps_the_last_good_checkpoint(unbroken):
    job = replace(elsewhere(unbroken, 4), checkpoint_s=0.0)
    watcher = AfterSteps(ITERATIONS + 2, poison)
    with pytest.raises(WirsungError) as error:
        learn(job, watcher)
    said = str(error.value)
    assert "Fold 0: the loss is not a number any more in epoch 2, batch 3 (cases p" in said
    assert "The last good checkpoint is kept" in said
    assert "wirsung check" in said
    assert "--learning-rate" in said
    assert watcher.told[-1] == ("ended", "failed")
    kept = read_checkpoint(job.folder / LATEST)
    assert (kept["current_epoch"], kept["wirsung"]["iteration"]) == (1, 2)
    assert all(bool(torch.isfinite(tensor).all()) for tensor in kept["network_weights"].values())
    learn(job)
    assert_same(job, unbroken)


def spoil(trainer):
    """A weight is no number any more, though the last loss was one."""
    with torch.no_grad():
        next(trainer.network_core.parameters()).view(-1)[0] = float("nan")


def test_weights_that_are_no_numbers_are_never_saved(unbroken):
    job = replace(elsewhere(unbroken, 5), checkpoint_s=0.0)
    with pytest.raises(
        WirsungError, match=r"a weight is not a number any more in epoch 1, batch \d \(cases p"
    ):
        learn(job, AfterSteps(3, spoil))
    kept = read_checkpoint(job.folder / LATEST)
    assert kept["wirsung"]["iteration"] == 2
    assert all(bool(torch.isfinite(tensor).all()) for tensor in kept["network_weights"].values())


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_the_journal_of_a_resumed_training_has_the_batches_of_the_unbroken_one(
    shared_dataset, tmp_path, monkeypatch, device
):
    """On a GPU other processes load the batches, and weights differ in their last bits from run to run."""
    monkeypatch.setenv("nnUNet_compile", "f")
    small = TrainSettings(shared_dataset, tmp_path / "whole", **{**SMALL, "device": device, "workers": 2})
    train(small)
    broken = replace(small, out=tmp_path / "broken")
    real = learning.watchers_of
    with monkeypatch.context() as patch:
        patch.setattr(learning, "watchers_of", lambda job: (*real(job), AfterSteps(5, interrupt)))
        with pytest.raises(KeyboardInterrupt):
            train(broken)
    train(broken)
    whole, mended = (steps_of(read_journal(item.out / "fold_0" / JOURNAL_FILE)) for item in (small, broken))
    assert len(whole) == EPOCHS * ITERATIONS
    placed = [(step.epoch, step.iteration, step.cases, step.learning_rate) for step in whole]
    assert [(step.epoch, step.iteration, step.cases, step.learning_rate) for step in mended] == placed
    assert [step.loss for step in mended] == pytest.approx([step.loss for step in whole], abs=2e-2)
