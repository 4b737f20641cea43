import gzip
import json
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from wirsung.curation.deidentification.originals import Originals
from wirsung.curation.deidentification.self_check import Leak, ReadBack, files_below, find_leaks, refuse_leaks
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
from wirsung.errors import ImageError
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.volume import Volume
from wirsung.phantom.dicom_writing import SeriesHeader, write_series

NAME = "mustermann"
HELD = Originals({"PatientName": frozenset({NAME, "erika", "änne"}), "StudyID": frozenset({"4711"})})


def leaks(name, content):
    return {leak.attribute for leak in find_leaks({name: content}, HELD)}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize("text", ["Mustermann", "MUSTERMANN", "xxMustermann1961xx", "für Erika", "von Änne."])
def test_a_name_is_found_in_every_encoding(encoding, text):
    content = b"\x01\x02 before " + text.encode(encoding) + b" after"
    assert leaks("a.bin", content) == {"PatientName"}


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"a": ["Erika", 1]}),
        '<p title="&#69;rika">',
        "file:///data/%45rika%2F1",
        '{"Mustermann": 1}',
        "not json: {erika",
    ],
)
def test_a_name_is_found_in_escapes(content):
    assert leaks("a.json", content.encode()) == {"PatientName"}
    assert leaks("a.txt", content.encode()) == {"PatientName"}


def test_a_name_is_found_where_json_escapes_its_letters():
    content = json.dumps({"a": "Änne"})
    assert "nne" in content
    assert "Ä" not in content
    assert leaks("a.json", content.encode()) == {"PatientName"}


def test_a_name_is_found_in_the_name_of_a_file():
    assert find_leaks({"case/erika.json": b"{}"}, HELD) == [Leak("case/erika.json", "PatientName")]


@pytest.mark.parametrize("place", ["voxels", "header", "second member", "extension"])
def test_a_name_is_found_in_what_is_compressed(tmp_path, place):
    voxels = np.zeros((9, 9, 9), dtype=np.int16)
    path = tmp_path / "ct.nii.gz"
    write_nifti(path, Volume(voxels, np.eye(4)))
    content = bytearray(gzip.decompress(path.read_bytes()))
    if place == "header":
        content[148 : 148 + 5] = b"Erika"
    elif place == "voxels":
        content[700 : 700 + 10] = b"Mustermann"
    elif place == "extension":
        content[108:112] = np.float32(384).tobytes()
        content[352:352] = b"Erika".ljust(32, b"\0")
    packed = gzip.compress(bytes(content), mtime=0)
    if place == "second member":
        packed += gzip.compress(b"Mustermann", mtime=0)
    assert leaks("ct.nii.gz", packed) == {"PatientName"}
    assert leaks("ct.nii.gz", path.read_bytes()) == set()


def test_a_name_is_found_in_the_header_of_gzip(tmp_path):
    with (
        (tmp_path / "erika").open("wb") as raw,
        gzip.GzipFile("erika.nii", "wb", fileobj=raw, mtime=0) as file,
    ):
        file.write(b"\0" * 400)
    assert leaks("ct.nii.gz", (tmp_path / "erika").read_bytes()) == {"PatientName"}


@pytest.mark.parametrize(
    "content",
    [
        '{"sha256": "9f4711ab"}',
        '{"spacing_mm": 0.4711, "count": 4711}',
        '{"version": "0.4711"}',
        '{"text": "amerikanisch"}',
        '{"name": "4711.5"}',
    ],
)
def test_short_values_inside_of_words_and_numbers_are_chance(content):
    assert leaks("a.json", content.encode()) == set()


@pytest.mark.parametrize("content", ['{"id": "4711"}', '{"id": "case_4711"}', '{"a": ["x 4711-2"]}'])
def test_short_values_that_stand_alone_are_found(content):
    assert leaks("a.json", content.encode()) == {"StudyID"}


def test_our_own_words_are_no_leak():
    held = Originals({"StudyDescription": frozenset({"pancreas", "venous", "liver", "axial"})})
    assert find_leaks({"pancreas.nii.gz": b'{"a": "liver", "phase": "venous"}'}, held) == []


CLINIC = {
    "PatientName": "Anonymous^Patient",
    "StudyDescription": "CT Abdomen",
    "SeriesDescription": "venous",
    "ProtocolName": "Pancreas",
    "BodyPartExamined": "ABDOMEN",
    "StationName": "CT01",
    "StudyID": "1000",
    "AccessionNumber": "2026",
    "PatientID": "1",
    "ManufacturerModelName": "Helix",
    "SoftwareVersions": "0.1.0",
    "ImageComments": "none",
    "OperatorsName": "Case^Test",
    "PerformedProcedureStepDescription": "Liver Phantom Scan",
    "ConvolutionKernel": "B30f",
    "InstitutionName": "DICOM",
}


def test_the_usual_words_of_headers_do_not_fail_a_case(tmp_path):
    folder = tmp_path / "src/case-1/dicom"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).normal(40, 20, (20, 22, 8)).round().astype(np.int16)
    volume = Volume(noise, np.diag([-2.0, -2, 3, 1]))
    write_series(folder, volume, SeriesHeader(1, 1, "ct", "venous", "F", 60, 1, "Siemens"))
    for path in folder.iterdir():
        header = dcmread(path)
        for name, value in CLINIC.items():
            setattr(header, name, value)
        header.InstanceCreationDate = f"{date.today():%Y%m%d}"
        header.save_as(path)
    (outcome,) = curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    assert (outcome.status, outcome.message) == ("done", "")


def test_the_message_names_attribute_and_file_and_never_the_value(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/a.json").write_text('{"a": "Erika"}')
    outputs = files_below(tmp_path, "case-1")
    assert list(outputs) == ["case-1/deep/a.json"]
    with pytest.raises(
        ImageError, match=r"^Case case-1: IDENTITY_LEFT, .* under PatientName .* case-1/deep/a.json"
    ) as error:
        refuse_leaks("case-1", outputs, HELD)
    assert "rika" not in str(error.value)
    (tmp_path / "deep/a.json").write_text('{"a": "p12"}')
    refuse_leaks("case-1", outputs, HELD)


@given(
    st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzäöüßéñ", min_size=8, max_size=30),
    st.binary(max_size=60),
    st.binary(max_size=60),
    st.sampled_from(["utf-8", "latin-1"]),
)
def test_long_names_are_found_among_any_bytes(name, before, after, encoding):
    name = f"Zyx{name}"  # none of our own words
    held = Originals({"PatientName": frozenset({name.lower()})})
    content = before + name.encode(encoding) + after
    assert find_leaks({"a.bin": content}, held) == [Leak("a.bin", "PatientName")]


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_random_voxels_are_no_leak(seed):
    voxels = np.random.default_rng(seed).integers(-(2**15), 2**15, (24, 24, 24), dtype=np.int16)
    assert leaks("ct.nii.gz", gzip.compress(b"\0" * 352 + voxels.tobytes(), 1)) == set()


@pytest.mark.parametrize("place", ["nowhere", "header", "voxels", "name in gzip"])
def test_a_file_that_was_read_back_is_searched_like_any_other(tmp_path, place):
    path = tmp_path / "ct.nii.gz"
    voxels = np.random.default_rng(5).integers(-1000, 1000, (16, 16, 4), dtype=np.int16)
    if place == "voxels":
        row = voxels.reshape(-1, order="F").view(np.uint8)
        row[100:110] = np.frombuffer(NAME.encode(), dtype=np.uint8)
        voxels = row.view(np.int16).reshape(voxels.shape, order="F")
    write_nifti(path, Volume(voxels, np.eye(4)))
    content = bytearray(gzip.decompress(path.read_bytes()))
    if place == "header":
        content[148:158] = NAME.encode()
    name = NAME if place == "name in gzip" else ""
    with path.open("wb") as stored, gzip.GzipFile(name, "wb", fileobj=stored) as file:
        file.write(bytes(content))
    found = {leak.attribute for leak in find_leaks({"ct.nii.gz": ReadBack(path, voxels)}, HELD)}
    whole = {leak.attribute for leak in find_leaks({"ct.nii.gz": path}, HELD)}
    assert found == whole == (set() if place == "nowhere" else {"PatientName"})
