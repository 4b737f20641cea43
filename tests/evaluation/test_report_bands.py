import numpy as np
import pytest
from sklearn.metrics import roc_curve as sklearn_roc_curve

from wirsung.evaluation import report_bands
from wirsung.evaluation.detection import roc_curve
from wirsung.evaluation.report_bands import roc_with_band


def cases(count: int, seed: int = 0) -> tuple[list[bool], list[float]]:
    generator = np.random.default_rng(seed)
    positive = np.arange(count) % 3 == 0
    # Rounded, so that there are ties.
    return positive.tolist(), (generator.normal(size=count) + positive).round(1).tolist()


def test_the_band_is_that_of_drawing_patients_one_by_one():
    positive, scores = np.array(cases(60)[0]), np.array(cases(60)[1])
    curve = roc_with_band(positive.tolist(), scores.tolist(), seed=3)
    generator = np.random.default_rng(5)
    grid = np.array(curve.band_across)
    drawn = []
    for _ in range(1000):
        chosen = np.concatenate(
            [generator.choice(np.flatnonzero(kind), kind.sum()) for kind in (positive, ~positive)]
        )
        false, true, _ = sklearn_roc_curve(positive[chosen], scores[chosen], drop_intermediate=False)
        drawn.append(report_bands._highest(false, true, grid))
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    # Two bootstraps of 1,000 draws each: quantiles of 20 positives, steps of 0.05.
    assert np.abs(np.array(curve.band_low) - low).max() <= 0.1
    assert np.abs(np.array(curve.band_high) - high).max() <= 0.1


def test_the_band_lies_around_the_curve_and_rises():
    curve = roc_with_band(*cases(200))
    at = report_bands._highest(np.array(curve.across), np.array(curve.up), np.array(curve.band_across))
    assert (np.array(curve.band_low) <= at + 1e-12).all()
    assert (np.array(curve.band_high) >= at - 1e-12).all()
    assert (np.diff(curve.band_low) >= -1e-12).all()
    assert (np.diff(curve.band_high) >= -1e-12).all()


def test_at_a_step_the_upper_end_counts():
    across, up = np.array([0.0, 0.5, 1.0]), np.array([0.4, 0.4, 1.0])
    grid = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    assert report_bands._highest(across, up, grid) == pytest.approx([0.4, 0.4, 0.4, 0.7, 1.0])


def test_the_curve_is_the_one_of_detection():
    positive, scores = cases(40)
    curve = roc_with_band(positive, scores)
    assert (curve.across, curve.up) == roc_curve(positive, scores)


def test_cases_of_one_patient_are_drawn_together():
    positive, scores = cases(60)
    alone = roc_with_band(positive, scores)
    twice = roc_with_band(positive * 2, scores * 2, patients=list(range(60)) * 2)
    assert twice.band_low == alone.band_low
    assert twice.band_high == alone.band_high


def test_more_patients_have_a_narrower_band():
    def width(count: int) -> float:
        curve = roc_with_band(*cases(count))
        return float(np.mean(np.subtract(curve.band_high, curve.band_low)))

    assert width(600) < 0.6 * width(60)


@pytest.mark.parametrize("positive", [[True, True], [False, False]])
def test_without_both_kinds_there_is_no_band(positive):
    assert roc_with_band(positive, [0.1, 0.2]).up == ()


def test_a_patient_with_cases_of_both_kinds_is_no_trouble():
    curve = roc_with_band([True, False, False], [0.9, 0.1, 0.2], patients=["a", "a", "b"])
    assert curve.band_low[-1] == 1.0
