import math

import pytest

from wirsung.evaluation.protocol import METRICS
from wirsung.evaluation.undefined import Reason, settled

OVERLAPS = ("dsc", "iou", "sensitivity", "kappa", "nsd_2mm")
DISTANCES = ("hd", "hd95", "assd", "masd")
MEASURED = ("volume_ml", "reference_volume_ml", "volume_difference_ml", "specificity")


@pytest.mark.parametrize("metric", [*OVERLAPS, "precision", "volume_difference", *DISTANCES])
def test_nothing_against_nothing_is_undefined(metric):
    value, reason = settled(metric, reference_empty=True, prediction_empty=True)
    assert math.isnan(value)
    assert reason is Reason.BOTH_EMPTY


@pytest.mark.parametrize("metric", [*OVERLAPS, "precision", "volume_difference", *DISTANCES])
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


@pytest.mark.parametrize("metric", MEASURED)
def test_a_volume_is_never_undefined(metric):
    assert settled(metric, reference_empty=False, prediction_empty=True) is None
    assert settled(metric, reference_empty=True, prediction_empty=False) is None
    assert settled(metric, reference_empty=True, prediction_empty=True) is None


def test_a_missed_structure_lost_all_of_its_volume():
    assert settled("volume_difference", reference_empty=False, prediction_empty=True) == (-1.0, None)


def test_the_table_knows_every_metric():
    named = {*OVERLAPS, *DISTANCES, *MEASURED, "precision", "volume_difference"}
    assert {"nsd" if name.startswith("nsd_") else name for name in named} == set(METRICS)


def test_a_reason_reads_as_words():
    assert Reason.BOTH_EMPTY.words == "both empty"
