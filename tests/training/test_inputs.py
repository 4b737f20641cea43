"""What a training starts from."""

import json

import numpy as np
import pytest

from wirsung.datasets.layout import Dataset
from wirsung.errors import LabelError, ManifestError
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.volume import Volume
from wirsung.training.inputs import inputs_of, require_lesions
from wirsung.training.settings import TrainSettings


def settings_of(dataset, tmp_path, **said):
    return TrainSettings(dataset, tmp_path / "m", **{"scheme": "demo-7", "preset": "demo"} | said)


def test_one_case_makes_no_folds_and_can_be_learnt_by_heart(tmp_path, patient):
    patient(tmp_path / "dataset", "p0", 0)
    one = settings_of(tmp_path / "dataset", tmp_path)
    with pytest.raises(ManifestError, match="one case to learn from, p0, and folds take at least two"):
        inputs_of(one)
    alone = inputs_of(settings_of(tmp_path / "dataset", tmp_path, fold="all"))
    assert alone.fold.train == alone.fold.validation == ("p0",)


def test_a_fold_without_training_or_validation_cases_is_refused(dataset, tmp_path):
    split = json.loads((dataset / "splits.json").read_text())
    split["folds"][1]["train"] = []
    (dataset / "splits.json").write_text(json.dumps(split))
    with pytest.raises(ManifestError, match="has 0 cases to learn from and 2 to validate with"):
        inputs_of(settings_of(dataset, tmp_path, fold=1))


def write_lesions(dataset, *, ill):
    """A mask of the lesion in every case, with voxels in those that are ill."""
    for case in Dataset.open(dataset).cases:
        grid = case.mask("pancreas")
        voxels = np.zeros(grid.shape, bool)
        voxels[16:18, 16:18, 10:12] = case.id in ill
        path = case.label_folder / "segmentations" / "pancreatic_lesion.nii.gz"
        write_nifti(path, Volume(voxels, grid.affine))


@pytest.mark.parametrize(
    ("ill", "fold", "advice"),
    [
        (("p2",), 0, "Choose another fold, folds of wirsung split --stratify tumour, or a --scheme without"),
        ((), "all", "Choose a --scheme without"),
        (("p4",), "all", "Choose a --scheme without"),
    ],
)
def test_a_lesion_that_no_training_case_has_is_refused_by_name(dataset, tmp_path, ill, fold, advice):
    write_lesions(dataset, ill=ill)
    settings = settings_of(dataset, tmp_path, fold=fold)
    inputs = inputs_of(settings)
    assert "pancreatic_lesion" in inputs.classes.labels
    with pytest.raises(
        LabelError, match=f"none of [24] training cases has a voxel of pancreatic_lesion.*{advice}"
    ):
        require_lesions(settings, inputs)


def test_a_lesion_in_one_training_case_is_enough_and_organs_may_be_absent(dataset, tmp_path):
    write_lesions(dataset, ill=("p1",))
    settings = settings_of(dataset, tmp_path)
    require_lesions(settings, inputs_of(settings))
