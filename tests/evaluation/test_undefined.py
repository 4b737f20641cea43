import math

import pytest

from wirsung.evaluation.protocol import METRICS
from wirsung.evaluation.undefined import Reason, settled

OVERLAPS = ("dsc", "iou", "sensitivity", "nsd_2mm")
DISTANCES = ("hd", "hd95", "assd")


@pytest.mark.parametrize("metric", [*OVERLAPS, "precision", *DISTANCES])
def test_nothing_against_nothing_is_undefined(metric):
    value, reason = settled(metric, reference_empty=True, prediction_empty=True)
    assert math.isnan(value)
    assert reason is Reason.BOTH_EMPTY


@pytest.mark.parametrize("metric", [*OVERLAPS, "precision", *DISTANCES])
def test_a_false_positive_has_no_score_of_its_own(metric):
    value, reason = settled(metric, reference_empty=True, prediction_empty=False)
    assert math.isnan(value)
    assert reason is Reason.REFERENCE_EMPTY


@pytest.mark.parametrize("metric", OVERLAPS)
def test_a_missed_structure_overlaps_by_nothing(metric):
    assert settled(metric, reference_empty=False, prediction_empty=True) == (0.0, None)


@pytest.mark.parametrize("metric", ["precision", *DISTANCES])
def test_a_missed_structure_has_no_distance_and_no_precision(metric):
    value, reason = settled(metric, reference_empty=False, prediction_empty=True)
    assert math.isnan(value)
    assert reason is Reason.PREDICTION_EMPTY


@pytest.mark.parametrize("metric", METRICS)
def test_a_structure_in_both_is_computed(metric):
    assert settled(metric, reference_empty=False, prediction_empty=False) is None


@pytest.mark.parametrize("metric", ["volume_ml", "reference_volume_ml"])
def test_a_volume_is_never_undefined(metric):
    assert settled(metric, reference_empty=True, prediction_empty=True) is None


def test_a_reason_reads_as_words():
    assert Reason.BOTH_EMPTY.words == "both empty"
