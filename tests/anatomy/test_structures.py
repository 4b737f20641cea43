import re

import pydicom.sr.codedict  # noqa: F401 - fills the dictionary below
import pytest
from pydicom.sr._concepts_dict import concepts

from wirsung.anatomy.structures import containers, parts, structure, structures
from wirsung.errors import LabelError

OFFICIAL = {
    "adrenal_gland_left": 1,
    "adrenal_gland_right": 2,
    "aorta": 3,
    "bladder": 4,
    "celiac_artery": 5,
    "colon": 6,
    "common_bile_duct": 7,
    "duodenum": 8,
    "femur_left": 9,
    "femur_right": 10,
    "gall_bladder": 11,
    "kidney_left": 12,
    "kidney_right": 13,
    "liver": 14,
    "lung_left": 15,
    "lung_right": 16,
    "pancreas": 17,
    "pancreas_body": 18,
    "pancreas_head": 19,
    "pancreas_tail": 20,
    "pancreatic_duct": 21,
    "postcava": 22,
    "prostate": 23,
    "spleen": 24,
    "stomach": 25,
    "superior_mesenteric_artery": 26,
    "veins": 27,
    "pancreatic_lesion": 28,
}
"""The class map of the PanTS release, copied by hand."""


def test_names_and_values_are_those_of_the_release():
    assert {name: item.value for name, item in structures().items()} == OFFICIAL
    assert list(structures()) == list(OFFICIAL)


SNOMED_ONLY = {
    "64163001": {"Head of pancreas"},
    "40133006": {"Body of pancreas"},
    "73239005": {"Tail of pancreas"},
    "110765007": {"Portal vein and splenic vein"},
}
"""Concepts of SNOMED CT that DICOM's dictionary does not list, copied by hand."""


def test_codes_and_meanings_are_those_of_snomed_in_dicoms_words():
    known = dict(SNOMED_ONLY)
    for versions in concepts["SCT"].values():
        for code, (meaning, _) in versions.items():
            known.setdefault(code, set()).add(meaning)
    for item in structures().values():
        assert item.snomed_meaning in known.get(item.snomed_code, ()), (
            item.name,
            known.get(item.snomed_code),
        )


def test_paired_structures_share_a_code_and_differ_in_side():
    for name, item in structures().items():
        side = next((side for side in ("left", "right") if name.endswith(f"_{side}")), None)
        assert item.laterality == side
        if side == "left":
            assert structure(name.replace("left", "right")).snomed_code == item.snomed_code


def test_unpaired_structures_have_codes_of_their_own():
    codes = [item.snomed_code for item in structures().values() if item.laterality in (None, "left")]
    assert len(set(codes)) == len(codes)


def test_colours_are_distinct_and_of_six_digits():
    colours = [item.colour for item in structures().values()]
    assert len(set(colours)) == 28
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in colours)


def test_containment_has_no_cycle_and_only_known_names():
    for name in structures():
        chain = containers(name)
        assert len(set(chain)) == len(chain)
        assert set(chain) <= set(structures())


def test_the_pancreas_contains_its_parts_duct_and_lesion():
    assert set(parts("pancreas")) == {
        "pancreas_head",
        "pancreas_body",
        "pancreas_tail",
        "pancreatic_duct",
        "pancreatic_lesion",
    }
    assert parts("liver") == ()
    assert containers("somewhere_else") == ("somewhere_else",)


def test_an_unknown_structure_lists_the_near_ones():
    with pytest.raises(LabelError, match=r"no structure named 'pancrease'\. Did you mean pancreas "):
        structure("pancrease")


def test_titles_are_for_people():
    assert structure("superior_mesenteric_artery").title == "superior mesenteric artery"
