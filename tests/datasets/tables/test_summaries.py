import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.datasets.tables.summaries import summarise_counts, summarise_numbers


@given(st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=40), st.integers(0, 5))
def test_a_distribution_is_that_of_the_standard_library(values, missing):
    found = summarise_numbers(np.array([*values, *[np.nan] * missing], dtype=float))
    assert (found.n, found.missing) == (len(values), missing)
    assert found.mean == pytest.approx(statistics.mean(values), rel=1e-12, abs=1e-9)
    assert found.sd == pytest.approx(statistics.stdev(values), rel=1e-12, abs=1e-9)
    # "inclusive" is R's type 7
    expected = statistics.quantiles(values, n=4, method="inclusive")
    assert [found.q1, found.median, found.q3] == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_a_cohort_without_a_value_has_no_mean():
    found = summarise_numbers(np.array([np.nan, np.nan]))
    assert (found.n, found.missing) == (0, 2)
    assert all(math.isnan(value) for value in (found.mean, found.sd, found.median, found.q1, found.q3))


def test_one_value_has_no_spread():
    found = summarise_numbers(np.array([3.0]))
    assert (found.mean, found.median) == (3, 3)
    assert math.isnan(found.sd)


def test_named_levels_come_first_and_others_by_frequency():
    found = summarise_counts(["b", "c", "b", "c", "c", None, "d"], ["a", "d"])
    assert found.counts == (("a", 0), ("d", 1), ("c", 3), ("b", 2))
    assert (found.n, found.missing) == (6, 1)
    assert found.fraction("c") == 3 / 7


def test_an_empty_cohort_has_no_fractions():
    assert math.isnan(summarise_counts([], ["a"]).fraction("a"))
