import math

import numpy as np
import pytest
from scipy import stats

from wirsung.errors import ConfigError
from wirsung.evaluation.statistics import summarise
from wirsung.evaluation.subgroups import difference_test, subgroup_findings, subgrouping, with_holm

ROWS = {
    "a": {"sex": "F", "age_years": 39, "tumour": True},
    "b": {"sex": "M", "age_years": 40, "tumour": False},
    "c": {"sex": None, "age_years": 71, "tumour": True},
    "d": {"sex": "F", "age_years": None, "tumour": False},
    "e": {"sex": "M", "age_years": 59.5, "tumour": True},
}
SCORES = {
    "a": (0.9, None),
    "b": (0.7, None),
    "c": (0.5, None),
    "d": (math.nan, "both_empty"),
    "e": (0.8, None),
}
KEY = ("net", "pancreas", "dsc")


def test_categories_are_levels_in_alphabetical_order_and_unknown_comes_last():
    found = subgrouping("sex", ROWS)
    assert found.levels == ("F", "M", "unknown")
    assert dict(found.of) == {"a": "F", "b": "M", "c": "unknown", "d": "F", "e": "M"}


def test_a_number_at_a_cut_point_belongs_above_it():
    found = subgrouping("age_years:40,60", ROWS)
    assert found.levels == ("< 40", "40 to < 60", ">= 60", "unknown")
    assert found.of["b"] == found.of["e"] == "40 to < 60"
    assert (found.of["a"], found.of["c"], found.of["d"]) == ("< 40", ">= 60", "unknown")


def test_yes_and_no_have_names():
    assert subgrouping("tumour", ROWS).levels == ("no", "yes", "unknown")


def test_each_level_has_the_summary_of_its_cases():
    found = subgroup_findings(KEY, subgrouping("sex", ROWS), SCORES, patients={}, seed=1)
    assert [(item.level, item.summary.n) for item in found.levels] == [("F", 1), ("M", 2), ("unknown", 1)]
    assert found.levels[0].summary.undefined == {"both_empty": 1}
    assert found.levels[1].summary == summarise([0.7, 0.8], [None, None], seed=1)
    assert found.overall.n == 4
    assert found.test == "Mann-Whitney"
    assert found.p == pytest.approx(stats.mannwhitneyu([0.9], [0.7, 0.8]).pvalue)


def test_a_case_without_a_row_is_unknown():
    found = subgroup_findings(KEY, subgrouping("sex", ROWS), {**SCORES, "z": (0.4, None)}, patients={})
    assert (found.levels[-1].level, found.levels[-1].summary.n) == ("unknown", 2)


def test_two_levels_are_tested_by_mann_whitney_and_more_by_kruskal_wallis():
    groups = [np.random.default_rng(seed).normal(0.8 - 0.02 * seed, 0.1, 20) for seed in range(3)]
    assert difference_test(groups[:2]) == (
        "Mann-Whitney",
        pytest.approx(stats.mannwhitneyu(*groups[:2]).pvalue),
    )
    assert difference_test(groups) == (
        "Kruskal-Wallis",
        pytest.approx(stats.kruskal(*groups).pvalue, abs=1e-10),
    )


def test_levels_that_are_all_alike_do_not_differ():
    assert difference_test([[1.0, 1.0], [1.0], [1.0]]) == ("Kruskal-Wallis", 1.0)


def test_scans_of_one_patient_count_once_in_the_test():
    rows = {f"{patient}{scan}": {"centre": patient in "ab"} for patient in "abcd" for scan in range(3)}
    scores = {case: (ord(case[0]) / 200 + int(case[1]) / 1000, None) for case in rows}
    patients = {case: case[0] for case in rows}
    found = subgroup_findings(KEY, subgrouping("centre", rows), scores, patients=patients)
    means = {name: ord(name) / 200 + 1 / 1000 for name in "abcd"}
    expected = stats.mannwhitneyu([means["c"], means["d"]], [means["a"], means["b"]]).pvalue
    assert found.p == pytest.approx(expected)


def test_holm_counts_the_columns_and_structures_of_one_method_and_metric():
    by_sex = subgroup_findings(KEY, subgrouping("sex", ROWS), SCORES, patients={})
    by_age = subgroup_findings(KEY, subgrouping("age_years:50", ROWS), SCORES, patients={})
    other = subgroup_findings(("net", "pancreas", "hd"), subgrouping("sex", ROWS), SCORES, patients={})
    adjusted = with_holm([by_sex, by_age, other])
    assert adjusted[2].p_holm == other.p
    assert min(adjusted[0].p_holm, adjusted[1].p_holm) == pytest.approx(min(1, 2 * min(by_sex.p, by_age.p)))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("sx", "Did you mean sex"),
        ("age_years:60,40", "ascending"),
        ("age_years:old", "ascending"),
        ("sex:3", "sex of case a is no number"),
    ],
)
def test_a_wrong_subgroup_is_refused(spec, said):
    with pytest.raises(ConfigError, match=said):
        subgrouping(spec, ROWS)


def test_a_column_of_many_values_asks_for_cut_points():
    rows = {str(number): {"age_years": number} for number in range(30)}
    with pytest.raises(ConfigError, match="age_years:40,60"):
        subgrouping("age_years", rows)
    with pytest.raises(ConfigError, match="another column"):
        subgrouping("name", {str(number): {"name": f"n{number}"} for number in range(30)})
