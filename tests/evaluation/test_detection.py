import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.evaluation.detection import DetectionCase, auc, average_precision, detect, proportion, roc_curve

# Few different scores, so that ties are common.
samples = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=30).filter(
    lambda sample: len({positive for positive, _ in sample}) == 2
)


def split(sample: list[tuple[bool, int]]) -> tuple[list[bool], list[float]]:
    return [positive for positive, _ in sample], [score / 4 for _, score in sample]


def wins(positive: list[bool], scores: list[float]) -> np.ndarray:
    """1, 0.5 or 0 for each pair of a positive (row) and a negative."""
    ups = np.array([score for score, is_positive in zip(scores, positive, strict=True) if is_positive])
    downs = np.array([score for score, is_positive in zip(scores, positive, strict=True) if not is_positive])
    return (ups[:, None] > downs) + 0.5 * (ups[:, None] == downs)


@given(samples)
def test_auc_equals_the_share_of_won_pairs_and_sklearn(sample):
    from sklearn.metrics import roc_auc_score

    positive, scores = split(sample)
    found = auc(positive, scores).value
    assert found == pytest.approx(wins(positive, scores).mean(), abs=1e-15)
    assert found == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)


@given(samples)
def test_standard_error_is_delongs_over_all_pairs(sample):
    positive, scores = split(sample)
    pairs = wins(positive, scores)
    found = auc(positive, scores)
    if min(pairs.shape) < 2 or found.value in (0, 1):
        return
    m, n = pairs.shape
    variance = pairs.mean(axis=1).var(ddof=1) / m + pairs.mean(axis=0).var(ddof=1) / n
    assert found.se == pytest.approx(math.sqrt(variance), abs=1e-12)
    if found.se > 1e-9:
        assert 0 < found.low < found.value < found.high < 1


@given(samples)
def test_roc_curve_encloses_the_auc_and_equals_sklearns(sample):
    from sklearn.metrics import roc_curve as theirs

    positive, scores = split(sample)
    false, true = roc_curve(positive, scores)
    expected_false, expected_true, _ = theirs(positive, scores, drop_intermediate=False)
    assert false == pytest.approx(expected_false.tolist())
    assert true == pytest.approx(expected_true.tolist())
    assert np.trapezoid(true, false) == pytest.approx(auc(positive, scores).value, abs=1e-12)


def test_a_perfect_auc_has_an_exact_one_sided_bound():
    found = auc([False] * 20 + [True] * 10, list(range(30)))
    assert found.value == found.high == 1.0
    assert found.low == pytest.approx(0.05 ** (1 / 10))
    assert "one-sided" in found.interval
    worst = auc([True] * 20 + [False] * 10, list(range(30)))
    assert (worst.value, worst.low) == (0.0, 0.0)
    assert worst.high == pytest.approx(1 - 0.05 ** (1 / 10))


@pytest.mark.parametrize(
    ("positive", "word"), [([True, True], "negative"), ([False], "positive"), ([], "positive")]
)
def test_auc_without_one_of_the_classes_is_undefined_and_says_which(positive, word):
    found = auc(positive, [0.5] * len(positive))
    assert math.isnan(found.value)
    assert f"no {word} case" in found.interval


def test_equal_scores_have_no_interval():
    found = auc([True, True, False, False], [0.5] * 4)
    assert found.value == 0.5
    assert math.isnan(found.low)


@pytest.mark.parametrize(("hits", "total"), [(0, 7), (7, 7), (47, 50), (1, 1), (123, 901)])
def test_proportion_has_scipys_wilson_interval(hits, total):
    from scipy.stats import binomtest

    expected = binomtest(hits, total).proportion_ci(method="wilson")
    found = proportion(hits, total)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.low <= found.value <= found.high


def test_detection_counts_cases():
    cases = [
        DetectionCase("a", positive=True, predicted=True, score=0.9),
        DetectionCase("b", positive=True, predicted=False, score=0.2),
        DetectionCase("c", positive=False, predicted=True, score=0.4),
        DetectionCase("d", positive=False, predicted=False, score=0.1),
    ]
    found = detect(cases, "highest lesion probability", {"case_failed": 1})
    assert (found.sensitivity.value, found.specificity.value, found.auc.value) == (0.5, 0.5, 0.75)
    assert found.left_out == {"case_failed": 1}


def test_detection_without_a_healthy_case_has_sensitivity_only():
    found = detect([DetectionCase("a", positive=True, predicted=True, score=1.0)], "volume", {})
    assert found.sensitivity.value == 1.0
    assert math.isnan(found.specificity.value)
    assert found.true_positive_fractions == ()


@given(samples)
def test_average_precision_is_sklearns(sample):
    from sklearn.metrics import average_precision_score

    positive, scores = split(sample)
    expected = average_precision_score(positive, scores)
    assert average_precision(positive, scores) == pytest.approx(expected, abs=1e-12)


def test_average_precision_without_a_positive_case_is_undefined():
    assert math.isnan(average_precision([False, False], [0.1, 0.2]))


@pytest.mark.slow
@pytest.mark.parametrize(("cases", "share", "shift"), [(100, 0.3, 1.9), (901, 0.15, 1.9), (60, 0.3, 2.8)])
def test_the_logit_interval_holds_the_true_auc_nineteen_times_in_twenty(cases, share, shift):
    from scipy.stats import norm

    true = norm.cdf(shift / math.sqrt(2))
    generator = np.random.default_rng(3)
    positive = np.arange(cases) < round(share * cases)
    runs = 2000
    found = [auc(positive, generator.normal(size=cases) + shift * positive) for _ in range(runs)]
    held = sum(item.low <= true <= item.high for item in found) / runs
    # DeLong's variance is a little small at few positives: 0.93 and more is what the method gives.
    assert 0.925 <= held <= 0.985
