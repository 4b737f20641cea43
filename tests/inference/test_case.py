"""One case, read, computed and written by a warm model."""

import json

import numpy as np
import pytest

from wirsung.compute.file_state import sha256_of_file
from wirsung.errors import ConfigError, ImageError
from wirsung.imaging.nifti import read_image, read_label_map, write_nifti
from wirsung.inference.case import CaseTask, CaseWork, how_of
from wirsung.inference.settings import PredictSettings
from wirsung.inference.sources import Source


@pytest.fixture
def image(tmp_path, make_scan):
    write_nifti(tmp_path / "images" / "one.nii.gz", make_scan((20, 18, 16))[0])
    return tmp_path / "images" / "one.nii.gz"


@pytest.fixture
def work(image, model, tmp_path):
    def made(**others):
        return CaseWork.of(PredictSettings(image, tmp_path / "out", model=model, device="cpu", **others))

    return made


def _task(path, case="one"):
    return CaseTask(Source("nifti", path, case), "a key")


def test_the_three_steps_leave_the_files_and_say_what_they_are(work, image, tmp_path):
    written = work(lesion_probability=True)(_task(image))
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["one.nii.gz", "one_lesion.nii.gz"]
    assert written.row["sha256"] == {name: sha256_of_file(tmp_path / "out" / name) for name in files}
    assert {name: size for name, (size, _) in written.states.items()} == {
        name: (tmp_path / "out" / name).stat().st_size for name in files
    }
    assert written.row["key"] == written.predicted.key == "a key"
    assert set(written.predicted.seconds) >= {"reading", "preparing", "network", "labels", "writing"}
    assert written.predicted.duration_s == pytest.approx(sum(written.predicted.seconds.values()), abs=1e-3)
    assert json.loads(json.dumps(written.row)) == written.row
    labels, probability = (
        read_label_map(tmp_path / "out" / files[0]),
        read_image(tmp_path / "out" / files[1]),
    )
    assert written.row["lesion_score"]["maximum"] == pytest.approx(probability.voxels.max(), abs=1e-6)
    expected = work().predictor.predict(read_image(image), lesion_probability=True)
    np.testing.assert_array_equal(labels.voxels, expected.label_map.voxels)
    np.testing.assert_array_equal(probability.voxels, expected.lesion_probability.voxels)


def test_volumes_read_by_somebody_else_give_the_same(work, image, tmp_path):
    own = work()
    own(_task(image))
    first = (tmp_path / "out" / "one.nii.gz").read_bytes()
    written = own.store(own.compute_volumes(_task(image), (read_image(image),), None))
    assert (tmp_path / "out" / "one.nii.gz").read_bytes() == first
    assert written.predicted.seconds["reading"] == 0


def test_a_probability_that_another_model_made_does_not_stay_beside_the_new_labels(work, image, tmp_path):
    work(lesion_probability=True)(_task(image))
    work()(_task(image))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["one.nii.gz"]


def test_what_can_not_be_read_says_so_and_leaves_nothing(work, image, tmp_path):
    image.write_bytes(image.read_bytes()[:200])
    with pytest.raises(ImageError):
        work()(_task(image))
    assert not (tmp_path / "out").exists()


def test_without_a_model_there_is_no_work(image, tmp_path):
    with pytest.raises(ConfigError, match="Which model"):
        CaseWork.of(PredictSettings(image, tmp_path / "out"))


def test_every_choice_on_the_command_line_reaches_the_model(image, tmp_path):
    settings = PredictSettings(
        image,
        tmp_path / "out",
        device="cpu",
        folds=(1, 3),
        checkpoint="best",
        mirror=True,
        preset="fast",
        step=0.6,
        threads=3,
        choose="fullres",
        previous_stage=tmp_path,
        lesion="tumour",
    )
    how = how_of(settings)
    assert (how.device, how.folds, how.checkpoint, how.mirror) == ("cpu", (1, 3), "best", True)
    assert (how.preset, how.step, how.threads, how.choose) == ("fast", 0.6, 3, "fullres")
    assert (how.previous_stage, how.lesion) == (tmp_path, "tumour")
