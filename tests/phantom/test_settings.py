"""Settings that can't be are refused; what a case does not depend on does not make it anew."""

from dataclasses import replace
from pathlib import Path

import pytest
import tyro

from wirsung.errors import ConfigError
from wirsung.phantom.settings import PhantomSettings, contact_request

DEFAULT = PhantomSettings(Path("cohort"))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("cases", 0, "cases is 0, but it must lie between 1 and 9999"),
        ("tumours", 1.5, "tumours is 1.5, but it must lie between 0 and 1"),
        ("reader_dsc", 0.2, "reader_dsc is 0.2"),
        ("readers", 4, "readers is 4"),
        ("seed", -1, "seed is -1"),
        ("tumour_diameter_mm", (3.0, 20.0), "between 5 and 20"),
        ("tumour_diameter_mm", (30.0, 20.0), "between 5 and 20"),
        ("tumour_diameter_mm", (30.0, 90.0), "between 30.0 and 60"),
        ("sites", (), "sites is empty"),
        ("sites", ("haed",), "Did you mean head"),
        ("phases", ("venus",), "Did you mean venous"),
        ("contact", "veins", "Write it as superior_mesenteric_artery:120"),
        ("contact", "veins:400", "above 0 and at most 360"),
        ("contact", ":90", "must be a vessel"),
        ("randomise", ("contrast", "niose"), "Did you mean noise"),
        ("randomise", ("nothing", "noise"), "nothing stands alone"),
    ],
)
def test_a_setting_that_can_not_be_is_refused_with_its_value(field, value, message):
    with pytest.raises(ConfigError, match=message):
        replace(DEFAULT, **{field: value})


def test_the_fingerprint_ignores_folder_number_of_cases_and_workers_only():
    same = replace(DEFAULT, out=Path("elsewhere"), cases=99, workers=7)
    assert same.fingerprint() == DEFAULT.fingerprint()
    for change in ({"seed": 1}, {"preset": "small"}, {"readers": 2}, {"centres": 4}, {"phases": ("venous",)}):
        assert replace(DEFAULT, **change).fingerprint() != DEFAULT.fingerprint()


def test_a_contact_request_is_vessel_and_degrees_or_nothing():
    assert contact_request("veins:90.5") == ("veins", 90.5)
    assert contact_request(None) is None


def test_the_settings_make_a_command_line():
    words = ["out", "--cases", "3", "--sites", "head", "tail", "--tumour-diameter-mm", "10", "20"]
    found = tyro.cli(PhantomSettings, args=words)
    assert (found.out, found.cases, found.sites) == (Path("out"), 3, ("head", "tail"))
    assert found.tumour_diameter_mm == (10, 20)


def test_an_ordinary_cohort_has_the_fingerprint_from_before_there_was_randomisation():
    assert "randomise" not in DEFAULT.of_a_case()
    assert replace(DEFAULT, randomise=("nothing",)).fingerprint() != DEFAULT.fingerprint()


def test_a_randomised_image_is_mr_of_no_known_sequence_and_no_dicom():
    assert DEFAULT.image_name == "ct"
    assert replace(DEFAULT, randomise=("noise",)).image_name == "mr"
    with pytest.raises(ConfigError, match="a randomised image is of no scanner"):
        replace(DEFAULT, randomise=("noise",), format="dicom")
