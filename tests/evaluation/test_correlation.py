import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import r2_score

from wirsung.evaluation.correlation import correlation


@given(st.integers(0, 10_000), st.integers(4, 40))
def test_r_its_interval_the_line_and_both_r2_equal_scipys_and_scikit_learns(seed, n):
    generator = np.random.default_rng(seed)
    reference = generator.normal(80, 25, n)
    prediction = 0.9 * reference + generator.normal(5, 15, n)
    found = correlation(reference.tolist(), prediction.tolist())
    theirs = stats.pearsonr(reference, prediction)
    line = stats.linregress(reference, prediction)
    fitted = line.intercept + line.slope * reference
    assert (found.r, found.p) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-10)
    assert (found.r_low, found.r_high) == pytest.approx(tuple(theirs.confidence_interval(0.95)), abs=1e-10)
    assert (found.slope, found.intercept) == pytest.approx((line.slope, line.intercept), abs=1e-10)
    assert found.r2_fit == pytest.approx(r2_score(prediction, fitted), abs=1e-10)
    assert found.r2_identity == pytest.approx(r2_score(reference, prediction), abs=1e-10)


def test_twice_the_volume_fits_a_line_but_not_the_identity():
    found = correlation([10.0, 20.0, 30.0, 40.0], [20.0, 40.0, 60.0, 80.0])
    assert found.r2_fit == pytest.approx(1)
    assert found.r2_identity == pytest.approx(-5)
    assert (found.slope, found.intercept) == pytest.approx((2, 0), abs=1e-12)


def test_a_perfect_prediction_is_one_by_both():
    volumes = [12.5, 30.1, 77.7, 41.0, 5.2]
    found = correlation(volumes, volumes)
    assert (found.r, found.r2_fit, found.r2_identity) == pytest.approx((1, 1, 1))


def test_a_constant_prediction_has_no_r_but_an_r2_against_the_identity():
    found = correlation([1.0, 2.0, 3.0], [2.0, 2.0, 2.0])
    assert math.isnan(found.r)
    assert (found.slope, found.r2_identity) == (0.0, 0.0)


def test_constant_references_and_single_cases_are_undefined():
    assert math.isnan(correlation([2.0, 2.0], [1.0, 3.0]).r2_identity)
    assert math.isnan(correlation([2.0], [1.0]).r)
    assert correlation([], []).n == 0


def test_few_cases_have_no_interval():
    found = correlation([1.0, 2.0, 3.0], [1.0, 2.5, 2.7])
    assert found.r > 0.9
    assert math.isnan(found.r_low)
    assert correlation([1.0, 2.0], [5.0, 4.0]).p == 1


def test_undefined_cases_are_left_out():
    nan = math.nan
    assert correlation([1.0, nan, 2.0, 4.0], [1.0, 7.0, 3.0, 3.5]) == correlation(
        [1.0, 2.0, 4.0], [1.0, 3.0, 3.5]
    )
