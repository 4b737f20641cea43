import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirsung.anatomy.schemes import scheme
from wirsung.anatomy.structures import containers, structures
from wirsung.datasets.painting import paint, painting_order, union_within

NAMES = list(structures())


def test_organs_come_before_the_pancreas_its_parts_and_the_lesion():
    order = painting_order(NAMES)
    assert order[-5:] == (
        "pancreas_body",
        "pancreas_head",
        "pancreas_tail",
        "pancreatic_duct",
        "pancreatic_lesion",
    )
    assert order[-6] == "pancreas"
    assert sorted(order) == sorted(NAMES)


@settings(deadline=None)
@given(st.permutations(NAMES))
def test_nothing_is_painted_over_by_what_contains_it(names):
    order = painting_order(names)
    for name in names:
        for outer in containers(name)[1:]:
            assert order.index(outer) < order.index(name)


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**28 - 1), min_size=1, max_size=20))
def test_each_voxel_has_the_value_of_the_last_structure_painted_there(patterns):
    # Bit n of a voxel's pattern says whether structure n holds it.
    held = np.array(patterns)
    masks = {name: ((held >> index) & 1).astype(bool).reshape(-1, 1, 1) for index, name in enumerate(NAMES)}
    order = painting_order(NAMES)
    found = paint(((name, masks[name]) for name in order), (len(patterns), 1, 1), scheme("pants-28"))
    for index, pattern in enumerate(patterns):
        inside = [name for name in order if masks[name][index, 0, 0]]
        expected = structures()[inside[-1]].value if inside else 0
        assert found[index, 0, 0] == expected, (pattern, inside)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pants-28", [17, 19, 28, 27]),
        ("pants-2", [1, 1, 2, 0]),
        ("pancreas", [1, 1, 1, 0]),
        ("demo-7", [6, 6, 7, 0]),
    ],
)
def test_one_case_painted_in_four_schemes(name, expected):
    line = {
        "pancreas": [1, 1, 1, 0],
        "pancreas_head": [0, 1, 0, 0],
        "pancreatic_lesion": [0, 0, 1, 0],
        "veins": [1, 0, 0, 1],
    }
    masks = [(key, np.array(line[key], dtype=bool).reshape(4, 1, 1)) for key in painting_order(line)]
    assert paint(masks, (4, 1, 1), scheme(name)).ravel().tolist() == expected


def test_the_union_of_what_is_not_there_is_none():
    assert union_within({"liver": np.ones((1, 1, 1), bool)}, "pancreas") is None
