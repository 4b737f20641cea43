import numpy as np
import pyarrow as pa
import pytest

from wirsung.datasets.manifest import (
    ManifestRow,
    StructureRow,
    read_manifest,
    read_structures,
    write_manifest,
    write_structures,
)
from wirsung.datasets.tables.cohort import Cohort, cohort, slice_axis
from wirsung.datasets.tables.rendering import as_csv, as_latex, as_markdown, cells
from wirsung.datasets.tables.table_one import Variable, table_one
from wirsung.errors import ConfigError


def row(case, **known):
    return ManifestRow(case, case, spacing_i_mm=0.8, spacing_j_mm=0.8, spacing_k_mm=2.5, **known)


def measured(case, structure, volume_ml, hu, components=1):
    return StructureRow(case, structure, volume_ml, hu, 1.0, *[None] * 6, components, False, "")


@pytest.fixture
def tables(tmp_path):
    write_manifest(
        tmp_path,
        [
            row("a", sex="F", age_years=60, phase="venous", tumour=True),
            row("b", sex="M", age_years=70, phase="arterial", tumour=False),
            row("c", phase="venous", tumour=False),
            row("d", sex="F", age_years=50, phase="venous", tumour=True),
        ],
    )
    write_structures(
        tmp_path,
        [
            measured("d", "pancreatic_lesion", 4.0, 40.0, components=3),
            measured("a", "pancreas", 80.0, 100.0),
            measured("a", "pancreatic_lesion", 2.0, 60.0),
            measured("b", "pancreatic_lesion", 0.0, None, components=0),
            measured("b", "pancreas", 70.0, 90.0),
        ],
    )
    return read_manifest(tmp_path), read_structures(tmp_path)


def test_a_cohort_is_told_case_by_case(tables):
    found = cohort("ours", *tables)
    assert found.cases == 4
    np.testing.assert_array_equal(found.numbers["age_years"], [60, 70, np.nan, 50])
    np.testing.assert_array_equal(found.numbers["in_plane_spacing_mm"], [0.8] * 4)
    np.testing.assert_array_equal(found.numbers["slice_thickness_mm"], [2.5] * 4)
    np.testing.assert_array_equal(found.numbers["tumour_volume_mm3"], [2000, np.nan, np.nan, 4000])
    np.testing.assert_array_equal(found.numbers["tumours_per_positive_ct"], [1, np.nan, np.nan, 3])
    np.testing.assert_array_equal(found.numbers["tumour_hu"], [60, np.nan, np.nan, 40])
    np.testing.assert_array_equal(found.numbers["pancreas_volume_mm3"], [80000, 70000, np.nan, np.nan])
    assert found.words["tumour"] == ["yes", "no", "no", "yes"]
    assert "dilated_duct" not in found.words


def test_without_measured_masks_there_are_no_volumes(tables):
    assert "tumour_hu" not in cohort("ours", tables[0]).numbers


@pytest.mark.parametrize(
    ("spacing", "axis"),
    [
        ((0.625, 0.625, 0.8), 2),
        ((5.0, 0.80, 0.80), 0),
        ((0.7, 3.0, 0.7), 1),
        ((1.5, 1.5, 1.5), 2),
        ((0.7, 0.8, 0.9), 2),
        ((0.98, 0.98, 0.5), 2),
    ],
)
def test_slices_lie_across_the_odd_spacing(spacing, axis):
    assert slice_axis(np.array([spacing])).tolist() == [axis]


def test_one_cohort_is_told_without_tests(tables):
    table = cells(table_one([cohort("ours", *tables)]))
    assert table[0] == ["Variable", "ours (n = 4)"]
    told = dict(map(tuple, table))
    assert told["Age, years, mean (SD)"] == "60.0 (10.0)"
    assert told["    Female, n (%)"] == "2 (50.0)"
    assert told["    Portal venous, n (%)"] == "3 (75.0)"
    assert told["    Delayed, n (%)"] == "0 (0.0)"
    assert told["Dilated duct"] == "-"
    assert told["Tumour volume, mm³, median (IQR)"] == "3,000 (2,500, 3,500)"


def test_the_unknown_are_counted(tables):
    lines = [line for line in cells(table_one([cohort("ours", *tables)])) if "Unknown" in line[0]]
    assert [line[1] for line in lines] == [
        "1 (25.0)",
        "1 (25.0)",
        "2 (50.0)",
        "2 (50.0)",
    ]  # age, sex, pancreas


def test_two_cohorts_are_compared():
    first = Cohort("one", 60, {"x": np.arange(60.0)}, {"y": ["a"] * 20 + ["b"] * 40})
    second = Cohort("two", 40, {"x": np.arange(40.0) + 30}, {"y": ["a"] * 30 + ["c"] * 10})
    found = table_one([first, second], [Variable("x", "X", "mean", 1), Variable("y", "Y", "count")])
    number, count = found.rows
    assert number.difference.test == "Welch's t"
    assert [item.counts for item in count.summaries] == [
        (("b", 40), ("a", 20), ("c", 0)),
        (("b", 0), ("a", 30), ("c", 10)),
    ]
    assert count.difference.test == "chi-square"
    assert cells(found)[1][0] == "X, mean (SD)"


def test_a_variable_that_one_cohort_lacks_is_not_tested():
    first, second = Cohort("one", 3, {"x": np.arange(3.0)}, {}), Cohort("two", 2, {}, {})
    (found,) = table_one([first, second], [Variable("x", "X", "median")]).rows
    assert (found.summaries[1], found.difference) == (None, None)


@pytest.mark.parametrize("count", [0, 3])
def test_three_cohorts_are_no_comparison(count):
    with pytest.raises(ConfigError, match="one cohort or compares two"):
        table_one([Cohort("x", 0, {}, {})] * count)


def test_the_table_is_written_for_papers(tables):
    table = table_one([cohort("ours", *tables), cohort("theirs_2", *tables)])
    assert as_csv(table).splitlines()[0] == "Variable,ours (n = 4),theirs_2 (n = 4),p-value,SMD,Test"
    assert "| &emsp;Female, n (%) | 2 (50.0) | 2 (50.0) |" in as_markdown(table)
    latex = as_latex(table)
    assert r"theirs\_2 (n = 4)" in latex
    assert r"\quad Female, n (\%) & 2 (50.0)" in latex
    assert latex.count(r"\\") == len(cells(table))


def test_a_dilated_duct_is_told_where_the_manifest_knows(tables):
    manifest = tables[0].append_column("dilated_duct", pa.array([True, None, False, True]))
    assert cohort("ours", manifest).words["dilated_duct"] == ["yes", None, "no", "yes"]
