import math

import numpy as np
import pingouin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from wirsung.evaluation.statistics import (
    bootstrap_mean,
    bootstrap_means,
    by_patient,
    compare,
    compare_columns,
    holm,
    summarise,
)

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


def plain_bootstrap(values, seed, resamples):
    """Draw, average, repeat."""
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(values), size=(resamples, len(values)))
    return np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])


def test_bootstrap_draws_cases_and_takes_the_percentiles_of_their_means():
    values = np.random.default_rng(8).random(25)
    assert bootstrap_mean(values, seed=9, resamples=2000) == pytest.approx(
        tuple(plain_bootstrap(values, 9, 2000)), abs=1e-12
    )


def test_many_columns_have_the_intervals_of_each_alone():
    columns = np.random.default_rng(4).random((30, 5))
    low, high = bootstrap_means(columns, seed=2, resamples=500)
    for index in range(5):
        alone = bootstrap_mean(columns[:, index], seed=2, resamples=500)
        assert (low[index], high[index]) == pytest.approx(alone, abs=1e-12)


def test_a_bootstrap_too_large_to_keep_its_draws_is_like_any_other():
    values = np.random.default_rng(5).normal(size=4000)
    low, high = bootstrap_mean(values, seed=1, resamples=2000)
    error = values.std() / math.sqrt(4000)
    assert (low, high) == pytest.approx(
        (values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=error / 5
    )


@given(st.integers(0, 10_000), st.integers(6, 40))
def test_both_tests_equal_scipys_to_ten_digits(seed, n):
    generator = np.random.default_rng(seed)
    first = generator.random(n)
    second = np.clip(first + generator.normal(0.02, 0.1, n), 0, 1)
    found = compare(first.tolist(), second.tolist(), seed=seed)
    assert found.p_t == pytest.approx(stats.ttest_rel(second, first).pvalue, abs=1e-10)
    assert found.p_wilcoxon == pytest.approx(stats.wilcoxon(np.round(second - first, 9)).pvalue, abs=1e-10)


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_tests_and_effect_sizes_equal_pingouins():
    generator = np.random.default_rng(11)
    first = generator.random(30)
    second = first + generator.normal(0.05, 0.1, 30)
    found = compare(first.tolist(), second.tolist())
    wilcoxon = pingouin.wilcoxon(second, first)
    t = pingouin.ttest(second, first, paired=True)
    p_name = next(name for name in t.columns if name.lower().startswith("p"))
    assert found.p_t == pytest.approx(float(t[p_name].iloc[0]), abs=1e-10)
    assert found.cohens_dz == pytest.approx(float(t["T"].iloc[0]) / math.sqrt(30), abs=1e-7)
    assert found.rank_biserial == pytest.approx(float(wilcoxon["RBC"].iloc[0]), abs=1e-10)


def test_every_case_is_higher_lower_or_equal():
    found = compare([0.5, 0.6, 0.7, 0.8], [0.6, 0.5, 0.7, 0.8])
    assert (found.second_higher, found.first_higher, found.equal, found.n) == (1, 1, 2, 4)


def test_the_tests_take_each_patient_once():
    first, second = [0.5, 0.5, 0.6, 0.7], [0.6, 0.8, 0.5, 0.9]
    found = compare(first, second, patients=["p", "p", "q", "r"])
    differences = [0.2, -0.1, 0.2]
    assert (found.n, found.patients) == (4, 3)
    assert found.mean_difference == pytest.approx(0.125)
    assert found.p_t == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=1e-10)
    assert found.p_wilcoxon == pytest.approx(stats.wilcoxon(np.round(differences, 9)).pvalue, abs=1e-10)


def test_means_of_patients_come_in_their_order():
    assert by_patient(np.array([1.0, 5.0, 3.0]), ["b", "a", "b"]).tolist() == [2.0, 5.0]
    assert by_patient(np.array([1.0, 5.0]), None).tolist() == [1.0, 5.0]


def test_columns_are_compared_on_their_own_cases():
    columns = np.array([[0.1, math.nan], [0.2, 0.3], [math.nan, 0.1], [-0.1, 0.2]])
    found = compare_columns(columns, seed=6)
    for index in range(2):
        alone = compare(np.zeros(4).tolist(), columns[:, index].tolist(), seed=6)
        assert found[index].n == alone.n == 3
        assert found[index].p_t == alone.p_t
        assert (found[index].low, found[index].high) == pytest.approx((alone.low, alone.high), abs=1e-12)


@settings(max_examples=10)  # statsmodels takes a tenth of a second each
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_equals_statsmodels(values):
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1].tolist(), abs=1e-10)
