import re
from dataclasses import replace

import numpy as np
import pytest

from wirsung.datasets.release_metadata import read_release_metadata, release_cohort
from wirsung.datasets.tables.cohort import Cohort
from wirsung.datasets.tables.differences import difference_of_counts
from wirsung.datasets.tables.published import as_rows, held_against_published, published_table
from wirsung.datasets.tables.table_one import VARIABLES


@pytest.fixture(scope="module")
def release(shared_data):
    rows = read_release_metadata(shared_data / "pants_metadata" / "metadata.xlsx").rows
    return release_cohort("PanTS", rows)


@pytest.fixture(scope="module")
def found(release):
    return {item.title: item for item in held_against_published(release)}


def test_every_published_row_that_the_released_table_can_give_comes_out(found):
    same = [title for title, item in found.items() if item.is_equal]
    assert same == [
        "Age, years, mean (SD)",
        "Sex: Female",
        "Slice thickness, mm, median (IQR)",
        "Contrast phase: Portal venous",
        "Contrast phase: Arterial",
        "Pancreatic tumour: Yes",
        "Pancreatic tumour: No",
    ]


@pytest.mark.parametrize(
    ("title", "difference", "reason"),
    [
        ("Sex: Male", "+1, 0", "PanTS_00009347"),
        ("Sex: Unknown", "−1, 0", "'M ' with a space"),
        ("In-plane spacing, mm, median (IQR)", "−0.01, 0, −0.03", "497 cases"),
        ("Contrast phase: Non-contrast", "−1, 0", "PanTS_00003188"),
        ("Contrast phase: Delayed", "0, −0.1", "0.69 %"),
    ],
)
def test_a_row_that_comes_out_otherwise_says_by_how_much_and_why(found, title, difference, reason):
    assert found[title].difference == difference
    assert reason in found[title].why


def test_what_the_released_table_lacks_is_said_and_not_made_up(found):
    missing = [item for item in found.values() if not item.ours]
    assert len(missing) == 7
    assert all(item.why and not item.difference for item in missing)


def test_a_value_that_is_neither_is_not_explained(release):
    place = release.words["sex"].index(None)
    sex = [*release.words["sex"][:place], "F", *release.words["sex"][place + 1 :]]
    other = replace(release, words={**release.words, "sex": sex})
    changed = {item.title: item for item in held_against_published(other)}
    assert changed["Sex: Female"].difference == "+1, 0"
    assert "Not explained" in changed["Sex: Female"].why
    assert "Not explained" in changed["Sex: Unknown"].why


def test_a_cohort_without_anything_lacks_everything():
    rows = as_rows(held_against_published(Cohort("none", 0, {}, {})))
    assert {row[2] for row in rows[1:]} == {"-"}
    assert all(row[4] for row in rows[1:])


def test_measured_masks_are_held_against_the_paper_too():
    measured = Cohort("x", 3, {"tumour_hu": np.array([26.6, 57.3, 88.0])}, {})
    (row,) = [item for item in held_against_published(measured) if item.ours]
    assert (row.title, row.is_equal) == ("Tumour, HU, mean (SD)", True)


def test_the_published_counts_add_up_where_the_paper_says_so():
    table = published_table()
    for variable, cases, column in (
        ("sex", table.cases, "training"),
        ("phase", table.cases, "training"),
        ("tumour", table.cases, "training"),
        ("dilated_duct", table.cases, "training"),
        ("sex", 26489, "test"),
        ("phase", 26489, "test"),
        ("tumour", 26489, "test"),
        ("dilated_duct", 26489, "test"),
    ):
        counts = [count(row[column]) for row in table.rows if row["variable"] == variable]
        assert sum(counts) == cases, (variable, column)


def count(text):
    return int(re.match(r"[\d,]+", text)[0].replace(",", ""))


def test_the_published_p_value_of_sex_is_that_of_its_published_counts():
    rows = [row for row in published_table().rows if row["variable"] == "sex" and row["level"] != "Unknown"]
    first, second = ([count(row[column]) for row in rows] for column in ("training", "test"))
    assert difference_of_counts(first, second).p_value == pytest.approx(7.87e-27, rel=0.005)


def test_every_row_belongs_to_a_variable_of_table_one():
    assert {row["variable"] for row in published_table().rows} == {item.column for item in VARIABLES}
