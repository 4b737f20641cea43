from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from wirsung.curation.intake import Source, attach_labels, dicom_files, find_sources, stem
from wirsung.errors import ConfigError, ManifestError

IMAGE = np.zeros((3, 3, 3), np.int16)


def _dicom(folder, name="1.dcm"):
    folder.mkdir(parents=True, exist_ok=True)
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.save_as(folder / name)


def _found(root):
    return [(item.case, item.kind, item.place) for item in find_sources(root)]


def test_case_folders_are_found_by_their_images(cohort):
    cohort.nifti("a/ct.nii.gz", IMAGE)
    cohort.nifti("b/t1.nii.gz", IMAGE)
    cohort.nifti("c/t2.nii.gz", IMAGE)
    cohort.nifti("c/segmentations/liver.nii.gz", IMAGE)
    found = find_sources(cohort.root)
    assert [(item.case, item.modality) for item in found] == [("a", "ct"), ("b", "t1"), ("c", "t2")]
    assert [path.name for path in found[2].masks] == ["liver.nii.gz"]


def test_a_readers_further_masks_are_no_cases(cohort):
    cohort.nifti("a/ct.nii.gz", IMAGE)
    cohort.nifti("a/reader-2/liver.nii.gz", IMAGE)
    assert _found(cohort.root) == [("a", "nifti", "a")]


def test_folders_with_dicom_files_are_found_at_any_depth(cohort):
    _dicom(cohort.root / "a/dicom")
    _dicom(cohort.root / "b", "IM0001")
    _dicom(cohort.root / "study/7/series-c")
    assert _found(cohort.root) == [
        ("a", "dicom", "a"),
        ("b", "dicom", "b"),
        ("series-c", "dicom", "study/7/series-c"),
    ]


def test_a_dicom_folder_holds_its_subfolders_any_other_its_own_files(cohort):
    _dicom(cohort.root / "a/dicom/1")
    _dicom(cohort.root / "b")
    _dicom(cohort.root / "b/more")
    found = find_sources(cohort.root)
    assert [item.case for item in found] == ["a", "b", "more"]
    assert [len(dicom_files(item.image, is_deep=item.is_deep)) for item in found] == [1, 1, 1]


@pytest.mark.parametrize("name", ["src/dicom", "src"])
def test_a_folder_of_series_may_be_called_dicom(tmp_path, name):
    for case in ("a", "b"):
        _dicom(tmp_path / "src/dicom" / case)
    assert [item.case for item in find_sources(tmp_path / name)] == ["a", "b"]


def test_a_single_series_is_named_by_its_folder(cohort):
    _dicom(cohort.root / "series")
    assert [(item.case, item.kind) for item in find_sources(cohort.root / "series")] == [("series", "dicom")]


def test_a_single_case_folder_is_a_case(cohort):
    cohort.nifti("a/ct.nii.gz", IMAGE)
    cohort.nifti("a/segmentations/liver.nii.gz", IMAGE)
    (found,) = find_sources(cohort.root / "a")
    assert (found.case, found.modality, len(found.masks)) == ("a", "ct", 1)


def test_a_flat_folder_and_a_single_file_are_named_by_their_files(cohort):
    path = cohort.nifti("case.1.nii.gz", IMAGE)
    cohort.nifti("b.nii", IMAGE)
    assert [(item.case, item.modality) for item in find_sources(cohort.root)] == [
        ("b", None),
        ("case.1", None),
    ]
    assert [item.case for item in find_sources(path)] == ["case.1"]
    assert stem("case.1.nii.gz") == "case.1"


def test_two_images_in_a_folder_are_a_problem(cohort):
    cohort.nifti("a/ct.nii.gz", IMAGE)
    cohort.nifti("a/t1.nii.gz", IMAGE)
    cohort.nifti("b/ct.nii.gz", IMAGE)
    problems = {item.case: item.problem for item in find_sources(cohort.root)}
    assert "a holds ct.nii.gz and t1.nii.gz" in problems["a"]
    assert problems["b"] == ""


def test_a_folder_of_masks_without_an_image_is_a_problem(cohort):
    cohort.nifti("a/segmentations/liver.nii.gz", IMAGE)
    cohort.nifti("b/ct.nii.gz", IMAGE)
    problems = {item.case: item.problem for item in find_sources(cohort.root)}
    assert "a holds no ct.nii.gz" in problems["a"]


def test_names_that_differ_by_case_alone_are_one(cohort):
    cohort.nifti("A.nii.gz", IMAGE)
    cohort.nifti("a.nii.gz", IMAGE)
    (found,) = find_sources(cohort.root)
    assert "A.nii.gz and a.nii.gz are both called A" in found.problem


def test_a_file_that_is_no_image_is_refused(cohort):
    path = cohort.root / "a.txt"
    path.write_text("no image")
    with pytest.raises(ManifestError, match="is not a NIfTI file"):
        find_sources(path)
    _dicom(cohort.root)
    with pytest.raises(ManifestError, match="Name the folder of its series"):
        find_sources(cohort.root / "1.dcm")


def test_label_maps_go_to_the_cases_of_their_name(cohort, tmp_path):
    for name in ("src/a.nii.gz", "src/b.nii.gz", "labels/a.nii.gz", "labels/z.nii.gz"):
        cohort.nifti(f"../{name}", IMAGE)
    found, left = attach_labels(find_sources(cohort.root), tmp_path / "labels")
    assert [item.label_map for item in found] == [tmp_path / "labels/a.nii.gz", None]
    assert left == ["z"]
    assert found[0].problem == ""
    assert "there is no b.nii.gz in --labels" in found[1].problem


def test_label_maps_within_the_source_are_no_cases(cohort):
    cohort.nifti("a.nii.gz", IMAGE)
    labels = cohort.nifti("labels/a.nii.gz", IMAGE).parent
    found, _ = attach_labels(find_sources(cohort.root, labels), labels)
    assert [(item.case, item.problem) for item in found] == [("a", "")]


def test_one_label_map_is_for_one_case():
    sources = [Source("a", "a"), Source("b", "b")]
    with pytest.raises(ConfigError, match="one label map for 2 cases"):
        attach_labels(sources, Path(__file__))


def test_labels_that_are_missing_are_refused(tmp_path):
    with pytest.raises(ManifestError, match="does not exist"):
        attach_labels([Source("a", "a")], tmp_path / "nowhere")
    with pytest.raises(ManifestError, match="holds no label map"):
        attach_labels([Source("a", "a")], tmp_path)


def test_masks_and_a_label_map_for_one_case_are_a_problem(tmp_path):
    (tmp_path / "a.nii.gz").touch()
    (found,), _ = attach_labels([Source("a", "a", masks=(Path("liver.nii.gz"),))], tmp_path)
    assert "a has segmentations/, and a.nii.gz in --labels" in found.problem
