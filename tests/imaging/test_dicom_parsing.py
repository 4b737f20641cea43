"""A file parsed once, against pydicom asked for the file alone."""

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from wirsung.imaging import dicom_parsing
from wirsung.imaging.dicom_headers import quietly
from wirsung.imaging.dicom_parsing import ParsedFiles

TAGS = (0x00080060, 0x00100010, 0x00280010, 0x00400275)


def assert_as_pydicom(path, parsed):
    """Three answers, in the order in which curation asks, and the second time too."""
    with quietly():
        for _ in range(2):
            assert_same(
                parsed.chosen(path, TAGS),
                pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=list(TAGS)),
            )
            found, expected = parsed.header(path), pydicom.dcmread(path, force=True, stop_before_pixels=True)
            assert dict(found.items()) == dict(expected.items())  # before a value is made of any element
            assert_same(found, expected)
            assert_same(parsed.whole(path), pydicom.dcmread(path, force=True))


def assert_same(found, expected):
    assert list(found.keys()) == list(expected.keys())
    assert dict(found.file_meta.items()) == dict(expected.file_meta.items())
    assert found.preamble == expected.preamble
    assert found.original_encoding == expected.original_encoding
    assert found.original_character_set == expected.original_character_set
    assert found == expected


@pytest.fixture(params=(ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian))
def path(request, dicom_phantom, tmp_path):
    """A slice with a sequence of known length, words that are not ASCII, and elements behind the pixels."""
    ds = dicom_phantom.header(1)
    item = Dataset()
    item.RequestedProcedureDescription = "CT"
    ds.RequestAttributesSequence = Sequence([item])
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = "Müller^Jürgen"
    ds.DataSetTrailingPadding = bytes(4)
    return save(ds, tmp_path / "slice.dcm", request.param)


def save(ds, path, syntax):
    ds.file_meta.TransferSyntaxUID = syntax
    implicit, little = syntax.is_implicit_VR, syntax.is_little_endian
    pydicom.dcmwrite(path, ds, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
    return path


def test_every_answer_is_pydicoms(path):
    assert_as_pydicom(path, ParsedFiles())


def test_a_file_is_parsed_once(path, monkeypatch):
    parsed = ParsedFiles()
    parsed.chosen(path, TAGS)
    monkeypatch.setattr(dicom_parsing.pydicom, "dcmread", None)
    assert parsed.header(path).PatientName == "Müller^Jürgen"
    assert len(parsed.whole(path).PixelData) > 0


def test_what_one_caller_changes_no_other_sees(path):
    parsed = ParsedFiles()
    first = parsed.header(path)
    first.PatientName = "changed"
    first.RequestAttributesSequence[0].RequestedProcedureDescription = "changed"
    first.file_meta.MediaStorageSOPClassUID = "1.2"
    del first.Rows
    assert_as_pydicom(path, parsed)


def test_sequences_of_undefined_length_are_nobody_elses(dicom_phantom, tmp_path):
    ds = dicom_phantom.header(1)
    item = Dataset()
    item.RequestedProcedureDescription = "CT"
    ds.RequestAttributesSequence = Sequence([item])
    ds["RequestAttributesSequence"].is_undefined_length = True
    path = save(ds, tmp_path / "slice.dcm", ExplicitVRLittleEndian)
    parsed = ParsedFiles()
    parsed.header(path).RequestAttributesSequence[0].RequestedProcedureDescription = "changed"
    assert_as_pydicom(path, parsed)


def test_deflated_files_are_read_whole(dicom_phantom, tmp_path):
    path = save(dicom_phantom.header(1), tmp_path / "slice.dcm", DeflatedExplicitVRLittleEndian)
    assert_as_pydicom(path, ParsedFiles())
    assert "PixelData" in ParsedFiles().whole(path)


def test_a_file_cut_anywhere_gives_what_pydicom_gives(path, tmp_path):
    content = path.read_bytes()
    pixels_at = content.index(b"\xe0\x7f\x10\x00" if b"\xe0\x7f\x10\x00" in content else b"\x7f\xe0\x00\x10")
    for length in (*range(200, pixels_at, 37), *range(pixels_at - 2, pixels_at + 14), len(content) - 20):
        cut = tmp_path / f"{length}.dcm"
        cut.write_bytes(content[:length])
        parsed = ParsedFiles()
        assert told(parsed.header, cut) == told(pydicom.dcmread, cut, force=True, stop_before_pixels=True)
        assert told(parsed.whole, cut) == told(pydicom.dcmread, cut, force=True)


def told(read, *args, **options):
    """Tag to value, errors for values included, or the error of the whole."""
    with quietly():
        try:
            header = read(*args, **options)
        except Exception as error:
            return repr(error)
        return {tag: told_of(header, tag) for tag in list(header.keys())}


def told_of(header, tag):
    try:
        return header[tag].VR, header[tag].value
    except Exception as error:
        return repr(error)


def test_an_item_that_ends_before_the_pixels_ends_the_file(dicom_phantom, tmp_path):
    path = save(dicom_phantom.header(1), tmp_path / "slice.dcm", ExplicitVRLittleEndian)
    content = path.read_bytes()
    at = content.index(b"\xe0\x7f\x10\x00")
    path.write_bytes(content[:at] + b"\xfe\xff\x0d\xe0" + bytes(4) + content[at:])
    parsed = ParsedFiles()
    assert "PixelData" not in pydicom.dcmread(path, force=True)
    assert_as_pydicom(path, parsed)


def test_headers_beyond_the_limit_are_not_kept(path, monkeypatch):
    monkeypatch.setattr(dicom_parsing, "_MOST_BYTES", 0)
    parsed = ParsedFiles()
    assert_as_pydicom(path, parsed)
    assert set(parsed._parsed.values()) == {None}


def test_a_value_is_made_once_and_not_taken_from_another_character_set(dicom_phantom, tmp_path):
    parsed, names, elements = ParsedFiles(), [], []
    for number, charset in enumerate(("ISO_IR 100", "ISO_IR 144", "ISO_IR 100")):
        ds = dicom_phantom.header(number)
        ds.SpecificCharacterSet = "ISO_IR 100"
        ds.PatientName = "M\xfcller"
        path = save(ds, tmp_path / f"{number}.dcm", ExplicitVRLittleEndian)
        path.write_bytes(path.read_bytes().replace(b"ISO_IR 100", charset.encode()))
        header = parsed.chosen(path, TAGS)
        names.append(str(header.PatientName))
        elements.append(header["Modality"])
        assert names[-1] == str(pydicom.dcmread(path).PatientName)
    assert names[0] == names[2] == "M\xfcller" != names[1]
    assert elements[0] is elements[2]


def test_ambiguous_values_are_read_with_their_own_sign(dicom_phantom, tmp_path):
    parsed = ParsedFiles()
    for number, is_signed in enumerate((0, 1, 0)):
        ds = dicom_phantom.header(number)
        ds.PixelRepresentation = is_signed
        ds.add_new("PixelPaddingValue", "SS" if is_signed else "US", -2000 if is_signed else 63536)
        path = save(ds, tmp_path / f"{number}.dcm", ImplicitVRLittleEndian)
        parsed.header(path)
        assert parsed.whole(path).PixelPaddingValue == (-2000 if is_signed else 63536)
