"""Nothing that names a patient may reach an output or a message."""

import gzip
import re

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from wirsung.curation.check import check
from wirsung.curation.run import curate
from wirsung.curation.settings import CheckSettings, CurateSettings
from wirsung.curation.verdicts import judge_failure
from wirsung.datasets.layout import Dataset
from wirsung.datasets.manifest import read_manifest

MARKS = (
    "Zyxwmann^Erika",
    "PATID4711XYZ",
    "Klinikum Zyxwstadt",
    "ACC815",
    "19610312",
    "Dr.Zyxwarzt",
    "Zyxwbefund",
)
SHAPE = (6, 5, 4)


def _series(folder, *, seed=0, patient=MARKS[1], modality="CT", **more):
    """A CT of 6 columns, 5 rows and 4 slices with identity marks; its HU as columns x rows x slices."""
    hu = np.random.default_rng(seed).integers(-1000, 1000, SHAPE, dtype=np.int16)
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(SHAPE[2]):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage if modality == "CT" else MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        slice_ = FileDataset(folder / "x", {}, file_meta=meta, preamble=b"\0" * 128)
        slice_.SOPClassUID, slice_.SOPInstanceUID = (
            meta.MediaStorageSOPClassUID,
            meta.MediaStorageSOPInstanceUID,
        )
        slice_.PatientName, slice_.PatientID, slice_.InstitutionName = MARKS[0], patient, MARKS[2]
        slice_.AccessionNumber, slice_.PatientBirthDate = MARKS[3], MARKS[4]
        slice_.ReferringPhysicianName, slice_.SeriesDescription = MARKS[5], MARKS[6]
        slice_.StudyInstanceUID, slice_.SeriesInstanceUID, slice_.FrameOfReferenceUID = study, series, frame
        slice_.Modality, slice_.Manufacturer = modality, "SIEMENS Zyxw"
        slice_.PatientSex, slice_.PatientAge = "F", "061Y"
        slice_.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        slice_.ImagePositionPatient, slice_.ImageOrientationPatient = (
            [-10, -20, 30 + 2 * index],
            [1, 0, 0, 0, 1, 0],
        )
        slice_.PixelSpacing, slice_.InstanceNumber = [0.8, 0.9], index + 1
        slice_.Columns, slice_.Rows = SHAPE[:2]
        slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
        slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit, slice_.PixelRepresentation = 16, 16, 15, 0
        slice_.RescaleIntercept, slice_.RescaleSlope = -1024, 1
        slice_.PixelData = (hu[:, :, index].T + 1024).astype("<u2").tobytes()
        for name, value in more.items():
            setattr(slice_, name, value)
        slice_.save_as(folder / f"{MARKS[0].replace('^', '_')}_{index}.dcm", enforce_file_format=True)
    return hu


def _all_bytes(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            yield path.relative_to(folder).as_posix(), content
            if path.name.endswith(".gz"):
                yield path.name, gzip.decompress(content)
        yield "name", path.relative_to(folder).as_posix().encode()


def _leaks(content):
    return [mark for mark in (*MARKS, "Zyxw", "zyxw") if mark.encode() in content]


def test_a_series_becomes_a_case_with_pseudonyms_and_nothing_else_of_its_header(tmp_path, capfd):
    hu = _series(tmp_path / "src/case-1/dicom")
    outcomes = curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    check(CheckSettings(tmp_path / "out"))
    assert [item.status for item in outcomes] == ["done"]
    image = Dataset.open(tmp_path / "out").case("case-1").image()
    # Columns run to the left and rows to the back in DICOM, so RPS turns the first axis round.
    assert np.array_equal(image.voxels, hu[::-1])
    assert np.allclose(image.affine[:3, :3], np.diag([0.9, -0.8, 2]))
    (row,) = read_manifest(tmp_path / "out").to_pylist()
    assert re.fullmatch("p[0-9a-f]{12}", row["patient"])
    assert re.fullmatch("c[0-9a-f]{12}", row["centre"])
    assert (row["sex"], row["age_years"], row["manufacturer"], row["modality"]) == ("F", 61, "Siemens", "ct")
    for name, content in _all_bytes(tmp_path / "out"):
        assert _leaks(content) == [], name
    assert _leaks(repr(outcomes).encode()) == []
    said = capfd.readouterr()
    assert _leaks((said.out + said.err).encode()) == []


def test_a_patient_keeps_the_pseudonym_in_other_cases_and_in_later_runs(tmp_path):
    _series(tmp_path / "src/case-1/dicom")
    curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    _series(tmp_path / "src/case-2/dicom", seed=1)
    _series(tmp_path / "src/case-3/dicom", seed=2, patient="another")
    outcomes = curate(CurateSettings(tmp_path / "src", tmp_path / "out", workers=2))
    assert [item.status for item in outcomes] == ["skipped", "done", "done"]
    first, second, third = (row["patient"] for row in read_manifest(tmp_path / "out").to_pylist())
    assert first == second != third
    assert (tmp_path / "out.key").stat().st_mode & 0o777 == 0o600
    assert not list((tmp_path / "out").rglob("*.key"))


def test_another_key_makes_every_pseudonym_anew(tmp_path):
    _series(tmp_path / "src/case-1/dicom")
    _series(tmp_path / "src/case-2/dicom", seed=1)
    curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    before = [row["patient"] for row in read_manifest(tmp_path / "out").to_pylist()]
    (tmp_path / "out.key").unlink()
    outcomes = curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    after = [row["patient"] for row in read_manifest(tmp_path / "out").to_pylist()]
    assert [item.status for item in outcomes] == ["done", "done"]
    assert after[0] == after[1]
    assert after[0] != before[0]


def test_metadata_wins_over_the_header(tmp_path):
    _series(tmp_path / "src/case-1/dicom")
    (tmp_path / "src/metadata.csv").write_text("case,patient,centre,sex\ncase-1,p1,centre-1,M\n")
    curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    (row,) = read_manifest(tmp_path / "out").to_pylist()
    assert (row["patient"], row["centre"], row["sex"], row["age_years"]) == ("p1", "centre-1", "M", 61)


def test_a_header_without_a_patient_makes_the_case_its_own_patient(tmp_path):
    _series(tmp_path / "src/case-1/dicom", patient="", InstitutionName="")
    curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    (row,) = read_manifest(tmp_path / "out").to_pylist()
    assert (row["patient"], row["centre"]) == ("case-1", None)


@pytest.mark.parametrize("damage", ["cut", "gap", "rescale", "orientation"])
def test_a_damaged_series_fails_without_showing_its_header(tmp_path, capfd, damage):
    folder = tmp_path / "src/case-1/dicom"
    _series(folder)
    path = sorted(folder.iterdir())[1]
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == "gap":
        path.unlink()
    else:
        header = pydicom.dcmread(path)
        header.RescaleSlope = 0 if damage == "rescale" else 1
        if damage == "orientation":
            header.ImageOrientationPatient = [0, 1, 0, 1, 0, 0]
        header.save_as(path)
    (outcome,) = curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    assert outcome.status == "failed"
    message = outcome.message.replace(str(path.name), "").replace(MARKS[0].replace("^", "_"), "")
    assert _leaks(message.encode()) == []
    said = capfd.readouterr()
    assert _leaks((said.out + said.err).encode()) == []
    assert [name for name, content in _all_bytes(tmp_path / "out") if _leaks(content)] == []


def test_magnetic_resonance_must_be_named(tmp_path):
    _series(tmp_path / "src/case-1/dicom", modality="MR")
    (outcome,) = curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    assert outcome.status == "failed"
    assert "case-1 is MR by its DICOM headers" in outcome.message
    (outcome,) = curate(CurateSettings(tmp_path / "src", tmp_path / "out", modality="t2"))
    assert outcome.status == "done"
    assert Dataset.open(tmp_path / "out").case("case-1").modality == "t2"


def test_magnetic_resonance_may_be_of_an_unknown_sequence(tmp_path):
    _series(tmp_path / "src/case-1/dicom", modality="MR")
    (outcome,) = curate(CurateSettings(tmp_path / "src", tmp_path / "out", modality="mr"))
    assert outcome.status == "done"
    assert Dataset.open(tmp_path / "out").case("case-1").image_path.name == "mr.nii.gz"
    _series(tmp_path / "src/case-2/dicom", seed=1)
    (tmp_path / "src/metadata.csv").write_text("case,modality\ncase-1,mr\ncase-2,mr\n")
    first, second = curate(CurateSettings(tmp_path / "src", tmp_path / "out", modality="mr"))
    assert (first.status, second.status) == ("done", "failed")
    assert "case-2 is CT by its DICOM headers" in second.message


def test_an_mr_series_in_a_set_of_cts_needs_to_be_declared(tmp_path):
    _series(tmp_path / "src/case-1/dicom")
    _series(tmp_path / "src/case-2/dicom", modality="MR", seed=1)
    first, second = curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    assert (first.status, second.status) == ("done", "failed")
    assert judge_failure(second.message).code == "MODALITY"
    (tmp_path / "src/metadata.csv").write_text("case,modality\ncase-2,t1\n")
    first, second = curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    assert (first.status, second.status) == ("skipped", "done")
    dataset = Dataset.open(tmp_path / "out")
    assert [dataset.case(case).modality for case in ("case-1", "case-2")] == ["ct", "t1"]
