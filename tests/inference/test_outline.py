"""The key of a prediction: the same for what gives the same files, another for all else."""

import dataclasses

import pytest

from wirsung.imaging.nifti import write_nifti
from wirsung.inference.case import CaseWork
from wirsung.inference.outline import Outline
from wirsung.inference.settings import PredictSettings
from wirsung.inference.sources import find_sources


@pytest.fixture
def images(write_scans):
    return write_scans("one", "two")


@pytest.fixture
def key(images, model):
    """The key of a case by the settings that differ."""

    def made(case="one", **others):
        settings = PredictSettings(images, images.parent / "out", model=model, device="cpu", **others)
        work = CaseWork.of(settings)
        return Outline.of(settings, work.predictor, work.finishing).key(find_sources(images)[case])

    return made


def test_what_changes_the_files_changes_the_key(key):
    different = [
        key(),
        key("two"),
        key(mirror=True),
        key(step=0.7),
        key(preset="fast"),
        key(preset="balanced"),
        key(preset="fast", step=0.7),
        key(lesion_probability=True),
        key(modality="other"),
        key(postprocess=("one-piece",)),
        key(smallest_lesion_ml=0.1),
        key(smallest_lesion_ml=0.2),
    ]
    assert len(set(different)) == len(different)


def test_what_does_not_change_the_files_does_not_change_the_key(key, tmp_path):
    assert key() == key(workers=3) == key(retry=True) == key(strict=True) == key(threads=1) == key(step=0.5)


def test_weights_and_the_image_s_voxels_are_part_of_the_key(images, model, make_scan):
    settings = PredictSettings(images, images.parent / "out", model=model, device="cpu")
    work = CaseWork.of(settings)
    outline = Outline.of(settings, work.predictor, work.finishing)
    before = outline.key(find_sources(images)["one"])
    assert dataclasses.replace(outline, sha256="0" * 64).key(find_sources(images)["one"]) != before
    write_nifti(images / "one.nii.gz", make_scan((20, 18, 16), seed=5)[0])
    assert outline.key(find_sources(images)["one"]) != before


def test_the_head_of_the_record_names_no_path(images, model):
    settings = PredictSettings(images, images.parent / "out", model=model, device="cpu", folds=("all",))
    work = CaseWork.of(settings)
    told = Outline.of(settings, work.predictor, work.finishing).as_json()
    assert told["classes"] == {"17": "pancreas", "28": "pancreatic_lesion"}
    assert (told["model"], told["scheme"], told["device"]) == (model.name, "pants-28", "cpu")
    assert told["settings"]["fold"] == "auto"
    assert str(images.parent) not in str(told)
