import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from wirsung.evaluation.statistics import bootstrap_mean, compare, holm, summarise

fractions = st.lists(st.floats(0, 1), min_size=2, max_size=30)


@given(fractions)
def test_summary_equals_numpys(values):
    found = summarise(values, [None] * len(values))
    assert found.n == len(values)
    assert found.mean == pytest.approx(np.mean(values))
    assert found.sd == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    assert (found.q1, found.median, found.q3) == pytest.approx(tuple(np.percentile(values, [25, 50, 75])))
    assert found.minimum - 1e-12 <= found.low <= found.high <= found.maximum + 1e-12


def test_undefined_values_are_counted_by_reason_and_not_averaged():
    nan = math.nan
    found = summarise([0.5, nan, nan, nan], [None, "both_empty", "reference_empty", "both_empty"])
    assert (found.n, found.mean) == (1, 0.5)
    assert found.undefined == {"both_empty": 2, "reference_empty": 1}
    assert math.isnan(found.low)


def test_summary_of_nothing_is_undefined():
    found = summarise([math.nan], ["both_empty"])
    assert found.n == 0
    assert math.isnan(found.mean)


def test_bootstrap_agrees_with_scipys():
    values = np.random.default_rng(1).normal(0.8, 0.1, 60)
    low, high = bootstrap_mean(values, seed=3)
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=5000, rng=5
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.003)


def test_bootstrap_is_the_same_for_the_same_seed_only():
    values = np.random.default_rng(1).random(30)
    assert bootstrap_mean(values, seed=1) == bootstrap_mean(values, seed=1)
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)


def test_bootstrap_resamples_patients_not_scans():
    # Ten patients scanned ten times each, all scans of a patient alike: as uncertain as ten scans.
    per_patient = np.random.default_rng(2).random(10)
    patients = np.repeat(np.arange(10), 10).tolist()
    scans = bootstrap_mean(np.repeat(per_patient, 10), patients=patients, seed=4)
    assert scans == pytest.approx(bootstrap_mean(per_patient, seed=4), abs=1e-12)


def test_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(7)
    hits = 0
    for trial in range(300):
        low, high = bootstrap_mean(generator.normal(size=40), seed=trial, resamples=400)
        hits += low <= 0 <= high
    assert 0.89 <= hits / 300 <= 0.98


@given(fractions, st.integers(0, 1000))
def test_identical_methods_do_not_differ(values, seed):
    found = compare(values, values, seed=seed)
    assert (found.mean_difference, found.p_wilcoxon, found.p_t) == (0.0, 1.0, 1.0)
    assert (found.low, found.high, found.second_higher, found.first_higher) == (0.0, 0.0, 0, 0)


def test_comparison_equals_scipys():
    generator = np.random.default_rng(3)
    first = generator.random(25)
    second = first + generator.normal(0.02, 0.05, 25)
    found = compare(first.tolist(), second.tolist())
    assert found.p_wilcoxon == pytest.approx(stats.wilcoxon(second - first).pvalue, rel=1e-9)
    assert found.p_t == pytest.approx(stats.ttest_rel(second, first).pvalue, rel=1e-6)
    assert found.mean_difference == pytest.approx((second - first).mean(), abs=1e-9)
    assert found.second_higher + found.first_higher == 25


def test_rounding_makes_equal_steps_tie():
    # 0.9 - 0.8 and 0.5 - 0.4 differ in the last bit; both are the same step, with opposite signs here.
    found = compare([0.8, 0.5, 0.1], [0.9, 0.4, 0.1])
    assert found.mean_difference == 0.0
    assert found.p_wilcoxon == 1.0


def test_a_constant_difference_is_compared_without_a_warning():
    found = compare([0.1, 0.2, 0.3], [0.2, 0.3, 0.4])
    assert (found.p_t, found.second_higher) == (0.0, 3)
    assert found.p_wilcoxon == pytest.approx(0.25)


def test_a_case_undefined_in_one_method_is_left_out_and_counted():
    found = compare([0.5, math.nan, 0.7], [0.6, 0.6, math.nan])
    assert (found.n, found.left_out) == (1, 2)


def test_nothing_to_compare_is_undefined():
    found = compare([math.nan], [0.5])
    assert found.n == 0
    assert math.isnan(found.p_wilcoxon)


def test_holm_is_computed_as_by_hand_and_skips_nan():
    assert holm([0.01, math.nan, 0.04, 0.03])[0] == pytest.approx(0.03)
    assert math.isnan(holm([0.01, math.nan])[1])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
