"""What there is to predict."""

import json

import numpy as np
import pytest

from wirsung.errors import ConfigError, ManifestError
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.volume import Volume
from wirsung.inference.sources import find_sources

VOLUME = Volume(np.zeros((2, 3, 4), np.int16), np.eye(4))


def _dataset(root):
    for case in ("a", "b", "c"):
        write_nifti(root / "ImageTr" / case / "ct.nii.gz", VOLUME)
    folds = [{"train": ["a"], "validation": ["b"]}, {"train": ["b"], "validation": ["a"]}]
    split = {"schema": 1, "seed": 0, "test_centres": [], "test": ["c"], "folds": folds}
    (root / "splits.json").write_text(json.dumps(split))


def test_a_file_and_a_folder_of_files(tmp_path):
    write_nifti(tmp_path / "one.nii.gz", VOLUME)
    write_nifti(tmp_path / "two.nii", VOLUME)
    (tmp_path / "notes.txt").touch()
    assert list(find_sources(tmp_path / "one.nii.gz")) == ["one"]
    found = find_sources(tmp_path)
    assert list(found) == ["one", "two"]
    assert found["two"].volume().shape == (2, 3, 4)


def test_a_raw_cohort_of_folders(tmp_path):
    write_nifti(tmp_path / "p1" / "ct.nii.gz", VOLUME)
    write_nifti(tmp_path / "p1" / "segmentations" / "liver.nii.gz", VOLUME)
    (tmp_path / "empty").mkdir()
    assert list(find_sources(tmp_path)) == ["p1"]


def test_a_dataset_and_its_splits(tmp_path):
    _dataset(tmp_path)
    assert list(find_sources(tmp_path)) == ["a", "b", "c"]
    assert list(find_sources(tmp_path, "test")) == ["c"]
    assert list(find_sources(tmp_path, "validation", 1)) == ["a"]
    with pytest.raises(ConfigError, match="Choose a fold from 0 to 1"):
        find_sources(tmp_path, "validation")


def test_a_key_changes_with_the_file(tmp_path):
    write_nifti(tmp_path / "one.nii.gz", VOLUME)
    before = find_sources(tmp_path)["one"].key()
    assert find_sources(tmp_path)["one"].key() == before
    write_nifti(tmp_path / "one.nii.gz", VOLUME.with_voxels(np.ones((2, 3, 4), np.int16)))
    assert find_sources(tmp_path)["one"].key() != before


def test_nothing_to_predict_is_an_error(tmp_path):
    with pytest.raises(ManifestError, match="holds no NIfTI image"):
        find_sources(tmp_path)
    with pytest.raises(ManifestError, match="does not exist"):
        find_sources(tmp_path / "x")


def test_two_images_of_one_name_are_an_error(tmp_path):
    write_nifti(tmp_path / "one.nii.gz", VOLUME)
    write_nifti(tmp_path / "one.nii", VOLUME)
    with pytest.raises(ManifestError, match="two images named one"):
        find_sources(tmp_path)


def test_a_split_of_what_is_no_dataset_is_an_error(tmp_path):
    write_nifti(tmp_path / "one.nii.gz", VOLUME)
    with pytest.raises(ConfigError, match="is not a dataset"):
        find_sources(tmp_path, "test")


def test_a_real_dicom_series_is_one_case(shared_data):
    found = find_sources(shared_data / "ct_dicom" / "series")
    assert [source.kind for source in found.values()] == ["dicom"]
    assert list(find_sources(shared_data / "ct_dicom")) == ["series", "totalsegmentator_v2"]


def test_files_named_as_nnunets_are_channels_of_a_case(tmp_path):
    for name in ("a_0000", "a_0001", "b_0000", "b_0001"):
        write_nifti(tmp_path / f"{name}.nii.gz", VOLUME)
    with pytest.raises(ManifestError, match=r"case a lacks a_0002.nii.gz, its channel T2"):
        find_sources(tmp_path, channels=("CT", "T1", "T2"))
    found = find_sources(tmp_path, channels=("CT", "T1"))
    assert list(found) == ["a", "b"]
    assert [path.name for path in found["a"].paths] == ["a_0000.nii.gz", "a_0001.nii.gz"]
    assert len(found["a"].volumes()) == 2
    assert list(find_sources(tmp_path / "a_0000.nii.gz", channels=("CT", "T1"))) == ["a"]


def test_one_channel_loses_its_number_only_where_all_images_have_it(tmp_path):
    write_nifti(tmp_path / "a_0000.nii.gz", VOLUME)
    write_nifti(tmp_path / "b_0000.nii.gz", VOLUME)
    assert list(find_sources(tmp_path)) == ["a", "b"]
    write_nifti(tmp_path / "c_0007.nii.gz", VOLUME)
    assert list(find_sources(tmp_path)) == ["a_0000", "b_0000", "c_0007"]


def test_a_folder_of_a_case_gives_the_channels_by_name(tmp_path):
    for name in ("t1", "t2"):
        write_nifti(tmp_path / "p1" / f"{name}.nii.gz", VOLUME)
    found = find_sources(tmp_path, channels=("T2", "T1"))["p1"]
    assert [path.name for path in found.paths] == ["t2.nii.gz", "t1.nii.gz"]
    assert find_sources(tmp_path)["p1"].modality == "t1"
