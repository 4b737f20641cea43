"""What the list releases is what the profile and its options allow."""

from collections import Counter

import pytest
from pydicom.datadict import dictionary_has_tag, keyword_for_tag, tag_for_keyword

from wirsung.curation.deidentification.allowed import ALLOWED, DATES, UIDS
from wirsung.curation.deidentification.profile import ACTIONS, BASIC, METHODS, basic_profile, rule_for

RELEASED = [*ALLOWED, *UIDS, *DATES]


def test_the_table_has_the_rows_of_the_standard_and_its_codes():
    rules = basic_profile()
    assert len(rules) == 655 + 1  # and the row of private attributes
    assert {rule.action for rule in rules.values()} == set(ACTIONS) - {"K", "C"}
    counts = Counter(rule.action for rule in rules.values())
    assert (counts["X"], counts["D"], counts["U"], counts["Z"]) == (416, 93, 55, 42)


def test_keywords_are_those_of_the_dictionary():
    for tag, rule in basic_profile().items():
        if "x" not in tag and dictionary_has_tag(number := int(tag.replace(",", ""), 16)):
            assert rule.keyword == keyword_for_tag(number)
            assert rule_for(number) is rule


@pytest.mark.parametrize(
    ("tag", "action"),
    [
        (0x00100010, "Z"),
        (0x00100020, "Z/D"),
        (0x00100030, "Z"),
        (0x00080050, "Z"),
        (0x00080080, "X/Z/D"),
        (0x00081140, "X/Z/U*"),
        (0x00200200, "U"),
        (0x00204000, "X"),
        (0x00210010, "X"),
        (0x50004321, "X"),
        (0x601E3000, "X"),
        (0xFFFCFFFC, "X"),
    ],
)
def test_rows_of_the_standard_that_everybody_knows(tag, action):
    assert rule_for(tag).action == action


@pytest.mark.parametrize("keyword", RELEASED)
def test_the_list_agrees_with_the_profile_and_the_options_that_it_names(keyword):
    """What the table names is kept or cleaned under a named option, or replaced under U."""
    rule = rule_for(tag_for_keyword(keyword))
    if rule is None:
        assert keyword in ALLOWED, "an attribute that the profile leaves alone needs no key"
        return
    action = rule.action_under(METHODS)
    if keyword in UIDS:
        assert action == "U"
    elif keyword in DATES:
        assert (action, rule.options["113107"]) == ("C", "C")
    else:
        assert action in ("K", "C"), f"{keyword} is {rule.action} in the profile, and no option allows it"


def test_attributes_of_an_option_need_that_option():
    assert rule_for(tag_for_keyword("PatientAge")).action_under({BASIC: ""}) == "X"
    assert rule_for(tag_for_keyword("StudyDate")).action_under({BASIC: ""}) == "Z"
    assert rule_for(tag_for_keyword("StudyInstanceUID")).action_under({"113110": ""}) == "K"
    used = {
        code for keyword in RELEASED if (rule := rule_for(tag_for_keyword(keyword))) for code in rule.options
    }
    assert set(METHODS) - {BASIC} <= used, "an option is claimed that nothing released needs"
