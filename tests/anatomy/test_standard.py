import pytest

from wirsung.anatomy.standard import SEVERITIES, norm, norms, phase_norms, rule, rules
from wirsung.anatomy.structures import structures
from wirsung.errors import ConfigError


def test_every_rule_says_what_must_hold_and_where_that_comes_from():
    for item in rules().values():
        assert item.severity in SEVERITIES
        assert item.what.endswith(".")
        assert item.source
        assert (item.unit != "") or item.threshold is None


def test_the_threshold_of_specks_is_that_of_the_complaint():
    """Issue 12 of PanTS: lesions under 50 voxels."""
    assert (rule("lesion_tiny").threshold, rule("lesion_tiny").unit) == (50, "voxels")


def test_an_unknown_rule_lists_the_near_ones():
    with pytest.raises(ConfigError, match="lesion_tiny"):
        rule("lesion_tinny")


def test_every_structure_has_a_norm_and_no_other_has():
    assert set(norms()) == set(structures())
    assert norm("celiac_trunk") is None
    for item in norms().values():
        assert 0 <= item.volume_ml[0] < item.volume_ml[1]
        assert -1000 <= item.hu[0] < item.hu[1]
        assert item.source


# Textbook volumes of adults in ml, by hand: all must lie well inside.
NORMAL_ML = {
    "liver": (1000, 2000),
    "spleen": (100, 315),
    "kidney_left": (110, 207.6),
    "kidney_right": (110, 207.6),
    "adrenal_gland_left": (2, 6),
    "gall_bladder": (15, 60),
    "pancreas": (46, 98),
    "prostate": (15, 50),
    "stomach": (50, 1500),
    "lung_left": (1000, 3500),
    "pancreatic_lesion": (0.002, 732.4),
}


@pytest.mark.parametrize("name", NORMAL_ML)
def test_normal_organs_lie_inside_their_range(name):
    low, high = norms()[name].volume_ml
    assert low <= NORMAL_ML[name][0]
    assert high >= NORMAL_ML[name][1]


def test_the_corrupt_masks_of_the_release_lie_outside():
    """445 to 855 ml, see pants-unetpp's count."""
    assert norms()["pancreas"].volume_ml[1] < 445


# Median HU of blood in aorta and portal vein as radiology teaches it for each phase.
TAUGHT_HU = {
    "non-contrast": (40, 40),
    "arterial": (300, 70),
    "pancreatic": (250, 120),
    "venous": (150, 160),
    "delayed": (110, 115),
}


@pytest.mark.parametrize("phase", TAUGHT_HU)
def test_the_taught_brightness_of_each_phase_lies_in_its_range(phase):
    found = phase_norms()[phase]
    aorta, veins = TAUGHT_HU[phase]
    assert found.aorta[0] < aorta < found.aorta[1]
    assert found.veins[0] < veins < found.veins[1]


def test_contrast_in_the_aorta_is_never_taken_for_none():
    plain = phase_norms()["non-contrast"]
    assert plain.aorta[1] < phase_norms()["arterial"].aorta[0]
    assert plain.aorta[1] < TAUGHT_HU["delayed"][0]
