import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from wirsung.errors import ConfigError
from wirsung.evaluation.operating_points import DEFAULT, operating_point, parse_point

# Few different scores, so that ties are common.
samples = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=30).filter(
    lambda sample: len({positive for positive, _ in sample}) == 2
)
fractions = st.integers(0, 20).map(lambda n: n / 20)


def split(sample):
    return [positive for positive, _ in sample], [score / 4 for _, score in sample]


def every_point(positive, scores):
    """Threshold, sensitivity and specificity at every threshold, counted one by one."""
    truth, values = np.array(positive), np.array(scores)
    for threshold in [math.inf, *sorted(set(scores), reverse=True)]:
        called = values >= threshold
        yield threshold, called[truth].mean(), (~called[~truth]).mean()


@given(samples)
def test_youdens_point_has_the_highest_sum(sample):
    positive, scores = split(sample)
    point = operating_point("youden", positive, scores)
    best = max(one + other for _, one, other in every_point(positive, scores))
    assert point.sensitivity.value + point.specificity.value == pytest.approx(best, abs=1e-12)


@given(samples)
def test_youdens_threshold_is_the_highest_of_sklearns_best(sample):
    from sklearn.metrics import roc_curve

    positive, scores = split(sample)
    false, true, thresholds = roc_curve(positive, scores, drop_intermediate=False)
    best = thresholds[np.argmax(np.round(true - false, 12))]
    assert operating_point("youden", positive, scores).threshold == best


@given(samples, fractions)
def test_fixed_specificity_has_the_highest_sensitivity_that_keeps_it(sample, least):
    positive, scores = split(sample)
    point = operating_point(f"specificity:{least}", positive, scores)
    assert point.specificity.value >= least
    assert point.sensitivity.value == max(
        one for _, one, other in every_point(positive, scores) if other >= least
    )


@given(samples, fractions)
def test_fixed_sensitivity_has_the_highest_specificity_that_keeps_it(sample, least):
    positive, scores = split(sample)
    point = operating_point(f"sensitivity:{least}", positive, scores)
    assert point.sensitivity.value >= least
    assert point.specificity.value == max(
        other for _, one, other in every_point(positive, scores) if one >= least
    )


@given(samples, st.sampled_from(DEFAULT))
def test_the_threshold_gives_the_point_again_with_wilsons_intervals(sample, name):
    positive, scores = split(sample)
    point = operating_point(name, positive, scores)
    if math.isfinite(point.threshold):
        again = operating_point(f"threshold:{point.threshold}", positive, scores)
        assert (again.sensitivity, again.specificity) == (point.sensitivity, point.specificity)
    expected = binomtest(point.sensitivity.hits, point.sensitivity.total).proportion_ci(method="wilson")
    assert (point.sensitivity.low, point.sensitivity.high) == pytest.approx(tuple(expected), abs=1e-12)


def test_full_specificity_may_call_nobody():
    point = operating_point("specificity:1", [True, False], [0.2, 0.9])
    assert (point.threshold, point.sensitivity.value, point.specificity.value) == (math.inf, 0.0, 1.0)


@pytest.mark.parametrize(
    ("positive", "word"), [([True, True], "negative"), ([False], "positive"), ([], "positive")]
)
def test_a_point_without_one_of_the_classes_is_undefined_and_says_which(positive, word):
    point = operating_point("youden", positive, [0.5] * len(positive))
    assert math.isnan(point.threshold)
    assert f"no {word} case" in point.reason


def test_a_fixed_threshold_needs_one_class_only():
    point = operating_point("threshold:0.5", [True, True], [0.5, 0.4])
    assert point.sensitivity.value == 0.5
    assert math.isnan(point.specificity.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yuden", "no operating point named 'yuden'"),
        ("youden:1", "no usable number"),
        ("specificity", "no usable number"),
        ("specificity:95", "no usable number"),
        ("threshold:nan", "no usable number"),
        ("sensitivity:high", "no usable number"),
    ],
)
def test_wrong_names_are_errors(name, message):
    with pytest.raises(ConfigError, match=message):
        parse_point(name)
