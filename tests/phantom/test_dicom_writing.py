"""A series is valid DICOM that independent readers put where it was."""

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.config import RAISE
from pydicom.config import settings as pydicom_settings

from wirsung.imaging.dicom import read_series
from wirsung.imaging.volume import Volume
from wirsung.phantom.dicom_writing import SeriesHeader, made_up_uid, write_series
from wirsung.phantom.grid import Grid

SHAPE = (9, 7, 5)
# DICOM PS3.3: attributes of type 1 and 2 in the modules of CT Image and MR Image, without conditional ones.
TYPE_1 = {
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
    "ImageType",
}
TYPE_1_OF = {"CT": {"RescaleIntercept", "RescaleSlope"}, "MR": {"ScanningSequence", "SequenceVariant"}}
TYPE_2 = {
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
    "SeriesNumber",
    "PositionReferenceIndicator",
    "Manufacturer",
    "InstanceNumber",
    "SliceThickness",
    "AcquisitionNumber",
}
TYPE_2_OF = {
    "CT": {"KVP"},
    "MR": {"ScanOptions", "MRAcquisitionType", "EchoTime", "RepetitionTime", "EchoTrainLength"},
}


@pytest.fixture(params=["ct", "t1", "t2"])
def modality(request):
    return request.param


def _volume(modality, oblique_deg=0.0):
    low, high = (-1024, 3072) if modality == "ct" else (0, 4096)
    voxels = np.random.default_rng(0).integers(low, high, SHAPE).astype(np.int16)
    voxels[0, 0, :2] = low, high - 1
    grid = Grid.centred(SHAPE, (1.7, 0.9, 3.3), oblique_deg, (3.0, -20.0, 55.5))
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    flip[:2, 3] = SHAPE[0] - 1, SHAPE[1] - 1
    return Volume(voxels, grid.affine @ flip)


def _header(modality, **changes):
    said = {"seed": 3, "number": 12, "phase": "venous" if modality == "ct" else "non-contrast", "sex": "F"}
    more = {"age_years": 61, "centre_number": 2, "manufacturer": "Phantom Scanners B"}
    return SeriesHeader(modality=modality, **(said | more | changes))


def _sitk_affine(image):
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing())
    matrix[:3, 3] = image.GetOrigin()
    return np.diag([-1, -1, 1, 1]) @ matrix


@pytest.mark.parametrize("oblique_deg", [0.0, 17.0])
def test_simpleitk_reads_the_voxels_at_their_place(tmp_path, modality, oblique_deg):
    volume = _volume(modality, oblique_deg)
    write_series(tmp_path, volume, _header(modality))
    reader = SimpleITK.ImageSeriesReader()
    (series,) = reader.GetGDCMSeriesIDs(str(tmp_path))
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path), series))
    image = reader.Execute()
    assert np.array_equal(SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0), volume.voxels)
    np.testing.assert_allclose(_sitk_affine(image), volume.affine, atol=1e-6)


@pytest.mark.parametrize("oblique_deg", [0.0, -17.0])
def test_our_own_reader_gives_the_same_grid_without_repairs(tmp_path, modality, oblique_deg):
    volume = _volume(modality, oblique_deg)
    write_series(tmp_path, volume, _header(modality))
    series = read_series(tmp_path)
    assert np.array_equal(series.volume.voxels, volume.voxels)
    np.testing.assert_allclose(series.volume.affine, volume.affine, atol=1e-6)
    assert series.notes == {}


def test_every_file_is_valid_and_has_what_the_standard_demands(tmp_path, modality, monkeypatch):
    write_series(tmp_path, _volume(modality), _header(modality))
    monkeypatch.setattr(pydicom_settings, "reading_validation_mode", RAISE)
    kind = "CT" if modality == "ct" else "MR"
    needed, present = TYPE_1 | TYPE_1_OF[kind], TYPE_2 | TYPE_2_OF[kind]
    for path in tmp_path.iterdir():
        found = pydicom.dcmread(path)
        for element in found:
            assert element.value is None or str(element)  # values are parsed, and so checked, when looked at
        for keyword in needed:
            assert found.get(keyword) not in (None, ""), keyword
        for keyword in present:
            assert keyword in found, keyword
        assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID
        assert found.file_meta.MediaStorageSOPClassUID == found.SOPClassUID
        assert found.pixel_array.shape == (SHAPE[1], SHAPE[0])


def test_the_patient_is_visibly_made_up(tmp_path):
    write_series(tmp_path, _volume("ct"), _header("ct"))
    found = pydicom.dcmread(tmp_path / "IM0001")
    assert (found.PatientName, found.PatientID) == ("PHANTOM^CASE-0012", "PHANTOM-0012")
    assert (found.PatientSex, found.PatientAge) == ("F", "061Y")
    assert found.InstitutionName == "Phantom centre 2"
    assert "Synthetic" in found.StudyDescription
    assert found.ContrastBolusAgent == "SYNTHETIC"


def test_files_are_named_in_an_order_that_is_not_the_slices(tmp_path):
    volume = _volume("ct")
    tall = Volume(np.repeat(volume.voxels, 6, axis=2), volume.affine)
    write_series(tmp_path, tall, _header("ct"))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"IM{number:04d}" for number in range(1, 31)]
    numbers = [int(pydicom.dcmread(tmp_path / name).InstanceNumber) for name in names]
    assert sorted(numbers) == list(range(1, 31))
    assert numbers != sorted(numbers)


def test_identifiers_are_unique_valid_and_derived_from_the_seed(tmp_path):
    for folder, change in (("a", {}), ("b", {}), ("c", {"seed": 4}), ("d", {"number": 13})):
        (tmp_path / folder).mkdir()
        write_series(tmp_path / folder, _volume("ct"), _header("ct", **change))
    uids = {
        folder: {pydicom.dcmread(path).SOPInstanceUID for path in (tmp_path / folder).iterdir()}
        for folder in "abcd"
    }
    assert uids["a"] == uids["b"]
    assert len(uids["a"] | uids["c"] | uids["d"]) == 15
    assert all(uid.is_valid and uid.startswith("2.25.") for uid in uids["a"])
    assert (tmp_path / "a" / "IM0001").read_bytes() == (tmp_path / "b" / "IM0001").read_bytes()
    assert len(made_up_uid(0, "x")) <= 64
