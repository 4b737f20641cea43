import csv
import json

import nibabel
import numpy as np
import pytest

from wirsung.curation.check import check
from wirsung.curation.combined import alphabetical_values
from wirsung.curation.run import curate
from wirsung.curation.settings import CheckSettings, CurateSettings
from wirsung.datasets.layout import Dataset
from wirsung.datasets.manifest import ManifestRow, write_manifest
from wirsung.errors import ConfigError, ManifestError


@pytest.fixture
def dataset(cohort, tmp_path):
    """A curated dataset of two cases, a with a lesion and b without."""
    cohort.case("a")
    cohort.case("b", seed=1, lesion=False)
    curate(CurateSettings(cohort.root, tmp_path / "out"))
    return Dataset.open(tmp_path / "out")


def _codes(dataset):
    return {
        (finding.case, finding.file, finding.rule) for finding in check(CheckSettings(dataset.root)).findings
    }


def _change(path, change):
    image = nibabel.load(path)
    array = np.asanyarray(image.dataobj).copy()
    changed = change(array)
    new = nibabel.Nifti1Image(array if changed is None else changed, image.affine)
    new.header.set_xyzt_units("mm")
    nibabel.save(new, path)


def _mask(name):
    return f"segmentations/{name}.nii.gz"


def test_a_curated_dataset_has_nothing_wrong(dataset):
    audit = check(CheckSettings(dataset.root))
    assert [outcome.status for outcome in audit] == ["done", "done"]
    assert audit.findings == ()
    assert audit.lines() == []


def test_a_mask_that_changed_is_found_by_its_checksum(dataset):
    def grow(array):
        array[11, 9, 7] = 1

    _change(dataset.case("a").mask_path("liver"), grow)
    audit = check(CheckSettings(dataset.root))
    assert [outcome.status for outcome in audit] == ["failed", "done"]
    assert "segmentations/liver.nii.gz" in audit[0].message
    assert {finding.rule for finding in audit.findings} == {"mask_changed", "combined_differs"}


def test_an_image_that_changed_is_found_by_its_checksum(dataset):
    def warm(array):
        array[5, 5, 5] += 1

    _change(dataset.case("b").image_path, warm)
    assert _codes(dataset) == {("b", "ct.nii.gz", "image_changed")}


def test_a_damaged_image_is_one_finding(dataset):
    path = dataset.case("a").image_path
    path.write_bytes(path.read_bytes()[:-20])
    assert _codes(dataset) == {("a", "ct.nii.gz", "image_unreadable")}


def test_an_image_outside_its_clip_is_found(dataset):
    def brighten(array):
        array[5, 5, 5] = 1200

    _change(dataset.case("b").image_path, brighten)
    assert ("b", "ct.nii.gz", "outside_clip") in _codes(dataset)


def test_a_missing_mask_is_found(dataset):
    dataset.case("a").mask_path("liver").unlink()
    assert ("a", _mask("liver"), "mask_missing") in _codes(dataset)


def test_a_mask_with_other_values_is_found(dataset):
    def label(array):
        return array.astype(np.int16) * 3

    _change(dataset.case("a").mask_path("liver"), label)
    assert ("a", _mask("liver"), "mask_not_binary") in _codes(dataset)


def test_a_mask_on_another_grid_is_found_with_its_distance(dataset):
    path = dataset.case("a").mask_path("liver")
    image = nibabel.load(path)
    affine = image.affine.copy()
    affine[0, 3] += 3
    nibabel.save(nibabel.Nifti1Image(np.asanyarray(image.dataobj), affine), path)
    (finding,) = [item for item in check(CheckSettings(dataset.root)).findings if item.rule == "mask_grid"]
    assert "3 mm" in finding.sentence


def _release(cohort, tmp_path):
    """The cohort as PanTS lays a release out, without any table."""
    for path in list(cohort.root.iterdir()):
        (tmp_path / "pants/ImageTr" / path.name).mkdir(parents=True)
        (tmp_path / "pants/LabelAll" / path.name).mkdir(parents=True)
        (path / "ct.nii.gz").rename(tmp_path / "pants/ImageTr" / path.name / "ct.nii.gz")
        (path / "segmentations").rename(tmp_path / "pants/LabelAll" / path.name / "segmentations")
    return tmp_path / "pants"


def test_a_release_of_pants_is_audited_and_not_changed(cohort, tmp_path):
    cohort.case("PanTS_00000001")
    root = _release(cohort, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    audit = check(CheckSettings(root))
    assert [(item.case, item.status) for item in audit] == [("PanTS_00000001", "done")]
    assert audit.findings == ()
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def _with_manifest(root, tumour):
    write_manifest(root, [ManifestRow("a", "a", tumour=tumour)])
    return Dataset.open(root)


def test_a_tumour_flag_without_a_lesion_is_found(cohort, tmp_path):
    cohort.case("a", lesion=False)
    assert _codes(_with_manifest(_release(cohort, tmp_path), True)) == {
        ("a", _mask("pancreatic_lesion"), "flag_without_lesion")
    }


def test_a_lesion_without_a_tumour_flag_is_found(cohort, tmp_path):
    cohort.case("a")
    codes = _codes(_with_manifest(_release(cohort, tmp_path), False))
    assert ("a", _mask("pancreatic_lesion"), "lesion_without_flag") in codes


def test_a_speck_of_a_lesion_is_a_warning(cohort, tmp_path):
    mask = cohort.case("a")["pancreatic_lesion"] * 0
    mask[3, 4, 3:6] = 1
    cohort.nifti("a/segmentations/pancreatic_lesion.nii.gz", mask)
    audit = check(CheckSettings(_release(cohort, tmp_path)))
    assert [(item.rule, item.severity) for item in audit.findings] == [("lesion_tiny", "warning")]
    assert "3 voxels" in audit.findings[0].sentence
    assert audit[0].status == "done"


def test_parts_that_overlap_or_leave_the_pancreas_are_found(cohort, tmp_path):
    mask = cohort.case("a")["pancreas_tail"]
    mask[5, 3, 2:4] = 1  # two voxels of the body
    mask[9, 9, 7] = 1  # outside
    cohort.nifti("a/segmentations/pancreas_tail.nii.gz", mask)
    findings = check(CheckSettings(_release(cohort, tmp_path))).findings
    assert [(item.file, item.rule, item.sentence) for item in findings if item.severity == "error"] == [
        (_mask("pancreas_tail"), "parts_overlap", "2 voxels are in pancreas_body too."),
        (_mask("pancreas_tail"), "part_outside_pancreas", "1 of 43 voxels lie outside the pancreas."),
    ]


def test_masks_in_another_axis_order_are_a_warning(cohort, tmp_path):
    arrays = cohort.case("a")
    affine = nibabel.load(cohort.root / "a/ct.nii.gz").affine @ np.diag([-1.0, 1, 1, 1])
    affine[:3, 3] += nibabel.load(cohort.root / "a/ct.nii.gz").affine[:3, 0] * 11
    cohort.nifti("a/segmentations/liver.nii.gz", arrays["liver"][::-1], affine)
    audit = check(CheckSettings(_release(cohort, tmp_path)))
    assert [(item.rule, item.severity) for item in audit.findings] == [("mask_axis_order", "warning")]


def test_values_that_are_hardly_hu_are_a_warning(cohort, tmp_path):
    cohort.nifti("a/ct.nii.gz", np.full((4, 4, 4), 1024, np.int16))
    curate(CurateSettings(cohort.root, tmp_path / "out", clip_hu=None))
    assert _codes(Dataset.open(tmp_path / "out")) == {("a", "ct.nii.gz", "not_hu")}


@pytest.mark.parametrize("lesion", [True, False])
def test_a_combined_label_map_of_the_alphabetical_kind_is_told_apart(cohort, tmp_path, lesion):
    arrays = cohort.case("a", lesion=lesion)
    veins = np.zeros_like(arrays["liver"])
    veins[3, 8, :] = 1
    cohort.nifti("a/segmentations/veins.nii.gz", veins)
    curate(CurateSettings(cohort.root, tmp_path / "out"))
    root = _release(cohort, tmp_path)
    label_map = np.asanyarray(nibabel.load(tmp_path / "out/LabelTr/a/combined_labels.nii.gz").dataobj)[::-1]
    affine = nibabel.load(root / "ImageTr/a/ct.nii.gz").affine
    combined = root / "LabelAll/a/combined_labels.nii.gz"

    nibabel.save(nibabel.Nifti1Image(label_map, affine), combined)
    assert _codes(Dataset.open(root)) == set()

    other = np.zeros_like(label_map)
    for official, alphabetical in alphabetical_values().items():
        other[label_map == official] = alphabetical
    nibabel.save(nibabel.Nifti1Image(other, affine), combined)
    codes = {code for _, _, code in _codes(Dataset.open(root))}
    assert codes == {"combined_alphabetical"}


def test_cases_without_row_or_folder_are_found(dataset):
    write_manifest(dataset.root, [ManifestRow("a", "a", tumour=True), ManifestRow("gone", "p")])
    codes = _codes(dataset)
    assert ("b", "manifest.parquet", "case_unlisted") in codes
    assert ("gone", "manifest.parquet", "case_missing") in codes


def test_a_missing_label_map_is_found(dataset):
    dataset.case("a").combined_path.unlink()
    assert _codes(dataset) == {("a", "combined_labels.nii.gz", "combined_missing")}


def test_a_folder_that_no_case_may_be_called_is_found(dataset):
    for side in ("ImageTr", "LabelTr"):
        (dataset.root / side / "b").rename(dataset.root / side / "b (copy)")
    codes = _codes(dataset)
    assert ("b (copy)", "b (copy)", "case_id") in codes
    assert ("b", "manifest.parquet", "case_missing") in codes


def test_a_curated_image_in_another_axis_order_is_found(dataset):
    path = dataset.case("a").image_path
    nibabel.save(nibabel.load(path).slicer[::-1], path)
    assert ("a", "ct.nii.gz", "axis_order") in _codes(dataset)


def test_a_case_without_masks_is_a_warning(dataset):
    for path in (dataset.root / "LabelTr/b/segmentations").iterdir():
        path.unlink()
    findings = check(CheckSettings(dataset.root)).findings
    assert [(item.case, item.rule) for item in findings if item.severity == "warning"] == [("b", "no_labels")]


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_the_findings_are_written_where_asked(dataset, tmp_path, suffix):
    dataset.case("a").mask_path("liver").unlink()
    out = tmp_path / f"findings{suffix}"
    audit = check(CheckSettings(dataset.root, out))
    if suffix == ".csv":
        with out.open(newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = json.loads(out.read_text())["findings"]
    assert len(rows) == len(audit.findings) == 2
    assert rows[0]["case"] == "a"
    assert rows[0]["rule"] == "mask_missing"
    assert rows[0]["severity"] == "error"


def test_a_list_of_another_kind_is_refused(dataset, tmp_path):
    with pytest.raises(ConfigError, match=r"\.csv or \.json"):
        check(CheckSettings(dataset.root, tmp_path / "findings.xlsx"))


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="is not a dataset"):
        check(CheckSettings(tmp_path))
