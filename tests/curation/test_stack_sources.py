"""Raw DICOM as it comes: any nesting, with reports, scouts, screenshots and other patients in between."""

import shutil

import nibabel
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from wirsung.curation.index import index_tree
from wirsung.curation.intake import dicom_files, find_sources
from wirsung.curation.places import index_folder, picture_path, report_folder
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
from wirsung.curation.stack_sources import by_stacks
from wirsung.curation.verdicts import read_verdicts

ROWS, COLUMNS, SLICES = 12, 10, 6


def a_slice(folder, number, **changes):
    """One slice of an image that differs in every voxel of its series, 2 mm from the next."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.Modality, ds.ImageType, ds.ConvolutionKernel = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"], "B30f"
    ds.PatientID, ds.StudyInstanceUID, ds.SeriesInstanceUID = "0815-4711", "1.2.826.3", "1.2.826.3.4"
    ds.FrameOfReferenceUID = "1.2.826.9"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-5, -6, 2 * number], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.Rows, ds.Columns, ds.SamplesPerPixel = [0.7, 0.8], ROWS, COLUMNS, 1
    ds.PhotometricInterpretation, ds.BitsAllocated, ds.BitsStored, ds.HighBit = "MONOCHROME2", 16, 16, 15
    ds.PixelRepresentation, ds.RescaleSlope, ds.RescaleIntercept = 1, 1, 0
    values = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) + 130 * number - 400
    ds.PixelData = values.astype("<i2").tobytes()
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    folder.mkdir(parents=True, exist_ok=True)
    ds.save_as(folder / f"{ds.SOPInstanceUID[-9:]}-{number}", enforce_file_format=True)


def a_stack(folder, *, spread=False, numbers=range(SLICES), **changes):
    for number in numbers:
        a_slice(folder / str(number) if spread else folder, number, **changes)


def a_scout(folder, **changes):
    a_slice(folder, 0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], **changes)


def a_report(folder, **changes):
    a_slice(folder, 0, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22", **changes)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "src").mkdir()
    return tmp_path / "src"


def cases(root):
    """Case to its files' number, or to the beginning of its problem."""
    index, _ = index_tree(root, root.parent / "index", key=bytes(32))
    found = by_stacks(find_sources(root), root, index)
    return {
        item.case: item.problem.split(",")[0]
        or len(item.files or dicom_files(item.image, is_deep=item.is_deep))
        for item in found
    }


def test_a_stack_alone_is_named_by_its_folder(root):
    a_stack(root / "patient-1/study/abdomen")
    a_stack(root / "patient-2", SeriesInstanceUID="1.2.826.5")
    assert cases(root) == {"abdomen": SLICES, "patient-2": SLICES}


def test_further_stacks_of_a_folder_are_numbered(root):
    a_stack(root / "case-1", AcquisitionTime="090000")
    a_stack(root / "case-1", AcquisitionTime="090100")
    a_stack(root / "case-1", SeriesInstanceUID="1.2.826.7", PatientID="0815-4712")
    assert cases(root) == {"case-1": SLICES, "case-1-2": SLICES, "case-1-3": SLICES}


def test_reports_scouts_and_screenshots_are_no_cases(root):
    a_stack(root / "case-1/series")
    a_scout(root / "case-1/series")
    a_scout(root / "case-1/scouts", SeriesInstanceUID="1.2.826.8")
    a_report(root / "case-1/reports", SeriesInstanceUID="1.2.826.9")
    a_slice(root / "shots", 0, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    (root / "case-1/series/notes.txt").write_text("no image")
    assert cases(root).keys() == {"series"}


def test_a_stack_whose_slices_lie_in_folders_of_their_own_is_one_case(root):
    a_stack(root / "case-1/images", spread=True)
    assert cases(root) == {"images": SLICES}


def test_folders_of_one_name_are_told_apart_by_those_above(root):
    a_stack(root / "patient-1/series")
    a_stack(root / "patient-2/series", PatientID="0815-4712")
    assert cases(root) == {"patient-1-series": SLICES, "patient-2-series": SLICES}


def test_copies_of_a_series_in_two_folders_are_two_cases(root):
    a_stack(root / "case-1")
    shutil.copytree(root / "case-1", root / "case-2")
    shutil.copytree(root / "case-1", root / "case-3/dicom")
    assert cases(root) == {"case-1": SLICES, "case-2": SLICES, "case-3": SLICES}


def test_a_folder_called_dicom_gives_its_name_to_no_case(root):
    a_stack(root / "case-1/dicom/deep/deeper")
    a_scout(root / "case-1/dicom")
    a_stack(root / "case-2/dicom/1", AcquisitionTime="090000", PatientID="0815-4712")
    a_stack(root / "case-2/dicom/2", AcquisitionTime="090100", PatientID="0815-4712")
    assert cases(root) == {"case-1": SLICES + 1, "case-2": SLICES, "case-2-2": SLICES}


def test_stacks_beside_an_image_or_masks_stay_out(root):
    for name in ("case-1/ct.nii.gz", "case-2/segmentations/liver.nii.gz"):
        (root / name).parent.mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)), root / name)
    a_stack(root / "case-1/raw")
    a_stack(root / "case-2/dicom")
    a_scout(root / "case-2/dicom")
    index, _ = index_tree(root, root.parent / "index", key=bytes(32))
    found = by_stacks(find_sources(root), root, index)
    assert [(item.case, item.kind, len(item.masks)) for item in found] == [
        ("case-1", "nifti", 0),
        ("case-2", "dicom", 1),
    ]


def test_stacks_that_cannot_be_right_are_cases_that_fail(root):
    a_stack(root / "case-1", numbers=(0, 1, 2, 4, 5, 6))
    a_stack(root / "case-1", SeriesInstanceUID="1.2.826.5")
    a_stack(root / "case-2", numbers=(0,), PatientID="0815-4712")
    found = cases(root)
    assert sorted(map(str, found.values())) == ["6", "case-1: SLICE_GAP", "case-2: TOO_FEW_SLICES"]
    assert found.keys() == {"case-1", "case-1-2", "case-2"}


def test_a_folder_of_damaged_files_is_a_case_that_fails(root):
    a_stack(root / "case-1")
    a_slice(root / "case-2", 0, PatientID="0815-4712")
    (victim,) = (root / "case-2").iterdir()
    victim.write_bytes(victim.read_bytes()[:300])
    assert cases(root) == {"case-1": SLICES, "case-2": 1}


def test_a_mixed_source_is_curated_with_a_verdict_on_each_stack(root, tmp_path):
    a_stack(root / "a", AcquisitionTime="090000")
    a_stack(root / "a", AcquisitionTime="090100")
    a_scout(root / "a")
    a_report(root / "reports")
    a_stack(root / "b/deep", PatientID="0815-4712", SeriesInstanceUID="1.2.826.5")
    a_stack(root / "c", numbers=(0, 1, 2, 4, 5, 6, 7), PatientID="0815-4713")
    out = tmp_path / "out"
    outcomes = curate(CurateSettings(root, out))
    assert {item.case: item.status for item in outcomes} == {
        "a": "done",
        "a-2": "done",
        "c": "failed",
        "deep": "done",
    }
    verdicts = read_verdicts(report_folder(out) / "verdicts.parquet")
    assert {case: (verdict.kind, verdict.code) for case, verdict in verdicts.items()} == {
        "a": ("repair", "STACK_SPLIT"),
        "a-2": ("repair", "STACK_SPLIT"),
        "c": ("quarantine", "SLICE_GAP"),
        "deep": ("accept", ""),
    }
    expected = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)[..., None] + 130 * np.arange(SLICES) - 400
    for case in ("a", "a-2", "deep"):
        image = nibabel.load(out / "ImageTr" / case / "ct.nii.gz")
        assert nibabel.aff2axcodes(image.affine) == ("R", "P", "S")
        np.testing.assert_array_equal(np.asarray(image.dataobj)[::-1].transpose(1, 0, 2), expected)
    page = (report_folder(out) / "curation.html").read_text()
    for words in ("SLICE_GAP", "STACK_SPLIT", "LOCALIZER", "Middle axial slice of deep"):
        assert words in page
    assert page.count("data:image/png") == 3
    again = curate(CurateSettings(root, out))
    assert {item.case: item.status for item in again if item.case != "c"} == dict.fromkeys(
        ("a", "a-2", "deep"), "skipped"
    )
    assert (report_folder(out) / "curation.html").read_text() == page


def test_a_tilted_series_is_curated_straight_and_marked(root, tmp_path):
    for number in range(SLICES):
        a_slice(root / "a", number, ImagePositionPatient=[-5, -6 + 0.5 * number, 2 * number])
    (outcome,) = curate(CurateSettings(root, tmp_path / "out"))
    assert outcome.value.provenance["notes"] == {"TILT_DESHEARED": 1}
    affine = nibabel.load(tmp_path / "out/ImageTr/a/ct.nii.gz").affine
    np.testing.assert_allclose(np.abs(affine[:3, :3]), np.diag([0.8, 0.7, 2.0]), atol=1e-5)
    assert picture_path(tmp_path / "out", "a").is_file()
    assert index_folder(tmp_path / "out").is_dir()
