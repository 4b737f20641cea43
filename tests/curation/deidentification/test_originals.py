import numpy as np
import pytest
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from wirsung.curation.deidentification.originals import Originals, read_originals


def save(path, syntax=ExplicitVRLittleEndian, **values):
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    header.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    header.file_meta.MediaStorageSOPInstanceUID = "1.2.276.5.1"
    header.SpecificCharacterSet = "ISO_IR 100"
    for name, value in values.items():
        setattr(header, name, value)
    dcmwrite(path, header, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_names_dates_texts_and_uids_are_gathered_at_every_depth(tmp_path, syntax):
    inner = Dataset()
    inner.OperatorsName, inner.StudyDate = "Zwei^Karl", "20240229"
    outer = Dataset()
    outer.RequestAttributesSequence = Sequence([inner])
    path = save(
        tmp_path / "a",
        syntax,
        PatientName="Müller^Änne",
        StudyInstanceUID="1.2.276.9.9",
        RequestAttributesSequence=Sequence([outer]),
        KVP="4711",
    )
    found = read_originals([path]).values
    assert {"müller^änne", "müller", "änne", "müller änne", "änne müller"} <= found["PatientName"]
    assert {"zwei", "karl"} <= found["OperatorsName"]
    assert found["StudyDate"] == {"20240229", "2024-02-29", "29.02.2024", "02/29/2024", "29/02/2024"}
    assert found["StudyInstanceUID"] == {"1.2.276.9.9"}
    assert "KVP" not in found, "numbers of the scanner name nobody"


def test_short_values_and_registered_uids_are_left_out(tmp_path):
    path = save(tmp_path / "a", StudyID="123", SOPClassUID="1.2.840.10008.5.1.4.1.1.2", PatientName="Li^Bo")
    found = read_originals([path]).values
    assert found.get("StudyID", set()) == set()
    assert found.get("SOPClassUID", set()) == set()
    assert "li^bo" in found["PatientName"]
    assert not {"li", "bo"} & found["PatientName"]


def test_private_elements_are_gathered_without_a_name(tmp_path):
    header = Dataset()
    block = header.private_block(0x0029, "VENDOR OF IT", create=True)
    block.add_new(1, "LO", "Private Text")
    block.add_new(2, "UN", b"\x01\x02Bytes4711\x00\x00")
    block.add_new(3, "OB", np.random.default_rng(0).bytes(5000))
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = "1.2.276.5.1"
    dcmwrite(tmp_path / "a", header, enforce_file_format=True)
    found = read_originals([tmp_path / "a"]).values
    assert found["a private attribute"] == {"vendor of it", "private text", "bytes4711"}


def test_a_file_that_is_no_dicom_adds_nothing_and_says_nothing(tmp_path, capfd):
    (tmp_path / "a").write_bytes(b"Erika Mustermann" * 20)
    (tmp_path / "b").write_bytes(b"")
    read_originals([tmp_path / "a", tmp_path / "b", tmp_path / "missing"])
    assert capfd.readouterr() == ("", "")


def test_what_was_gathered_is_never_shown():
    assert "erika" not in repr(Originals({"PatientName": frozenset({"erika"})}))
