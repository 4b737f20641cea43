import math

import pytest

from wirsung.evaluation.bland_altman import bland_altman
from wirsung.evaluation.icc import icc
from wirsung.evaluation.scores import Score, Scores
from wirsung.evaluation.volumes import volume_findings, volume_pairs

VOLUMES = {"a": (80.0, 82.0), "b": (60.0, 55.0), "c": (0.0, 0.0), "d": (0.0, 3.0), "e": (95.0, math.nan)}


def scores(volumes, method="net", structure="pancreas"):
    rows = []
    for case, (reference, prediction) in volumes.items():
        reason = "case_failed" if math.isnan(prediction) else None
        rows.append(Score(case, structure, "reference_volume_ml", reference, "ml", None, "pants", method))
        rows.append(Score(case, structure, "volume_ml", prediction, "ml", reason, "pants", method))
    return Scores(rows)


def test_cases_where_both_are_empty_or_one_is_unknown_take_no_part():
    assert volume_pairs(scores(VOLUMES), "net", "pancreas") == [(80.0, 82.0), (60.0, 55.0), (0.0, 3.0)]


def test_every_measure_is_of_the_same_pairs():
    (found,) = volume_findings(scores(VOLUMES), ["net"])
    assert (found.method, found.structure) == ("net", "pancreas")
    assert found.difference == bland_altman([80, 60, 0], [82, 55, 3])
    assert found.agreement == icc([[80, 82], [60, 55], [0, 3]])
    assert found.consistency.form == "ICC(C,1)"
    assert found.correlation.n == 3
    assert found.difference.bias == pytest.approx(0)


def test_two_cases_are_too_few():
    assert volume_findings(scores({"a": (80.0, 82.0), "b": (60.0, 55.0)}), ["net"]) == ()


def test_a_protocol_without_volumes_has_no_agreement():
    row = Score("a", "pancreas", "dsc", 0.5, "1", None, "pants", "net")
    assert volume_findings(Scores([row]), ["net"]) == ()
