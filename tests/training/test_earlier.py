"""What earlier trainings left in the model folder."""

import json
import shutil
from dataclasses import replace

import pytest

from wirsung.errors import ConfigError
from wirsung.training.checkpoints import LATEST
from wirsung.training.earlier import content_of
from wirsung.training.run import train
from wirsung.training.settings import TrainSettings

SMALL = {
    "scheme": "demo-7",
    "preset": "demo",
    "device": "cpu",
    "epochs": 1,
    "iterations": 2,
    "patch": (16, 16, 16),
    "features": (4, 8),
    "workers": 1,
}


@pytest.fixture(scope="module")
def finished(shared_dataset, tmp_path_factory):
    settings = TrainSettings(shared_dataset, tmp_path_factory.mktemp("finished") / "model", **SMALL)
    train(settings)
    return settings


@pytest.fixture(scope="module")
def begun(shared_dataset, tmp_path_factory):
    settings = TrainSettings(shared_dataset, tmp_path_factory.mktemp("begun") / "model", **SMALL)
    train(replace(settings, max_hours=1e-9))
    assert (settings.out / "fold_0" / LATEST).is_file()
    return settings


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def assert_refused(settings, words):
    """With these words, and without a touch."""
    before = files_of(settings.out)
    with pytest.raises(ConfigError, match=words):
        train(settings)
    assert files_of(settings.out) == before


@pytest.mark.parametrize("fold", [0, 1])
def test_a_plan_for_another_spacing_is_refused(finished, fold):
    words = (
        r"holds folds 0 of other data or settings, planned for 5.00 x 4.00 x 4.00 mm \(z, y, x\): "
        r"finest_mm 4.0 there and 6.0 now\. .*choose another folder"
    )
    assert_refused(replace(finished, finest_mm=6.0, fold=fold), words)


def test_an_unfinished_training_is_not_thrown_away_for_another_plan(begun):
    words = "an unfinished fold 0 of other data or settings.*: patch 16 16 16 there and 16 16 32 now"
    assert_refused(replace(begun, patch=(16, 16, 32)), words)


def test_a_finished_training_is_not_extended(finished):
    words = r"fold_0 is finished with 1 epochs, .* so 5 can't be made of them\. Say --epochs 1,"
    assert_refused(replace(finished, epochs=5), words)
    assert train(finished).skipped


def test_an_unfinished_training_keeps_its_number_of_epochs(begun):
    assert_refused(replace(begun, epochs=5), "fold_0 was begun with 1 epochs")
    assert train(replace(begun, max_hours=1e-9)).stopped_at


def test_other_cases_are_told_from_other_settings(finished, shared_dataset, tmp_path):
    shutil.copytree(shared_dataset, tmp_path / "copy", copy_function=shutil.copyfile)
    assert_refused(replace(finished, dataset=tmp_path / "copy"), "its cases or their files have changed")


def test_a_model_that_somebody_else_trained_is_not_written_over(finished, shared_dataset, tmp_path):
    (tmp_path / "model" / "fold_0").mkdir(parents=True)
    shutil.copyfile(finished.out / "plans.json", tmp_path / "model" / "plans.json")
    words = "holds a model, planned for 5.00 x 4.00 x 4.00 mm .* that has no wirsung.json"
    assert_refused(replace(finished, out=tmp_path / "model"), words)


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff"])
def test_a_file_that_is_cut_short_says_nothing(tmp_path, text):
    (tmp_path / "plan.json").write_text(text, encoding="latin-1")
    assert content_of(tmp_path / "plan.json") == {}
    assert content_of(tmp_path / "absent.json") == {}
    (tmp_path / "plan.json").write_text(json.dumps({"key": 1}))
    assert content_of(tmp_path / "plan.json") == {"key": 1}
