"""SRC with everything in it: DICOM in any nesting, NIfTI, masks, label maps, SEG, RTSTRUCT, and others."""

import importlib.util
from pathlib import Path

import nibabel
import numpy as np
import pyarrow.parquet as pq
import pydicom
import pytest

from wirsung.curation.index import index_tree
from wirsung.curation.places import index_folder, report_folder
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
from wirsung.curation.verdicts import read_verdicts


def _module(place):
    path = Path(__file__).parents[1] / place
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


seg = _module("imaging/segmentations.py")
rt = _module("imaging/structure_sets.py")
raw = _module("curation/test_stack_sources.py")

MISSING = ("StudyDate", "StudyTime", "AccessionNumber", "PatientBirthDate", "PatientSex", "StudyID")
COMPLETE = dict.fromkeys(
    (*MISSING, "ReferringPhysicianName", "PositionReferenceIndicator", "PatientName"), ""
)
COMPLETE["SliceThickness"] = 2


def a_stack(folder, patient="0815-4711", series="1.2.826.3.4", **changes):
    raw.a_stack(folder, PatientID=patient, SeriesInstanceUID=series, **{**COMPLETE, **changes})
    found = [pydicom.dcmread(path) for path in folder.iterdir()]
    return sorted(found, key=lambda ds: float(ds.ImagePositionPatient[2]))


def masks(count, seed=1):
    array = np.random.default_rng(seed).random((raw.SLICES, raw.ROWS, raw.COLUMNS, count)) < 0.3
    array[2, 3, 4] = True
    return array


def a_seg(path, slices, array, names, **options):
    labels = [seg.described(number, name) for number, name in enumerate(names, start=1)]
    return seg.write_seg(path, slices, array.astype(np.uint8), labels, **options)


def box(slices, left=1.5, top=2.5, right=6.5, bottom=8.5):
    """A contour around 5 x 6 pixels on each of these slices, in mm."""
    return [
        rt.contour(
            [
                [-5 + 0.8 * x, -6 + 0.7 * y, float(ds.ImagePositionPatient[2])]
                for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))
            ]
        )
        for ds in slices
    ]


def run(root, **options):
    outcomes = curate(CurateSettings(root, root.parent / "out", clip_hu=None, **options))
    return {item.case: item for item in outcomes}, outcomes.lines()


def curated(root, case, structure):
    """A mask of the dataset as slice, row, column of the source."""
    path = root.parent / "out/LabelTr" / case / "segmentations" / f"{structure}.nii.gz"
    voxels = np.asarray(nibabel.as_closest_canonical(nibabel.load(path)).dataobj)
    return voxels[::-1, ::-1].transpose(2, 1, 0).astype(bool)


@pytest.fixture
def root(cohort):
    return cohort.root


def test_overlapping_segments_become_the_masks_of_their_stack(root):
    slices = a_stack(root / "one/deep/ct")
    array = masks(3)
    a_seg(root / "somewhere/else/seg.dcm", slices, array, ["Pancreas", "pancreas head", "Kidney_L"])
    found, _ = run(root)
    assert found["ct"].status == "done", found["ct"].message
    for number, name in enumerate(("pancreas", "pancreas_head", "kidney_left")):
        assert np.array_equal(curated(root, "ct", name), array[..., number])


def test_contours_become_the_masks_of_their_stack(root):
    slices = a_stack(root / "ct")
    rt.write(
        root / "plans/rt.dcm",
        {"Liver": box(slices[1:4]), "BODY": box(slices), "Doe": []},
        slices,
        "1.2.826.9",
    )
    found, lines = run(root)
    assert found["ct"].status == "done", found["ct"].message
    expected = np.zeros((raw.SLICES, raw.ROWS, raw.COLUMNS), dtype=bool)
    expected[1:4, 3:9, 2:7] = True
    assert np.array_equal(curated(root, "ct", "liver"), expected)
    provenance = found["ct"].value.provenance
    assert (provenance["labels"], provenance["dropped"]) == ("SEG or RTSTRUCT", ["body", "region 3"])
    assert not any("doe" in line.lower() for line in lines)


def test_one_tree_with_everything_in_it(root, cohort):
    one = a_stack(root / "disk1/A/B/abdomen", "p-1", "1.2.826.1.1")
    two = a_stack(root / "disk1/A/C/venous", "p-2", "1.2.826.2.1", StudyInstanceUID="1.2.826.22")
    raw.a_report(root / "disk1/A/B/reports", PatientID="p-1")
    raw.a_scout(root / "disk1/A/B/abdomen", PatientID="p-1", SeriesInstanceUID="1.2.826.1.9")
    raw.a_slice(root / "disk1/shots", 0, SOPClassUID="1.2.840.10008.5.1.4.1.1.7", PatientID="p-2")
    (root / "disk1/readme.txt").write_text("the disk of p-1")
    array = masks(2, seed=7)
    a_seg(root / "disk1/A/C/reports/x", two, array, ["liver", "spleen"])
    rt.write(root / "labels/of/all/y.dcm", {"Stomach": box(one)}, one, "1.2.826.9")
    cohort.case("nifti-1")
    stray = a_stack(root.parent / "elsewhere", "p-3", "1.2.826.3.1")
    a_seg(root / "labels/of/all/z.dcm", stray, masks(1), ["liver"])
    found, _ = run(root)
    states = {case: item.status for case, item in found.items()}
    assert states == {"abdomen": "done", "venous": "done", "nifti-1": "done", "labels-1": "failed"}
    assert np.array_equal(curated(root, "venous", "spleen"), array[..., 1])
    assert curated(root, "abdomen", "stomach").sum() == raw.SLICES * 5 * 6
    verdicts = read_verdicts(report_folder(root.parent / "out") / "verdicts.parquet")
    assert (verdicts["labels-1"].kind, verdicts["labels-1"].code) == ("quarantine", "LABELS_UNMATCHED")
    assert verdicts["abdomen"].kind == "accept"


def test_a_label_map_in_a_folder_of_its_own_goes_with_dicom_and_nifti(root, cohort):
    a_stack(root / "scan-1")
    values = np.zeros((raw.COLUMNS, raw.ROWS, raw.SLICES), dtype=np.uint8)
    values[2:5, 3:6, 1:4] = 14
    affine = np.diag([-0.8, -0.7, 2.0, 1.0])
    affine[:3, 3] = 5, 6, 0
    cohort.nifti("labels/scan-1.nii.gz", values, affine)
    cohort.case("nifti-1", masks=False)
    whole = np.zeros((12, 10, 8), dtype=np.uint8)
    whole[3:6, 3:6, 3:6] = 14
    cohort.nifti("labels/nifti-1.nii.gz", whole)
    labels = root.parent / "labels"
    (root / "labels").rename(labels)
    found, _ = run(root, labels=labels)
    assert {case: item.status for case, item in found.items()} == {"scan-1": "done", "nifti-1": "done"}
    assert curated(root, "scan-1", "liver").sum() == 27


def test_a_segmentation_that_names_the_series_but_other_slices_goes_by_the_series(root):
    slices = a_stack(root / "ct")
    path = a_seg(root / "seg.dcm", slices, masks(1), ["liver"])
    ds = pydicom.dcmread(path)
    for item in ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence:
        item.ReferencedSOPInstanceUID = "1.2.826.77"
    for item in (*ds.PerFrameFunctionalGroupsSequence, *ds.SharedFunctionalGroupsSequence):
        item.pop("DerivationImageSequence", None)
    ds.save_as(path)
    found, _ = run(root)
    assert found["ct"].status == "done"


def test_labels_go_to_the_stack_of_a_split_series_that_holds_their_slices(root):
    first = a_stack(root / "ct", AcquisitionNumber=1)
    every = a_stack(root / "ct", AcquisitionNumber=2)
    second = [ds for ds in every if ds.AcquisitionNumber == 2]
    array = masks(2, seed=3)
    a_seg(root / "labels/a", first, array[..., :1], ["liver"])
    a_seg(root / "labels/b", second, array[..., 1:], ["liver"])
    found, _ = run(root)
    assert sorted(found) == ["ct", "ct-2"]
    counts = sorted(int(curated(root, case, "liver").sum()) for case in found)
    assert counts == sorted(int(array[..., number].sum()) for number in range(2))


def test_another_frame_of_reference_is_refused(root):
    slices = a_stack(root / "ct")
    path = a_seg(root / "seg.dcm", slices, masks(1), ["liver"])
    ds = pydicom.dcmread(path)
    ds.FrameOfReferenceUID = "1.2.826.99"
    ds.save_as(path)
    found, _ = run(root)
    assert "LABELS_FRAME" in found["ct"].message


def test_masks_and_a_segmentation_for_one_scan_are_refused(root, cohort):
    slices = a_stack(root / "ct/dicom")
    cohort.nifti("ct/segmentations/liver.nii.gz", np.zeros((10, 12, 6), dtype=np.uint8))
    a_seg(root / "labels/seg.dcm", slices, masks(1), ["liver"])
    found, _ = run(root)
    assert "ct has segmentations/, and SEG or RTSTRUCT as well. Keep one." in found["ct"].message


def test_a_label_map_and_a_segmentation_for_one_scan_are_refused(root):
    slices = a_stack(root / "ct")
    a_seg(root / "seg.dcm", slices, masks(1), ["liver"])
    (root.parent / "ct.nii.gz").write_bytes(b"")
    found, _ = run(root, labels=root.parent / "ct.nii.gz")
    assert "ct has SEG or RTSTRUCT, and ct.nii.gz in --labels. Keep one." in found["ct"].message


def test_one_structure_in_two_files_is_refused(root):
    slices = a_stack(root / "ct")
    for name in ("a", "b"):
        a_seg(root / f"{name}.dcm", slices, masks(1), ["liver"])
    found, _ = run(root)
    assert "both label file 1 of case ct and label file 2 of case ct draw liver" in found["ct"].message


def test_two_lesions_of_one_file_are_one_mask(root):
    slices = a_stack(root / "ct")
    array = masks(2)
    a_seg(root / "a.dcm", slices, array, ["pancreatic lesion 1", "pancreatic lesion 2"])
    run(root)
    assert np.array_equal(curated(root, "ct", "pancreatic_lesion"), array.any(axis=-1))


def test_a_cut_segmentation_fails_its_case_and_shows_nothing_of_it(root):
    slices = a_stack(root / "ct")
    path = a_seg(root / "labels/DOE_JANE.dcm", slices, masks(1), ["liver"])
    path.write_bytes(path.read_bytes()[:-40])
    found, _ = run(root)
    assert "LABELS_DAMAGED" in found["ct"].message
    assert "DOE" not in found["ct"].message


def test_changed_labels_make_the_case_anew(root):
    slices = a_stack(root / "ct")
    a_seg(root / "labels/a.dcm", slices, masks(1, seed=1), ["liver"])
    run(root)
    assert run(root)[0]["ct"].status == "skipped"
    array = masks(1, seed=2)
    a_seg(root / "labels/a.dcm", slices, array, ["liver"])
    assert run(root)[0]["ct"].status == "done"
    assert np.array_equal(curated(root, "ct", "liver"), array[..., 0])


def test_a_fractional_segmentation_is_cut_at_half_and_says_so(root):
    slices = a_stack(root / "ct")
    fractions = np.random.default_rng(0).random((raw.SLICES, raw.ROWS, raw.COLUMNS))
    labels = [seg.described(1, "liver")]
    seg.write_seg(root / "s.dcm", slices, fractions, labels, "FRACTIONAL", max_fractional_value=200)
    found, _ = run(root)
    assert np.array_equal(curated(root, "ct", "liver"), np.rint(fractions * 200) >= 100)
    assert found["ct"].value.provenance["notes"] == {"FRACTIONS_CUT": 1}


def test_labels_on_another_grid_are_resampled_only_if_asked_and_recorded(root):
    slices = a_stack(root / "ct")
    array = masks(1)
    path = a_seg(root / "s.dcm", slices, array, ["liver"])
    ds = pydicom.dcmread(path)
    for item in ds.PerFrameFunctionalGroupsSequence:
        place = item.PlanePositionSequence[0]
        place.ImagePositionPatient = [
            float(value) + shift for value, shift in zip(place.ImagePositionPatient, (0.2, 0, 0), strict=True)
        ]
    ds.save_as(path)
    found, _ = run(root)
    assert "lies 0.2 mm beside the image's voxels" in found["ct"].message
    found, _ = run(root, resample_labels=True)
    assert found["ct"].status == "done", found["ct"].message
    assert np.array_equal(
        curated(root, "ct", "liver"), array[..., 0]
    )  # a quarter of a voxel: the same voxels
    provenance = found["ct"].value.provenance
    assert provenance["notes"] == {"LABELS_RESAMPLED": 1}
    assert provenance["labels_fetched_mm"] == pytest.approx(0.2)
    verdicts = read_verdicts(report_folder(root.parent / "out") / "verdicts.parquet")
    assert (verdicts["ct"].kind, verdicts["ct"].code) == ("repair", "LABELS_RESAMPLED")


def test_mask_files_on_another_grid_are_resampled_only_if_asked(cohort, tmp_path):
    cohort.case("a")
    coarse = np.zeros((6, 5, 8), dtype=np.uint8)
    coarse[1:4, 1:4, 2:6] = 1
    affine = np.array([[-4.0, 0, 0, 9], [0, -4.0, 0, 19], [0, 0, 3.0, -30], [0, 0, 0, 1]])
    cohort.nifti("a/segmentations/spleen.nii.gz", coarse, affine)
    found, _ = run(cohort.root)
    assert "spleen.nii.gz has shape (6, 5, 8)" in found["a"].message
    found, _ = run(cohort.root, resample_labels=True)
    assert found["a"].status == "done", found["a"].message
    path = tmp_path / "out/LabelTr/a/segmentations/spleen.nii.gz"
    assert np.asarray(nibabel.load(path).dataobj).sum() == 4 * coarse.sum()
    assert found["a"].value.provenance["labels_fetched_mm"] == pytest.approx(np.hypot(1, 1), abs=1e-4)


def test_uneven_spacing_is_evened_only_if_asked(root):
    a_stack(root / "ct", numbers=[0, 1, 2, 3, 4.5, 6, 7.5, 9])
    found, _ = run(root)
    assert "SPACING_UNEVEN" in found["ct"].message
    found, _ = run(root, even_spacing=True)
    assert found["ct"].status == "done", found["ct"].message
    assert "SPACING_RESAMPLED" in found["ct"].value.provenance["notes"]


def test_the_index_holds_no_uid(root):
    slices = a_stack(root / "ct")
    a_seg(root / "s.dcm", slices, masks(1), ["liver"])
    index, _ = index_tree(root, index_folder(root.parent / "out"), key=bytes(32))
    (drawn,) = index.labels()
    assert (drawn.kind, drawn.path.name) == ("SEG", "s.dcm")
    for path in index.folder.iterdir():
        told = str(pq.read_table(path).to_pylist())
        assert "1.2.826" not in told
        assert slices[0].SOPInstanceUID not in told
