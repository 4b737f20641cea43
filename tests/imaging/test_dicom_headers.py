import logging

import pydicom
import pytest

from wirsung.imaging.dicom_headers import Damaged, SetAside, is_dicom_file, numbers, read_headers, text


def test_a_slice_says_where_it_lies(dicom_phantom):
    path = dicom_phantom.save(dicom_phantom.header(3), "slice")
    (found,) = read_headers(path)
    assert found.position == (-60.0, -55.0, -64.0)
    assert found.orientation == (1, 0, 0, 0, 1, 0)
    assert (found.spacing, found.shape) == ((1.5, 1.2), (34, 38))
    assert (found.slope, found.intercept, found.modality) == (1.0, -24.0, "CT")


def test_a_slice_never_shows_what_names_the_patient(dicom_phantom):
    (found,) = read_headers(dicom_phantom.save(dicom_phantom.header(3), "slice"))
    assert "CANARY" in found.series
    assert "CANARY" not in repr(found)


def test_content_and_not_the_name_makes_a_dicom_file(dicom_phantom, tmp_path):
    path = dicom_phantom.save(dicom_phantom.header(0), "no-extension")
    assert is_dicom_file(path)
    for name, content in {
        "text.dcm": b"text",
        "empty.dcm": b"",
        "zeros.dcm": bytes(500),
        "almost.dcm": b"\x08\x00" + b"x" * 400,
        "gzip.dcm": b"\x1f\x8b" + bytes(300),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert not is_dicom_file(tmp_path / name), name
    assert not is_dicom_file(tmp_path / "absent")
    assert not is_dicom_file(tmp_path)


def test_a_file_without_preamble_is_dicom_by_its_tags(dicom_phantom, tmp_path):
    ds = dicom_phantom.header(0)
    ds.file_meta, ds.preamble = pydicom.dataset.FileMetaDataset(), None
    path = tmp_path / "bare"
    ds.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert path.read_bytes()[:2] == b"\x08\x00"
    assert is_dicom_file(path)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "SECONDARY_CAPTURE"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.4"}, "SECONDARY_CAPTURE"),
        ({"PhotometricInterpretation": "RGB"}, "SECONDARY_CAPTURE"),
        ({"SamplesPerPixel": 3}, "SECONDARY_CAPTURE"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "SECONDARY_CAPTURE"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.3"}, "OTHER_OBJECT"),
        ({"SOPClassUID": "1.3.12.2.1107.5.9.1"}, "OTHER_OBJECT"),
    ],
)
def test_what_is_no_slice_is_set_aside(change, code, dicom_phantom):
    ds = dicom_phantom.header(0)
    for name, value in change.items():
        setattr(ds, name, value)
    with pytest.raises(SetAside, match=code):
        read_headers(dicom_phantom.save(ds, "file"))


@pytest.mark.parametrize(
    "change",
    [{"SOPClassUID": "1.2.840.10008.5.1.4.1"}, {"PhotometricInterpretation": "MONOCHR"}, {"Rows": None}],
)
def test_a_header_that_was_cut_is_damaged(change, dicom_phantom):
    ds = dicom_phantom.header(0)
    for name, value in change.items():
        if value is None:
            delattr(ds, name)
        else:
            setattr(ds, name, value)
    path = dicom_phantom.save(ds, "file")
    with pytest.raises(Damaged, match="HEADER_TRUNCATED") as damage:
        read_headers(path)
    assert damage.value.series.endswith("1.2.3.4")


def test_a_file_that_cannot_be_opened_is_damaged_and_not_left_out(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(Damaged, match="UNREADABLE"):
        read_headers(tmp_path / "loop")


def test_zeros_that_end_within_the_preamble_are_a_cut_file(tmp_path):
    (tmp_path / "cut").write_bytes(bytes(60))
    with pytest.raises(Damaged, match="HEADER_TRUNCATED"):
        read_headers(tmp_path / "cut")


def test_numbers_that_cannot_be_read_are_none(dicom_phantom):
    ds = dicom_phantom.header(0)
    ds["ImagePositionPatient"]._value = ["CANARY", "1", "2"]
    ds["PixelSpacing"]._value = "1.5"
    try:
        (found,) = read_headers(dicom_phantom.save(ds, "file"))
    except Damaged as damage:
        assert "CANARY" not in str(damage)  # noqa: PT017 - either answer is right, if it is discreet
    else:
        assert found.position is None
        assert found.spacing is None


def test_pydicoms_warnings_and_log_stay_silent(dicom_phantom, caplog, recwarn):
    ds = dicom_phantom.header(0)
    ds["PatientID"]._value = "CANARY" * 20
    ds["RescaleSlope"]._value = "CANARY"
    path = dicom_phantom.save(ds, "file")
    caplog.clear()
    recwarn.clear()
    with caplog.at_level(logging.DEBUG):
        try:
            read_headers(path)
        except Damaged as damage:
            assert damage.__cause__ is None  # noqa: PT017 - a cause would quote the header
    assert "CANARY" not in caplog.text
    assert not recwarn.list


def test_texts_and_numbers_of_a_header():
    assert (text(None), text(" A "), text(["A", "B"])) == ("", "A", "A\\B")
    assert numbers(["1", 2.5], 2) == (1.0, 2.5)
    assert numbers(["1", "x"], 2) is None
    assert numbers(["1"], 2) is None
    assert numbers(None, 1) is None
