"""Real scans, held against independent readers."""

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
from nibabel.orientations import axcodes2ornt, ornt_transform

from wirsung.curation.check import check
from wirsung.curation.run import curate
from wirsung.curation.settings import CheckSettings, CurateSettings
from wirsung.datasets.layout import Dataset
from wirsung.datasets.manifest import read_manifest, read_structures


def _case(source, out, **settings):
    (outcome,) = curate(CurateSettings(source, out, **settings))
    assert outcome.status == "done", outcome.message
    return Dataset.open(out).case(outcome.case)


def test_a_real_dicom_series_is_right_to_the_unit(shared_data, tmp_path):
    case = _case(shared_data / "ct_dicom/series", tmp_path / "out")
    assert case.id == "series"
    image = case.image()
    assert image.shape == (512, 512, 20)
    assert image.spacing_mm == pytest.approx((0.977, 0.977, 2.0), abs=5e-4)
    # pydicom decodes each slice; sorted by position, in LPS, then the first axis is turned round for RPS.
    slices = [pydicom.dcmread(path) for path in (shared_data / "ct_dicom/series").iterdir()]
    slices.sort(key=lambda item: float(item.ImagePositionPatient[2]))
    hu = np.stack(
        [item.pixel_array * float(item.RescaleSlope) + float(item.RescaleIntercept) for item in slices], 2
    )
    expected = np.clip(hu.transpose(1, 0, 2)[::-1], -1000, 1000)
    assert np.array_equal(image.voxels, expected)
    corner = np.array(slices[0].ImagePositionPatient, dtype=float)
    corner[0] += 511 * float(slices[0].PixelSpacing[1])
    assert np.allclose(image.affine[:3, 3], corner * [-1, -1, 1], atol=1e-3)
    (row,) = read_manifest(tmp_path / "out").to_pylist()
    assert (row["shape_i"], row["shape_j"], row["shape_k"], row["modality"]) == (512, 512, 20, "ct")


def test_simpleitk_and_nibabel_read_the_same_curated_image(shared_data, tmp_path):
    case = _case(shared_data / "ct_abdomen/ct_crop.nii.gz", tmp_path / "out")
    read = SimpleITK.ReadImage(str(case.image_path))
    assert np.array_equal(SimpleITK.GetArrayFromImage(read).transpose(2, 1, 0), case.image().voxels)
    # The source, read and reoriented by nibabel.
    source = nibabel.load(shared_data / "ct_abdomen/ct_crop.nii.gz")
    turn = ornt_transform(nibabel.io_orientation(source.affine), axcodes2ornt("RPS"))
    expected = source.as_reoriented(turn)
    assert np.array_equal(case.image().voxels, np.clip(np.asanyarray(expected.dataobj), -1000, 1000))
    assert np.allclose(case.image().affine, expected.affine, atol=1e-4)


def test_masks_of_a_real_label_map_have_as_many_voxels_as_its_values(shared_data, tmp_path):
    labels = shared_data / "ct_abdomen/ct_crop_totalsegmentator_v2.nii.gz"
    case = _case(
        shared_data / "ct_abdomen/ct_crop.nii.gz",
        tmp_path / "out",
        labels=labels,
        label_scheme="totalsegmentator-v2",
    )
    values = {
        "spleen": 1,
        "kidney_right": 2,
        "kidney_left": 3,
        "gall_bladder": 4,
        "liver": 5,
        "stomach": 6,
        "pancreas": 7,
        "adrenal_gland_right": 8,
        "adrenal_gland_left": 9,
        "duodenum": 19,
        "colon": 20,
        "aorta": 52,
        "postcava": 63,
        "veins": 64,
    }
    source = np.asanyarray(nibabel.load(labels).dataobj)
    counts = {name: int(np.count_nonzero(source == value)) for name, value in values.items()}
    assert counts["pancreas"] > 0
    found = {name: int(np.count_nonzero(case.mask(name).voxels)) for name in values}
    assert found == counts
    others = [name for name in case.structure_names() if name not in values]
    assert all(not case.mask(name).voxels.any() or name.startswith("lung") for name in others)
    rows = {row["structure"]: row for row in read_structures(tmp_path / "out").to_pylist()}
    spacing = np.prod(nibabel.load(labels).header.get_zooms())
    assert rows["pancreas"]["volume_ml"] == pytest.approx(counts["pancreas"] * spacing / 1000, rel=1e-4)
    audit = check(CheckSettings(tmp_path / "out"))
    assert [finding for finding in audit.findings if finding.severity == "error"] == []


@pytest.mark.parametrize("codes", ["SAL", "PIR"])
def test_one_head_in_another_axis_order_is_curated_to_the_same_voxels(shared_data, tmp_path, codes):
    folder = shared_data / "orientations"
    first = _case(folder / "LPS.nii.gz", tmp_path / "lps").image()
    other = _case(folder / f"{codes}.nii.gz", tmp_path / "other").image()
    assert np.array_equal(first.voxels, other.voxels)
    assert np.allclose(first.affine, other.affine, atol=1e-3)


def test_a_real_mr_image_keeps_its_values(shared_data, tmp_path):
    case = _case(shared_data / "mr_abdomen/mr.nii.gz", tmp_path / "out", modality="t1")
    source = np.asanyarray(nibabel.load(shared_data / "mr_abdomen/mr.nii.gz").dataobj)
    image = case.image()
    assert case.modality == "t1"
    assert image.voxels.min() == pytest.approx(source.min())
    assert np.sort(image.voxels.ravel()) == pytest.approx(np.sort(source.ravel()), abs=1e-3)


def test_real_expert_labels_are_read_by_their_scheme(shared_data, tmp_path):
    labels = shared_data / "panorama_labels/101592_00001.nii.gz"
    source = nibabel.load(labels)
    values = np.asanyarray(source.dataobj)
    image = nibabel.Nifti1Image(np.zeros(values.shape, np.int16), source.affine)
    (tmp_path / "src").mkdir()
    nibabel.save(image, tmp_path / "src/101592_00001.nii.gz")
    case = _case(tmp_path / "src", tmp_path / "out", labels=labels, label_scheme="panorama-6")
    counts = [int(np.count_nonzero(values == value)) for value in range(7)]
    found = {name: int(np.count_nonzero(case.mask(name).voxels)) for name in case.structure_names()}
    assert found["pancreas"] == counts[1] + counts[4] + counts[5]
    assert found["pancreatic_lesion"] == counts[1]
    assert found["veins"] == counts[2]
    assert "aorta" not in found
