import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import Table
from statsmodels.stats.weightstats import ttest_ind
from tableone import TableOne

from wirsung.datasets.tables.differences import (
    difference_of_counts,
    difference_of_means,
    difference_of_ranks,
)

SAMPLES = st.lists(st.integers(-1000, 1000), min_size=3, max_size=30).filter(
    lambda found: len(set(found)) > 1
)


@given(SAMPLES, SAMPLES)
def test_means_are_tested_as_statsmodels_does(first, second):
    one, other = np.array(first, float), np.array(second, float)
    _, expected, _ = ttest_ind(one, other, usevar="unequal")
    assert difference_of_means(one, other).p_value == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(SAMPLES, SAMPLES)
def test_ranks_are_tested_by_the_textbook(first, second):
    one, other = np.array(first, float), np.array(second, float)
    n, m = one.size, other.size
    ranks = stats.rankdata(np.concatenate([one, other]))
    u = ranks[:n].sum() - n * (n + 1) / 2
    _, ties = np.unique(ranks, return_counts=True)
    total = n + m
    variance = n * m / 12 * (total + 1 - (ties**3 - ties).sum() / (total * (total - 1)))
    z = (abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    expected = min(1.0, math.erfc(z / math.sqrt(2)))
    assert difference_of_ranks(one, other).p_value == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(st.lists(st.integers(5, 400), min_size=3, max_size=6), st.data())
def test_counts_are_tested_as_statsmodels_does(first, data):
    second = data.draw(st.lists(st.integers(5, 400), min_size=len(first), max_size=len(first)))
    expected = Table(np.array([first, second]), shift_zeros=False).test_nominal_association().pvalue
    found = difference_of_counts(first, second)
    assert found.test == "chi-square"
    assert found.p_value == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_sex_in_the_two_sets_of_pants_differs_as_published():
    # Table 1 of the PanTS paper: 2,358 and 2,923 against 13,090 and 11,714, p = 7.87e-27.
    found = difference_of_counts([2358, 2923], [13090, 11714])
    assert found.p_value == pytest.approx(7.87e-27, rel=0.005)


def test_a_sparse_table_is_tested_exactly():
    # Fisher's lady tasting tea: 3 of 4 cups right, two-sided p = 34/70.
    found = difference_of_counts([3, 1], [1, 3])
    assert (found.test, found.p_value) == ("Fisher's exact", pytest.approx(34 / 70, abs=1e-12))


def test_the_standardised_difference_of_a_fraction_is_the_textbook_one():
    # Austin 2009: (p1 - p2) / sqrt((p1 q1 + p2 q2) / 2)
    expected = (0.6 - 0.3) / math.sqrt((0.6 * 0.4 + 0.3 * 0.7) / 2)
    assert difference_of_counts([60, 40], [30, 70]).smd == pytest.approx(expected, abs=1e-12)


@given(st.permutations(range(4)))
def test_the_order_of_the_levels_does_not_matter(order):
    first, second = np.array([10, 20, 30, 40]), np.array([25, 35, 15, 45])
    expected = difference_of_counts(list(first), list(second))
    found = difference_of_counts(list(first[list(order)]), list(second[list(order)]))
    assert found.smd == pytest.approx(expected.smd, abs=1e-12)
    assert found.p_value == pytest.approx(expected.p_value, abs=1e-12)


def test_cohorts_that_are_alike_do_not_differ():
    same = np.array([1.0, 2.0, 5.0])
    for difference in (difference_of_means(same, same), difference_of_ranks(same, same)):
        assert (difference.p_value, difference.smd) == (pytest.approx(1.0), 0)
    constant = np.ones(4)
    assert difference_of_means(constant, constant).p_value == 1
    assert difference_of_ranks(constant, constant).p_value == 1
    assert difference_of_means(constant, constant + 1).p_value == 0


def test_what_is_missing_takes_no_part():
    with_gaps, without = np.array([1.0, np.nan, 2.0, 4.0]), np.array([1.0, 2.0, 4.0])
    other = np.array([3.0, 5.0, 9.0])
    assert difference_of_means(with_gaps, other) == difference_of_means(without, other)
    assert difference_of_ranks(with_gaps, other) == difference_of_ranks(without, other)


@pytest.mark.parametrize("test", [difference_of_means, difference_of_ranks])
def test_nothing_is_claimed_of_nothing(test):
    found = test(np.array([np.nan]), np.array([1.0, 2.0]))
    assert math.isnan(found.p_value)
    assert math.isnan(found.smd)


def test_one_level_alone_is_no_table():
    assert math.isnan(difference_of_counts([5, 0], [9, 0]).p_value)
    assert math.isnan(difference_of_counts([5, 4], [0, 0]).p_value)


def tableone_p_values(first, second, tests):
    frame = pd.DataFrame({name: [*one, *second[name]] for name, one in first.items()})
    sizes = [len(next(iter(side.values()))) for side in (first, second)]
    frame["cohort"] = ["one"] * sizes[0] + ["two"] * sizes[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own use of pandas
        made = TableOne(
            frame,
            columns=list(first),
            categorical=["level"],
            nonnormal=["rank"] if "rank" in first else [],
            groupby="cohort",
            pval=True,
            htest=tests,
        )
    return dict(made.htest_table["P-Value"])


@pytest.mark.parametrize("seed", range(5))
def test_p_values_are_those_of_the_package_tableone(seed):
    random = np.random.default_rng(seed)
    first, second = (
        {
            "mean": random.normal(shift, spread, count).round(2),
            "rank": random.lognormal(shift / 10, spread / 10, count).round(1),
            "level": random.choice(["a", "b", "c"], count, p=weights).tolist(),
        }
        for shift, spread, count, weights in ((60, 13, 90, (0.2, 0.3, 0.5)), (57, 17, 140, (0.4, 0.3, 0.3)))
    )
    for side in (first, second):
        side["mean"][::7] = np.nan

    # By itself it tests ranks by Kruskal and Wallis, which has no correction for continuity.
    def by_ranks(one, other):
        return stats.mannwhitneyu(one, other, method="asymptotic").pvalue

    theirs = tableone_p_values(first, second, {"rank": by_ranks})
    counts = [[side["level"].count(level) for level in "abc"] for side in (first, second)]
    ours = {
        "mean": difference_of_means(first["mean"], second["mean"]).p_value,
        "rank": difference_of_ranks(first["rank"], second["rank"]).p_value,
        "level": difference_of_counts(*counts).p_value,
    }
    for name, p_value in ours.items():
        assert p_value == pytest.approx(theirs[name], rel=1e-12, abs=1e-12), name


def test_a_sparse_table_is_tested_as_the_package_tableone_does():
    first = {"level": ["a"] * 7 + ["b"] * 2}
    second = {"level": ["a"] * 3 + ["b"] * 9}
    theirs = tableone_p_values(first, second, {})["level"]
    found = difference_of_counts([7, 2], [3, 9])
    assert (found.test, found.p_value) == ("Fisher's exact", pytest.approx(theirs, rel=1e-12, abs=1e-12))


@given(SAMPLES, SAMPLES)
def test_every_p_value_is_that_of_scipy_to_twelve_digits(first, second):
    one, other = np.array(first, float), np.array(second, float)
    welch = stats.ttest_ind(one, other, equal_var=False).pvalue
    ranks = stats.mannwhitneyu(one, other, method="asymptotic").pvalue
    assert difference_of_means(one, other).p_value == pytest.approx(welch, rel=1e-12, abs=1e-12)
    assert difference_of_ranks(one, other).p_value == pytest.approx(ranks, rel=1e-12, abs=1e-12)
