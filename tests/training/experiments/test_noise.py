import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from wirsung.training.experiments.noise import area, difference, estimate, stacked

TRUTH = np.array([True, True, False, False, False])


def test_the_mean_is_over_seeds_and_their_spread_beside():
    found = estimate(np.array([[0.2, 0.4], [0.4, 0.6], [0.6, 0.8]]))
    assert found.mean == pytest.approx(0.5)
    assert found.seeds == pytest.approx((0.3, 0.5, 0.7))
    assert found.sd == pytest.approx(0.2)
    assert found.cases == 2


def test_one_seed_has_no_spread():
    assert math.isnan(estimate(np.array([[0.2, 0.4]])).sd)


@given(arrays(np.float64, (3, 5), elements=st.floats(0, 1).map(lambda value: round(value, 1))))
def test_areas_are_those_of_scikit_learn(scores):
    expected = [roc_auc_score(TRUTH, row) for row in scores]
    assert area(TRUTH, scores) == pytest.approx(expected)


def test_the_interval_of_a_mean_is_that_of_theory():
    values = np.random.default_rng(1).normal(0.5, 0.1, (1, 400))
    found = estimate(values)
    half = 1.96 * values.std(ddof=1) / 20
    assert found.low == pytest.approx(values.mean() - half, abs=0.002)
    assert found.high == pytest.approx(values.mean() + half, abs=0.002)


def test_a_lucky_seed_widens_the_interval():
    steady = np.full((3, 40), 0.5) + np.linspace(-0.05, 0.05, 40)
    lucky = steady + np.array([[0.0], [0.0], [0.3]])
    assert estimate(lucky).high - estimate(lucky).low > 3 * (estimate(steady).high - estimate(steady).low)


def test_cases_are_drawn_together_so_what_they_share_cancels():
    hard = np.linspace(0, 1, 30)[None]
    found = difference(np.repeat(hard, 2, axis=0), np.repeat(hard + 0.1, 2, axis=0))
    assert (found.difference, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))


def test_swapping_the_sides_turns_the_difference_round():
    rng = np.random.default_rng(2)
    one, two = rng.random((3, 12)), rng.random((3, 12))
    assert difference(one, two).difference == pytest.approx(-difference(two, one).difference)


def test_seeds_are_drawn_apart_so_that_equal_arms_still_differ_by_noise():
    values = np.array([[0.2] * 10, [0.8] * 10])
    found = difference(values, values)
    assert found.difference == 0
    assert found.low < -0.2 < 0.2 < found.high


def test_the_auc_of_a_side_is_the_mean_of_its_seeds_areas():
    scores = np.array([[3.0, 2.0, 1.0, 0.0, 0.0], [0.0, 1.0, 2.0, 3.0, 4.0]])
    assert estimate(scores, TRUTH).seeds == pytest.approx((1.0, 0.0))
    assert difference(scores[:1], scores[1:], TRUTH).difference == -1


@pytest.mark.parametrize("positive", [np.array([True] * 3), np.array([False] * 3)])
def test_an_auc_of_one_kind_of_case_is_undefined(positive):
    found = estimate(np.ones((2, 3)), positive)
    assert math.isnan(found.mean)
    assert math.isnan(difference(np.ones((2, 3)), np.ones((2, 3)), positive).difference)


def test_without_cases_nothing_is_defined():
    assert math.isnan(estimate(stacked([[], []])).mean)
