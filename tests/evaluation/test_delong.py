import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.evaluation.delong import compare_aucs
from wirsung.evaluation.detection import auc

rows = st.lists(
    st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 6)), min_size=4, max_size=30
).filter(lambda found: 2 <= sum(row[0] for row in found) <= len(found) - 2)


def wins(positive, scores):
    """1, 0.5 or 0 for each pair of a positive (row) and a negative."""
    truth, values = np.array(positive), np.array(scores, dtype=float)
    ups, downs = values[truth], values[~truth]
    return (ups[:, None] > downs) + 0.5 * (ups[:, None] == downs)


@given(rows)
def test_the_test_is_that_of_the_covariance_over_all_pairs(found):
    positive, first, second = (list(column) for column in zip(*found, strict=True))
    pairs = [wins(positive, scores) for scores in (first, second)]
    m, n = pairs[0].shape
    up = np.cov([item.mean(axis=1) for item in pairs])
    down = np.cov([item.mean(axis=0) for item in pairs])
    covariance = up / m + down / n
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    compared = compare_aucs(positive, first, second)
    assert (compared.first, compared.second) == pytest.approx([item.mean() for item in pairs], abs=1e-12)
    assert compared.se == pytest.approx(math.sqrt(max(variance, 0)), abs=1e-7)
    if compared.se > 1e-6:
        assert compared.z == pytest.approx(
            (pairs[1].mean() - pairs[0].mean()) / math.sqrt(variance), rel=1e-9
        )


@given(rows)
def test_turning_the_pair_around_turns_the_sign_alone(found):
    positive, first, second = (list(column) for column in zip(*found, strict=True))
    one, other = compare_aucs(positive, first, second), compare_aucs(positive, second, first)
    assert one.difference == pytest.approx(-other.difference, abs=1e-15)
    assert one.p == pytest.approx(other.p, abs=1e-12, nan_ok=True)


@given(rows)
def test_a_score_and_the_same_score_on_another_scale_do_not_differ(found):
    positive, first, _ = (list(column) for column in zip(*found, strict=True))
    compared = compare_aucs(positive, first, [score**3 + 1 for score in first])
    assert (compared.difference, compared.p) == (0.0, 1.0)


def test_against_nothing_the_variance_is_that_of_the_auc_itself():
    generator = np.random.default_rng(1)
    positive = generator.random(60) < 0.4
    scores = generator.normal(size=60) + positive
    compared = compare_aucs(positive, [0.0] * 60, scores)
    assert compared.first == 0.5
    assert compared.se == pytest.approx(auc(positive, scores).se, abs=1e-14)


@pytest.mark.parametrize("positive", [[True, False, False], [True, True, False], [False] * 3])
def test_too_few_cases_of_a_class_are_said(positive):
    compared = compare_aucs(positive, [1, 2, 3], [3, 2, 1])
    assert math.isnan(compared.p)
    assert "two of each" in compared.reason


def test_a_difference_that_never_varies_has_no_test():
    compared = compare_aucs([True, True, False, False], [1, 1, 0, 0], [0, 0, 1, 1])
    assert (compared.first, compared.second) == (1.0, 0.0)
    assert math.isnan(compared.p)
    assert "no test" in compared.reason


@pytest.mark.slow
def test_the_test_rejects_one_in_twenty_of_equal_methods():
    generator = np.random.default_rng(7)
    rejected, runs = 0, 2000
    for _ in range(runs):
        positive = np.arange(120) < 40
        shared = generator.normal(size=120) + positive
        first, second = (shared + generator.normal(size=120) for _ in range(2))
        rejected += compare_aucs(positive, first, second).p < 0.05
    # Within four standard errors of 0.05 and the little that the test is known to be off at this size.
    assert rejected / runs == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / runs) + 0.005)


def test_the_example_of_the_paper_is_as_sas_prints_it():
    # DeLong et al., 1988: ovarian cancer with obstruction; albumin, total protein, K-G score, outcome. Data
    # and results as in the manual of SAS's PROC LOGISTIC: "Comparing Receiver Operating ... Curves".
    rows = """
    3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
    3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
    2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
    3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
    3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
    3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1"""
    albumin, protein, score, outcome = np.array(rows.split(), dtype=float).reshape(-1, 4).T
    positive, score = outcome == 0, 10 - score
    areas = [
        (found.value, found.se) for found in (auc(positive, -item) for item in (albumin, score, protein))
    ]
    assert np.round(areas, 4).tolist() == [[0.7366, 0.0927], [0.7258, 0.1028], [0.6478, 0.1]]
    compared = compare_aucs(positive, -score, -albumin)
    assert np.round([compared.difference, compared.se, compared.p], 4).tolist() == [0.0108, 0.0953, 0.9102]
    assert np.round([compared.low, compared.high], 4).tolist() == [-0.1761, 0.1976]
    compared = compare_aucs(positive, -score, -protein)
    assert np.round([compared.difference, compared.se, compared.p], 4).tolist() == [-0.078, 0.1046, 0.4561]
