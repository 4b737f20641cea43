import json
from datetime import datetime

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from wirsung.curation.deidentification.allowed import ALLOWED, DATES, UIDS
from wirsung.curation.deidentification.released import release

KEY = bytes(range(32))


def header(**values):
    """As it is read from a file: bytes that nobody has checked."""
    found = Dataset()
    for name, value in values.items():
        if name.endswith("Sequence"):
            setattr(found, name, value)
            continue
        parts = value if isinstance(value, list) else [value]
        content = "\\".join("" if part is None else str(part) for part in parts).encode()
        tag = Tag(tag_for_keyword(name))
        if (vr := dictionary_VR(tag)) == "US":
            content = int(value).to_bytes(2, "little")
        found[tag] = RawDataElement(tag, vr, len(content), content, 0, False, True)
    return found


def test_about_fifty_attributes_may_be_released_and_none_is_a_name_or_a_text():
    released = {*ALLOWED, *UIDS, *DATES}
    assert 45 <= len(released) <= 60
    assert not [name for name in released if "Name" in name or "Description" in name or "Comment" in name]
    assert not [name for name in released if name.endswith("Time") and name not in TIMES_OF_THE_SCANNER]


TIMES_OF_THE_SCANNER = {"ExposureTime", "RepetitionTime", "EchoTime", "InversionTime"}


@pytest.mark.parametrize(
    ("keyword", "value", "expected"),
    [
        ("Manufacturer", "SIEMENS Healthineers", "Siemens"),
        ("Manufacturer", "GE MEDICAL SYSTEMS, Dr. Smith", "GE"),
        ("ConvolutionKernel", "B30f", "B30f"),
        ("ConvolutionKernel", ["Br38f", "3"], "Br38f"),
        ("ConvolutionKernel", "STANDARD", "STANDARD"),
        ("ConvolutionKernel", "FC08", "FC08"),
        ("ContrastBolusAgent", "Omnipaque 350 for Mrs Smith", "IODINE"),
        ("PatientSex", "f", "F"),
        ("PatientAge", "095Y", "090Y"),
        ("KVP", "120", 120.0),
        ("SeriesNumber", "3", 3),
        ("PixelSpacing", ["0.7", "0.7"], [0.7, 0.7]),
        ("ImageType", ["ORIGINAL", "PRIMARY", "ERIKA", "AXIAL"], ["ORIGINAL", "PRIMARY", "AXIAL"]),
        ("BodyPartExamined", "ABDOMEN", "ABDOMEN"),
        ("RescaleIntercept", "-1024", -1024.0),
    ],
)
def test_what_is_allowed_comes_in_one_canonical_form(keyword, value, expected):
    found = release([header(**{keyword: value})], KEY)
    assert found.attributes == {keyword: expected}
    assert found.rejected == {}


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Manufacturer", "Dr. Mustermann's workshop"),
        ("ConvolutionKernel", "MUSTERMANN1"),
        ("ConvolutionKernel", "ERIKA61"),
        ("PatientSex", "ERIKA"),
        ("PatientAge", "ERIKA"),
        ("BodyPartExamined", "ERIKA"),
        ("ImageType", ["ERIKA"]),
        ("KVP", "19610312"),
        ("SeriesNumber", "4711815"),
        ("SeriesNumber", "2.5"),
        ("StudyDate", "in spring"),
        ("StudyInstanceUID", "ERIKA"),
        ("PixelSpacing", ["0.7", "nan"]),
        ("SliceThickness", "inf"),
        ("SOPClassUID", "1.2.276.0.7230010.3.4711"),
    ],
)
def test_what_is_not_allowed_is_counted_and_not_shown(keyword, value):
    found = release([header(**{keyword: value})] * 3, KEY)
    assert found.attributes == {}
    assert found.rejected == {keyword: 3}
    told = json.dumps(found.as_json()) + repr(found)
    assert not [part for part in ([value] if isinstance(value, str) else value[-1:]) if f'"{part}' in told]


def test_an_empty_or_missing_attribute_is_neither_released_nor_rejected():
    found = release([header(PatientSex="", KVP=None, StudyDate="")], KEY)
    assert (found.attributes, found.rejected, found.ranges) == ({}, {}, {})


def test_numbers_that_change_become_a_range_and_words_that_change_nothing():
    headers = [
        header(XRayTubeCurrent=current, PatientPosition=place)
        for current, place in ((200, "HFS"), (180, "FFS"), (220, "HFS"))
    ]
    found = release(headers, KEY)
    assert found.ranges == {"XRayTubeCurrent": (180.0, 220.0)}
    assert found.attributes == {}


def test_dates_of_one_patient_keep_their_distance_and_other_patients_move_otherwise():
    def moved(patient, date):
        return release([header(PatientID=patient, StudyDate=date)], KEY).attributes["StudyDate"]

    days = [datetime.strptime(moved("1", date), "%Y%m%d") for date in ("20240101", "20240401")]
    assert (days[1] - days[0]).days == 91
    assert len({moved(str(patient), "20240101") for patient in range(9)}) > 5


def test_a_patient_without_a_number_is_known_by_the_study():
    study = header(StudyInstanceUID="1.2.3", StudyDate="20240101")
    named = release([study], KEY, patient="1.2.3").attributes
    assert release([study], KEY).attributes == named
    assert release([study], KEY, patient="other").attributes["StudyInstanceUID"] == named["StudyInstanceUID"]
    assert release([study], KEY, patient="other").attributes["StudyDate"] != named["StudyDate"]


def test_the_file_names_the_profile_and_its_options_and_holds_no_key():
    found = release([header(PatientID="4711", KVP=120)], KEY)
    content = found.as_json()
    codes = [method["code"] for method in content["deidentification"]["methods"]]
    assert codes == ["113100", "113105", "113107", "113108"]
    assert content["attributes"] == {"KVP": 120.0}
    assert "certifies no anonymity" in content["deidentification"]["note"]
    told = json.dumps(content, allow_nan=False)
    assert KEY.hex() not in told
    assert "4711" not in told


def test_nested_and_private_values_cannot_come_along():
    item = header(KVP=80, PatientSex="F", StudyDate="20240101")
    found = header(RequestAttributesSequence=[item], PatientName="A^B", StudyDescription="text")
    found.private_block(0x0009, "ERIKA", create=True).add_new(1, "LO", "private")
    assert release([found], KEY).attributes == {}
