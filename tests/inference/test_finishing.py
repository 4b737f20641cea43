"""Before a prediction is written: which steps are taken, and what `predictions.json` says of them."""

import json

import numpy as np
import pytest

from wirsung.errors import CheckpointError, ConfigError
from wirsung.imaging.nifti import read_image, read_label_map, write_nifti
from wirsung.inference.lesion_score import lesion_score
from wirsung.inference.postprocessing import NNUNET_FILE, Postprocessing
from wirsung.inference.predictor import Predictor
from wirsung.inference.run import PREDICTIONS_FILE, predict
from wirsung.inference.settings import PredictSettings

KEEP = "remove_all_but_largest_component_from_segmentation"


@pytest.fixture
def image(tmp_path, make_scan):
    volume, _ = make_scan()
    write_nifti(tmp_path / "case.nii.gz", volume)
    return tmp_path / "case.nii.gz"


@pytest.fixture
def run(model, image, tmp_path):
    """A function that predicts the image and returns the label map, and what is said of the case."""

    def predicted(name="out", **settings):
        chosen = {"model": model, "device": "cpu", **settings}
        (outcome,) = predict(PredictSettings(image, tmp_path / name, **chosen))
        assert outcome.status == "done", outcome.message
        content = json.loads((tmp_path / name / PREDICTIONS_FILE).read_text())
        return read_label_map(tmp_path / name / "case.nii.gz"), content["cases"]["case"]

    return predicted


def test_nothing_is_done_unless_it_is_asked_for(run, model, image):
    labels, said = run()
    expected = Predictor.load(model, device="cpu").predict(read_image(image))
    np.testing.assert_array_equal(labels.voxels, expected.label_map.voxels)
    assert not {"removed", "lesion_score"} & set(said)


def test_the_steps_that_are_asked_for_are_taken_and_recorded(run, model, image):
    labels, said = run(postprocess=("one-piece", "lesion-in-pancreas"), smallest_lesion_ml=0.1)
    predictor = Predictor.load(model, device="cpu")
    raw = predictor.predict(read_image(image)).label_map
    steps = Postprocessing(one_piece=True, lesion_in_pancreas=True, smallest_lesion_ml=0.1)
    expected, removed = steps(raw, predictor.classes)
    np.testing.assert_array_equal(labels.voxels, expected.voxels)
    assert said["removed"] == [item.as_json() for item in removed]
    gone_ml = np.count_nonzero(raw.voxels != labels.voxels) * 4.5e-3
    assert sum(item["volume_ml"] for item in said["removed"]) == pytest.approx(gone_ml, abs=1e-3)
    assert gone_ml > 0  # else this image could not show anything


def test_another_postprocessing_predicts_again_and_the_same_does_not(run, model, image, tmp_path):
    run(postprocess=("one-piece",))
    run(postprocess=("lesion-in-pancreas",))
    settings = PredictSettings(
        image, tmp_path / "out", model=model, device="cpu", postprocess=("lesion-in-pancreas",)
    )
    (outcome,) = predict(settings)
    assert outcome.status == "skipped"


def test_the_lesions_score_is_that_of_the_files_that_are_written(run, tmp_path):
    labels, said = run(lesion_probability=True)
    probability = read_image(tmp_path / "out" / "case_lesion.nii.gz")
    expected = lesion_score(probability, np.isin(labels.voxels, (17, 28)))
    assert said["lesion_score"]["region"] == "pancreas"
    assert said["lesion_score"]["maximum"] == pytest.approx(expected.maximum, abs=1e-5)
    assert said["lesion_score"]["top_mean"] == pytest.approx(expected.top_mean, abs=1e-5)
    assert said["lesion_score"]["top_voxels"] == 23  # 0.1 ml of voxels of 4.5 µl


def test_nnunets_own_postprocessing_counts_by_its_own_labels(run, model):
    file = model / NNUNET_FILE
    content = {"postprocessing_fns": [KEEP], "postprocessing_kwargs": [{"labels_or_regions": [1, 2]}]}
    file.write_text(json.dumps(content))
    try:
        labels, said = run(postprocess=("nnunet",))
    finally:
        file.unlink()
    raw, _ = run("plain")
    expected, _ = Postprocessing(largest=((17, 28),))(raw, ())
    np.testing.assert_array_equal(labels.voxels, expected.voxels)
    assert {item["step"] for item in said["removed"]} == {"largest"}


def test_nnunets_postprocessing_that_is_not_there_is_said_before_anything_is_predicted(run, tmp_path):
    with pytest.raises(CheckpointError, match=NNUNET_FILE):
        run(postprocess=("nnunet",))
    assert not (tmp_path / "out").exists()


def test_a_negative_smallest_volume_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="smallest_lesion_ml"):
        PredictSettings(tmp_path, tmp_path, smallest_lesion_ml=-1.0)
