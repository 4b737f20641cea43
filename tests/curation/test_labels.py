import numpy as np
import pytest

from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
from wirsung.datasets.layout import Dataset
from wirsung.errors import ConfigError


def _label_map(cohort, values):
    """A label map with the values in a row, and its image."""
    labels = np.zeros((4, 4, 8), dtype=np.uint8)
    labels[1, 1, : len(values)] = values
    cohort.nifti("a.nii.gz", np.zeros(labels.shape, np.int16))
    cohort.nifti("../labels/a.nii.gz", labels)


def _curate(cohort, scheme):
    settings = CurateSettings(
        cohort.root, cohort.root.parent / "out", labels=cohort.root.parent / "labels", label_scheme=scheme
    )
    return curate(settings)


def _voxels(tmp_path):
    case = Dataset.open(tmp_path / "out").case("a")
    return {name: np.flatnonzero(case.mask(name).voxels[2, 1]).tolist() for name in case.structure_names()}


def test_a_label_map_gives_the_pancreas_its_parts_and_its_lesion(cohort, tmp_path):
    _label_map(cohort, [0, 17, 19, 28, 14])
    assert [item.status for item in _curate(cohort, "pants-28")] == ["done"]
    found = _voxels(tmp_path)
    assert len(found) == 28
    told = {name: places for name, places in found.items() if places}
    assert told == {"liver": [4], "pancreas": [1, 2, 3], "pancreas_head": [2], "pancreatic_lesion": [3]}


def test_structures_that_the_scheme_does_not_tell_get_no_mask(cohort, tmp_path):
    _label_map(cohort, [1, 2, 2])
    _curate(cohort, "msd-pancreas")
    assert _voxels(tmp_path) == {"pancreas": [0, 1, 2], "pancreatic_lesion": [1, 2]}


def test_classes_without_a_place_are_dropped_and_named_once(cohort, tmp_path):
    _label_map(cohort, [1, 2, 3, 4, 5, 6])
    outcomes = _curate(cohort, "panorama-6")
    assert [item.status for item in outcomes] == ["done"]
    # Arteries are three structures in one: none of them can be told.
    assert outcomes.lines()[:-1] == ["1 class of panorama-6 has no place in pants-28: arteries."]
    assert _voxels(tmp_path) == {
        "common_bile_duct": [5],
        "pancreas": [0, 3, 4],
        "pancreatic_duct": [4],
        "pancreatic_lesion": [0],
        "veins": [1],
    }


def test_a_value_that_the_scheme_does_not_have_fails_the_case(cohort, tmp_path):
    _label_map(cohort, [1, 2, 7, 9])
    (outcome,) = _curate(cohort, "msd-pancreas")
    assert outcome.status == "failed"
    assert "a.nii.gz of case a holds the values 7, 9, which msd-pancreas does not have" in outcome.message
    assert not (tmp_path / "out/ImageTr").exists() or list((tmp_path / "out/ImageTr").iterdir()) == []


def test_masks_named_as_in_another_scheme_are_merged_and_renamed(cohort, tmp_path):
    image = np.zeros((4, 4, 8), np.int16)
    cohort.nifti("a/ct.nii.gz", image)
    for index, name in enumerate(
        ["lung_upper_lobe_left", "lung_lower_lobe_left", "gallbladder", "esophagus"]
    ):
        mask = np.zeros(image.shape, np.uint8)
        mask[1, 1, index] = 1
        cohort.nifti(f"a/segmentations/{name}.nii.gz", mask)
    settings = CurateSettings(cohort.root, tmp_path / "out", label_scheme="totalsegmentator-v2")
    outcomes = curate(settings)
    assert outcomes.lines()[:-1] == ["1 class of totalsegmentator-v2 has no place in pants-28: esophagus."]
    assert _voxels(tmp_path) == {"gall_bladder": [2], "lung_left": [0, 1]}


def test_an_unknown_scheme_is_refused_before_anything_is_written(cohort, tmp_path):
    _label_map(cohort, [1])
    with pytest.raises(ConfigError, match="no scheme named 'msd'"):
        _curate(cohort, "msd")
    assert not (tmp_path / "out").exists()
