import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from wirsung.models.weights import Weights, save_weights
from wirsung.training.experiments.arm_run import ArmTask, count_of, read_done

WORK = Path("work")


@pytest.fixture
def task(tmp_path):
    """A run that was finished."""
    made = ArmTask(
        arm="a",
        seed=0,
        folder=tmp_path,
        learn=WORK,
        tests={"unseen": WORK},
        work=WORK,
        train={"epochs": 2},
        predict={},
        evaluate={},
        device="cpu",
        cases=("d/c1",),
        tumours=1,
        content="abc",
    )
    (tmp_path / "scores" / "unseen").mkdir(parents=True)
    (tmp_path / "scores" / "unseen" / "summary.json").touch()
    (tmp_path / "run.json").write_text(json.dumps({"key": made.key, "train_s": 3.0}))
    return made


def test_a_finished_run_is_known(task):
    assert read_done(task)["train_s"] == 3.0


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"train": {"epochs": 3}},
        {"content": "def"},
        {"tests": {"other": WORK}},
        {"predict": {"step": 1.0}},
    ],
)
def test_other_settings_or_cases_are_another_run(task, change):
    assert read_done(replace(task, **change)) is None


@pytest.mark.parametrize("change", [{"device": "cuda"}, {"processes": 4}, {"work": Path("elsewhere")}])
def test_where_and_how_fast_it_runs_is_no_other_run(task, change):
    assert read_done(replace(task, **change)) is not None


def test_a_run_whose_scores_are_gone_is_not_done(task):
    (task.folder / "scores" / "unseen" / "summary.json").unlink()
    assert read_done(task) is None


def test_a_damaged_record_is_no_record(task):
    (task.folder / "run.json").write_text("{")
    assert read_done(task) is None


def test_the_numbers_of_a_network_are_counted(tmp_path):
    state = {"a": torch.zeros(2, 3), "b": torch.zeros(4), "c": torch.zeros(())}
    save_weights(tmp_path / "weights.safetensors", Weights(state, "3d_fullres", (), "t"))
    assert count_of(tmp_path / "weights.safetensors") == 11
