import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.evaluation.detection import auc
from wirsung.evaluation.froc import RATES, average_precision, lesion_detection
from wirsung.evaluation.lesions import Candidate, CaseLesions, Lesion, Verdict, find_lesions
from wirsung.imaging.nifti import read_image


def found(confidence, diameter_mm=30.0):
    return Lesion(1.0, diameter_mm, 0.5, confidence, is_found=True, is_touched=True)


def false(confidence):
    return Candidate(1.0, confidence, Verdict.FALSE, touches=False)


MISSED = Lesion(1.0, 10.0)
ignored = Candidate(1.0, 0.99, Verdict.IGNORED, touches=True)

# Few different confidences, so that ties are common.
confidences = st.integers(1, 5).map(lambda n: n / 5)
case = st.builds(
    CaseLesions,
    st.lists(st.one_of(confidences.map(found), st.just(MISSED)), max_size=3).map(tuple),
    st.lists(st.one_of(confidences.map(false), st.just(ignored)), max_size=3).map(tuple),
)
cohorts = st.lists(case, min_size=1, max_size=8)


@pytest.fixture(scope="module")
def picai(shared_data):
    folder = shared_data / "picai"
    expected = json.loads((folder / "output-expected" / "metrics-full-expected.json").read_text())
    maps = {}
    for name in expected["lesion_results"]:
        label = read_image(folder / "test-maps" / f"{name}_label.nii.gz")
        detection = read_image(folder / "test-maps" / f"{name}_detection_map.nii.gz")
        maps[name] = (label, detection)
    lesions = {
        name: find_lesions(
            label.voxels > 0, detection.voxels > 0, spacing_mm=label.spacing_mm, confidence=detection.voxels
        )
        for name, (label, detection) in maps.items()
    }
    return expected, maps, lesions


def test_lesions_of_picai_are_matched_as_expected(picai):
    expected, _, lesions = picai
    for name, rows in expected["lesion_results"].items():
        item = lesions[name]
        ours = [(1, lesion.confidence, lesion.iou) for lesion in item.lesions]
        ours += [(0, other.confidence, 0.0) for other in item.candidates if other.verdict == Verdict.FALSE]
        assert sorted(ours) == [pytest.approx(row, abs=1e-9) for row in sorted(map(tuple, rows))], name


def test_average_precision_and_auc_of_picai_are_as_expected(picai):
    expected, maps, lesions = picai
    assert average_precision(list(lesions.values())) == pytest.approx(expected["AP"], abs=1e-12)
    scores = [float(detection.voxels.max()) for _, detection in maps.values()]
    positive = [bool(label.voxels.any()) for label, _ in maps.values()]
    assert auc(positive, scores).value == pytest.approx(expected["auroc"], abs=1e-12)
    assert sum(len(item.lesions) for item in lesions.values()) == expected["num_lesions"]


def test_froc_of_picai_is_as_expected(picai):
    expected, _, lesions = picai
    froc = lesion_detection(list(lesions.values()), min_iou=0.1).froc
    # Their last point stands for the missed lesions and lies at infinity; theirs are in float32.
    assert list(froc.thresholds) == expected["thresholds"][:-1]
    assert list(froc.sensitivities) == pytest.approx(expected["lesion_TPR"][:-1], abs=1e-12)
    theirs = np.array(expected["lesion_FPR"][:-1], dtype=np.float32)
    assert np.array_equal(np.array(froc.false_positives_per_scan, dtype=np.float32), theirs)


@given(cohorts)
def test_average_precision_is_sklearns_with_nothing_gained_from_missed_lesions(cohort):
    from sklearn.metrics import precision_recall_curve

    truth = [1 for item in cohort for _ in item.lesions]
    scores = [lesion.confidence for item in cohort for lesion in item.lesions]
    wrong = [other.confidence for item in cohort for other in item.candidates if other.verdict == "false"]
    if not truth:
        assert math.isnan(average_precision(cohort))
        return
    precision, recall, thresholds = precision_recall_curve(truth + [0] * len(wrong), scores + wrong)
    precision[:-1][thresholds == 0] = 0
    expected = -np.sum(np.diff(recall) * precision[:-1])
    assert average_precision(cohort) == pytest.approx(expected, abs=1e-12)


@given(cohorts)
def test_froc_counts_at_every_threshold(cohort):
    detection = lesion_detection(cohort, min_iou=0.1, resamples=20)
    froc = detection.froc
    every = [lesion for item in cohort for lesion in item.lesions]
    wrong = [other for item in cohort for other in item.candidates if other.verdict == Verdict.FALSE]
    for index, threshold in enumerate(froc.thresholds):
        count = sum(other.confidence >= threshold for other in wrong)
        assert froc.false_positives_per_scan[index] == pytest.approx(count / len(cohort), abs=1e-15)
        if every:
            hits = sum(lesion.is_found and lesion.confidence >= threshold for lesion in every)
            assert froc.sensitivities[index] == pytest.approx(hits / len(every), abs=1e-15)
    assert list(froc.thresholds) == sorted(set(froc.thresholds), reverse=True)
    assert detection.false_positives_per_scan.value == pytest.approx(len(wrong) / len(cohort))


@given(cohorts)
def test_sensitivity_rises_with_false_positives_per_scan(cohort):
    detection = lesion_detection(cohort, min_iou=0.1, resamples=20)
    values = [detection.sensitivity_at[f"{rate:g}"].value for rate in RATES]
    if detection.lesions:
        assert values == sorted(values)
        assert values[-1] <= detection.sensitivity.value <= detection.t_sen.value
    else:
        assert all(math.isnan(value) for value in values)


def test_a_cohort_counted_by_hand():
    cohort = [
        CaseLesions((found(0.9, 15.0), MISSED), (false(0.95),)),
        CaseLesions((found(0.5, 45.0),), (ignored,)),
        CaseLesions((), (false(0.4), false(0.6))),
        CaseLesions(),
    ]
    detection = lesion_detection(cohort, min_iou=0.1)
    assert (detection.sensitivity.hits, detection.sensitivity.total) == (2, 3)
    assert (detection.precision.hits, detection.precision.total) == (2, 5)
    assert detection.false_positives_per_scan.value == 0.75
    assert detection.false_positives_per_negative_scan.value == 1.0
    by_size = {size: (item.hits, item.total) for size, item in detection.sensitivity_by_size.items()}
    assert by_size == {"under_2cm": (1, 2), "2_to_4cm": (0, 0), "over_4cm": (1, 1)}
    assert detection.froc.thresholds == (0.95, 0.9, 0.6, 0.5, 0.4)
    assert detection.froc.sensitivities == pytest.approx((0, 1 / 3, 1 / 3, 2 / 3, 2 / 3))
    assert detection.froc.false_positives_per_scan == (0.25, 0.25, 0.5, 0.5, 0.75)
    # Steps of a third, at precisions of 1 in 2 and 2 in 4.
    assert detection.average_precision.value == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert [detection.sensitivity_at[rate].value for rate in ("0.125", "0.25", "0.5")] == pytest.approx(
        [0, 1 / 3, 2 / 3]
    )


def test_bands_enclose_the_curve_and_come_again_with_the_seed():
    generator = np.random.default_rng(5)
    cohort = [
        CaseLesions(
            tuple(found(float(value)) for value in generator.random(generator.integers(3))),
            tuple(false(float(value) * 0.8) for value in generator.random(generator.integers(4))),
        )
        for _ in range(40)
    ]
    detection = lesion_detection(cohort, min_iou=0.1, seed=3)
    assert detection == lesion_detection(cohort, min_iou=0.1, seed=3)
    for estimate in (detection.average_precision, detection.false_positives_per_scan):
        assert estimate.low < estimate.value < estimate.high
    low, high = np.array(detection.froc.band_low), np.array(detection.froc.band_high)
    assert (low <= high).all()
    assert (np.diff(high) >= -1e-12).all()
    for rate, estimate in detection.sensitivity_at.items():
        assert estimate.low <= estimate.value <= estimate.high, rate


def test_cases_of_one_patient_are_drawn_together():
    cohort = [CaseLesions((found(0.9),)), CaseLesions((MISSED,))] * 10
    alone = lesion_detection(cohort, min_iou=0.1)
    together = lesion_detection(cohort, min_iou=0.1, patients=[index // 2 for index in range(20)])
    # Every patient has one found and one missed lesion, so no draw differs.
    assert (together.average_precision.low, together.average_precision.high) == (0.5, 0.5)
    assert alone.average_precision.low < 0.5 < alone.average_precision.high


def test_one_patient_has_values_without_an_interval():
    detection = lesion_detection([CaseLesions((found(0.9),))], min_iou=0.1)
    assert detection.average_precision.value == 1.0
    assert math.isnan(detection.average_precision.low)
    assert "one patient" in detection.average_precision.reason


@pytest.mark.parametrize("cohort", [[], [CaseLesions()], [CaseLesions((), (false(0.3),))] * 2])
def test_without_lesions_sensitivity_is_undefined_and_says_why(cohort):
    detection = lesion_detection(cohort, min_iou=0.1)
    assert math.isnan(detection.average_precision.value)
    assert "no lesion" in detection.average_precision.reason
    assert math.isnan(detection.sensitivity.value)
