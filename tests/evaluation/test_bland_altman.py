import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from wirsung.evaluation.bland_altman import bland_altman, means_and_differences

# Bland and Altman 1986: peak flow of 17 subjects by two meters, in l/min.
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]


def test_the_published_example():
    found = bland_altman(MINI, LARGE)
    assert round(found.bias, 1) == -2.1
    assert round(found.sd, 1) == 38.8
    assert (round(found.bias_low, 1), round(found.bias_high, 1)) == (-22.0, 17.8)
    # They take 2 sd where 1.96 is meant, and sqrt(3/n) where 1/n + 1.96²/(2(n - 1)) is: within 3 l/min.
    assert (found.lower, found.upper) == pytest.approx((-79.7, 75.5), abs=2)
    assert (found.lower_low, found.lower_high) == pytest.approx((-114.3, -45.1), abs=3)
    assert (found.upper_low, found.upper_high) == pytest.approx((40.9, 110.1), abs=3)


def test_the_biass_interval_is_statsmodels():
    differences = np.subtract(LARGE, MINI)
    found = bland_altman(MINI, LARGE)
    assert (found.bias_low, found.bias_high) == pytest.approx(
        DescrStatsW(differences).tconfint_mean(), abs=1e-10
    )


def test_limits_cover_95_percent_and_their_intervals_the_true_limits():
    generator = np.random.default_rng(3)
    true = stats.norm.ppf(0.975)
    hits = 0
    for _ in range(400):
        found = bland_altman(np.zeros(40), generator.normal(size=40))
        hits += found.upper_low <= true <= found.upper_high
    assert 0.92 <= hits / 400 <= 0.98


@given(st.lists(st.tuples(st.floats(0, 200), st.floats(0, 200)), min_size=2, max_size=20))
def test_swapping_both_mirrors_everything(pairs):
    reference, prediction = zip(*pairs, strict=True)
    one, other = bland_altman(reference, prediction), bland_altman(prediction, reference)
    assert (other.bias, other.lower, other.upper) == pytest.approx(
        (-one.bias, -one.upper, -one.lower), abs=1e-9
    )
    assert one.lower_low <= one.lower <= one.bias <= one.upper <= one.upper_high


def test_a_case_with_one_value_undefined_is_left_out():
    found = bland_altman([1.0, math.nan, 3.0], [2.0, 5.0, math.nan])
    assert (found.n, found.bias) == (1, 1.0)
    assert math.isnan(found.sd)


def test_nothing_is_undefined():
    assert math.isnan(bland_altman([], []).bias)


def test_the_plot_has_means_across_and_differences_up():
    means, differences = means_and_differences([10.0, 20.0], [14.0, 18.0])
    assert means.tolist() == [12.0, 19.0]
    assert differences.tolist() == [4.0, -2.0]
