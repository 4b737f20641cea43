import math

import numpy as np
import pingouin
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.weightstats import DescrStatsW, ttost_paired

from wirsung.evaluation.equivalence import equivalence, non_inferiority


def pairs(seed, shift=0.0):
    generator = np.random.default_rng(seed)
    first = generator.normal(0.8, 0.1, 25)
    return first, first + generator.normal(shift, 0.03, 25)


@given(st.integers(0, 10_000), st.floats(0.001, 0.1))
def test_both_tests_equal_statsmodels_and_pingouins(seed, margin):
    first, second = pairs(seed, 0.01)
    found = equivalence(second - first, margin)
    p, lower, upper = ttost_paired(second, first, -margin, margin)
    assert (found.p, found.p_lower, found.p_upper) == pytest.approx((p, lower[1], upper[1]), abs=1e-10)
    theirs = pingouin.tost(second, first, bound=margin, paired=True)
    assert found.p == pytest.approx(float(theirs.iloc[0]["pval"]), abs=1e-10)
    assert (found.low, found.high) == pytest.approx(
        DescrStatsW(second - first).tconfint_mean(alpha=0.1), abs=1e-10
    )


@given(st.integers(0, 10_000), st.floats(0.001, 0.1))
def test_equivalent_is_the_90_percent_interval_inside_the_margin(seed, margin):
    first, second = pairs(seed, 0.01)
    found = equivalence(second - first, margin)
    assert found.equivalent == (-margin < found.low and found.high < margin)


@given(st.integers(0, 10_000), st.floats(0.001, 0.1))
def test_non_inferiority_is_the_half_of_equivalence_that_matters(seed, margin):
    first, second = pairs(seed)
    differences = second - first
    both = equivalence(differences, margin)
    higher = non_inferiority(differences, margin, higher_is_better=True)
    lower = non_inferiority(differences, margin, higher_is_better=False)
    assert (higher.p, lower.p) == (both.p_lower, both.p_upper)
    assert (higher.bound, lower.bound) == pytest.approx((both.low, both.high))
    assert higher.non_inferior == (higher.bound > -margin)
    assert lower.non_inferior == (lower.bound < margin)


def test_identical_methods_are_equivalent_by_any_margin():
    found = equivalence(np.zeros(5), 0.001)
    assert (found.p, found.equivalent, found.low, found.high) == (0, True, 0, 0)
    assert non_inferiority(np.zeros(5), 0.001, higher_is_better=True).non_inferior


def test_a_constant_difference_at_the_margin_is_not_equivalent():
    found = equivalence(np.full(5, 0.05), 0.05)
    assert (found.p, found.equivalent) == (1, False)


def test_a_single_case_shows_nothing():
    assert math.isnan(equivalence(np.array([0.0]), 0.1).p)
    assert not equivalence(np.array([0.0]), 0.1).equivalent
    assert not non_inferiority(np.array([]), 0.1, higher_is_better=True).non_inferior
