import pytest
from pydicom.dataset import Dataset

from wirsung.imaging.dicom_attributes import read_attributes, read_identity


def header(**values):
    ds = Dataset()
    for name, value in values.items():
        setattr(ds, name, value)
    return ds


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("GE MEDICAL SYSTEMS", "GE"),
        ("SIEMENS", "Siemens"),
        ("Philips Healthcare", "Philips"),
        ("Canon Medical Systems", "Canon"),
        ("TOSHIBA", "Toshiba"),
        ("UIH", "UIH"),
        ("NMS Neusoft", "Neusoft"),
        ("Dr Smith's Clinic", None),
        ("Germany", None),
    ],
)
def test_a_vendor_gets_its_canonical_name_or_none(given, canonical):
    assert read_attributes(header(Manufacturer=given)).get("manufacturer") == canonical


@pytest.mark.parametrize(
    ("given", "years"),
    [("062Y", 62), ("089Y", 89), ("090Y", 90), ("103Y", 90), ("018M", 1.5), ("026W", 0.5), ("62", None)],
)
def test_ages_are_years_and_never_above_90(given, years):
    ds = Dataset()
    ds.PatientAge = None
    ds["PatientAge"]._value = given
    assert read_attributes(ds).get("patient_age_years") == years


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("B30f", "B30f"),
        (["Br38f", "3"], "Br38f"),
        ("STANDARD", "STANDARD"),
        ("FC08", "FC08"),
        ("I31f 3", "I31f 3"),
        ("JOHN SMITH", None),
        ("SMITH", None),
        ("1965", None),
    ],
)
def test_a_kernel_is_kept_where_it_looks_like_one(given, kept):
    assert read_attributes(header(ConvolutionKernel=given)).get("convolution_kernel") == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [("Omnipaque 350", "IODINE"), ("iohexol for Mrs Smith", "IODINE"), ("APPLIED", "UNKNOWN"), ("", None)],
)
def test_a_contrast_agent_becomes_one_word(given, kept):
    assert read_attributes(header(ContrastBolusAgent=given)).get("contrast_agent") == kept


def test_sex_modality_and_position_are_words_of_a_list():
    found = read_attributes(header(PatientSex="F", Modality="CT", PatientPosition="FFS"))
    assert found == {"patient_sex": "F", "modality": "CT", "patient_position": "FFS"}
    assert read_attributes(header(PatientSex="SMITH", Modality="XX", PatientPosition="ON HEAD")) == {}


def test_numbers_that_are_none_are_left_out():
    ds = header(KVP="120", ExposureTime="500", SpiralPitchFactor=float("nan"))
    ds.XRayTubeCurrent = None
    assert read_attributes(ds) == {"kvp": 120.0, "exposure_time_ms": 500.0}


def test_no_text_of_a_header_full_of_text_gets_through():
    """Every text element of the dictionary's patient, study and equipment groups holds the canary."""
    ds = Dataset()
    for keyword, vr in (
        ("PatientName", "PN"),
        ("PatientID", "LO"),
        ("PatientComments", "LT"),
        ("StudyDescription", "LO"),
        ("SeriesDescription", "LO"),
        ("ProtocolName", "LO"),
        ("InstitutionName", "LO"),
        ("StationName", "SH"),
        ("Manufacturer", "LO"),
        ("ConvolutionKernel", "SH"),
        ("ContrastBolusAgent", "LO"),
        ("ImageComments", "LT"),
    ):
        ds.add_new(keyword, vr, "CANARY")
    assert "CANARY" not in str(read_attributes(ds))


def test_the_identity_never_shows():
    identity = read_identity(header(PatientID="CANARY", InstitutionName="CANARY", StudyInstanceUID="1.2"))
    assert (identity.patient_id, identity.study_uid, identity.series_uid) == ("CANARY", "1.2", "")
    assert repr(identity) == str(identity) == "Identity(hidden)"
