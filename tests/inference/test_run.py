"""The stage predict."""

import json
import shutil

import numpy as np
import pytest
import tyro

from wirsung.errors import ConfigError
from wirsung.imaging.nifti import read_image, read_label_map, write_nifti
from wirsung.inference.run import predict
from wirsung.inference.settings import PredictSettings


@pytest.fixture
def images(write_scans):
    return write_scans("one", "two")


def _settings(images, model, **others):
    return PredictSettings(images, images.parent / "out", model=model, device="cpu", **others)


def _statuses(outcomes):
    return [outcome.status for outcome in outcomes]


def test_each_image_gets_a_label_map_on_its_grid(images, model):
    outcomes = predict(_settings(images, model, lesion_probability=True))
    assert _statuses(outcomes) == ["done", "done"]
    out = images.parent / "out"
    for name in ("one", "two"):
        image, labels = read_image(images / f"{name}.nii.gz"), read_label_map(out / f"{name}.nii.gz")
        np.testing.assert_allclose(labels.affine, image.affine)
        assert set(np.unique(labels.voxels)) <= {0, 17, 28}
        probability = read_image(out / f"{name}_lesion.nii.gz")
        assert probability.voxels.max() <= 1
    record = json.loads((out / "predictions.json").read_text())
    assert record["scheme"] == "pants-28"
    assert list(record["cases"]) == ["one", "two"]
    assert record["classes"] == {"17": "pancreas", "28": "pancreatic_lesion"}


def test_what_is_done_is_skipped_and_what_changed_is_done_again(images, model, make_scan, tmp_path):
    predict(_settings(images, model))
    assert _statuses(predict(_settings(images, model))) == ["skipped", "skipped"]
    write_nifti(images / "two.nii.gz", make_scan((20, 18, 16), seed=7)[0])
    assert _statuses(predict(_settings(images, model))) == ["skipped", "done"]
    (tmp_path / "out" / "one.nii.gz").unlink()
    assert _statuses(predict(_settings(images, model))) == ["done", "skipped"]
    assert _statuses(predict(_settings(images, model, step=0.7))) == ["done", "done"]


def test_a_file_that_is_not_what_was_written_is_predicted_again(images, model, tmp_path):
    predict(_settings(images, model))
    whole = (tmp_path / "out" / "one.nii.gz").read_bytes()
    (tmp_path / "out" / "one.nii.gz").write_bytes(whole[:-10])
    assert _statuses(predict(_settings(images, model))) == ["done", "skipped"]
    assert (tmp_path / "out" / "one.nii.gz").read_bytes() == whole


def test_a_bad_image_fails_alone(images, model):
    (images / "bad.nii.gz").write_bytes(b"no image")
    outcomes = predict(_settings(images, model))
    assert _statuses(outcomes) == ["failed", "done", "done"]
    assert "bad" in outcomes[0].message
    told = json.loads((images.parent / "out" / "predictions.json").read_text())
    assert list(told["cases"]) == ["one", "two"]
    message = told["failed"]["bad"]["message"]
    assert message == outcomes[0].message.replace(f"{images}/", "")
    assert str(images) not in message


def test_predicting_twice_gives_the_same_bytes(images, model, tmp_path):
    predict(_settings(images, model))
    first = (tmp_path / "out" / "one.nii.gz").read_bytes()
    shutil.rmtree(tmp_path / "out")
    predict(_settings(images, model))
    assert (tmp_path / "out" / "one.nii.gz").read_bytes() == first


def test_a_stale_probability_does_not_stay_beside_a_new_map(images, model, tmp_path):
    predict(_settings(images, model, lesion_probability=True))
    predict(_settings(images, model, lesion_probability=False))
    assert not (tmp_path / "out" / "one_lesion.nii.gz").exists()


def test_no_model_and_no_lesion_are_said_before_any_work(images, model, tmp_path):
    with pytest.raises(ConfigError, match="--model"):
        predict(_settings(images, None))
    shutil.copytree(model, tmp_path / "m")
    (tmp_path / "m" / "wirsung.json").unlink()
    table = json.loads((model / "dataset.json").read_text())
    table["labels"] = {"background": 0, "pancreas": 1, "spleen": 2}
    (tmp_path / "m" / "dataset.json").write_text(json.dumps(table))
    with pytest.raises(ConfigError, match="has no class pancreatic_lesion"):
        predict(_settings(images, tmp_path / "m", lesion_probability=True))
    assert not (tmp_path / "out").exists()


def test_a_step_that_leaves_gaps_is_refused(images, model):
    with pytest.raises(ConfigError, match="step is"):
        _settings(images, model, step=1.5)


def test_folds_all_is_every_finished_fold_and_tta_is_mirror(images, model):
    settings = tyro.cli(PredictSettings, args=[str(images), "out", "--folds", "all", "--tta"])
    assert settings.chosen_folds is None
    assert settings.mirror
    assert tyro.cli(PredictSettings, args=["a", "b", "--folds", "0", "2"]).chosen_folds == (0, 2)
    with pytest.raises(ConfigError, match="--folds all is every finished fold"):
        PredictSettings(images, images, folds=("all", 1))
    predict(_settings(images, model))
    assert _statuses(predict(_settings(images, model, folds=("all",)))) == ["skipped", "skipped"]
