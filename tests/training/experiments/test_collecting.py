import numpy as np
import pytest

from wirsung.evaluation.protocol import protocol
from wirsung.evaluation.scores import Score, write_scores
from wirsung.training.experiments.collecting import Scored, aligned, collect
from wirsung.training.experiments.definition import Column, Measure
from wirsung.training.experiments.reading import parse_experiment

DSC = Measure("pancreas", "dsc")
AUC = Measure("pancreatic_lesion", "auc")
ONE, TWO, OTHER = Column("one", "t"), Column("two", "t"), Column("one", "u")


def test_values_stand_by_seed_and_case():
    found = aligned({(ONE, DSC): Scored({0: {"a": 0.1, "b": 0.2}, 1: {"b": 0.4, "a": 0.3}})}, [[ONE]], DSC)
    assert found.cases == ("t/a", "t/b")
    assert found.sides[0].tolist() == [[0.1, 0.2], [0.3, 0.4]]
    assert found.positive is None


def test_a_case_without_a_value_in_one_run_is_left_out_and_counted():
    collected = {
        (ONE, DSC): Scored({0: {"a": 0.1, "b": float("nan"), "c": 0.3}}),
        (TWO, DSC): Scored({0: {"a": 0.5, "b": 0.6}, 1: {"a": 0.7, "b": 0.8}}),
    }
    found = aligned(collected, [[ONE], [TWO]], DSC)
    assert (found.cases, found.left_out) == (("t/a",), 2)
    assert [side.tolist() for side in found.sides] == [[[0.1]], [[0.5], [0.7]]]


def test_tests_are_pooled_one_after_the_other():
    collected = {(ONE, DSC): Scored({0: {"a": 0.1}}), (OTHER, DSC): Scored({0: {"a": 0.9}})}
    found = aligned(collected, [[ONE, OTHER]], DSC)
    assert (found.cases, found.sides[0].tolist()) == (("t/a", "u/a"), [[0.1, 0.9]])


def test_seeds_that_one_test_lacks_are_left_out_of_the_pool():
    collected = {
        (ONE, DSC): Scored({0: {"a": 0.1}, 1: {"a": 0.2}}),
        (OTHER, DSC): Scored({1: {"a": 0.9}}),
    }
    assert aligned(collected, [[ONE, OTHER]], DSC).sides[0].tolist() == [[0.2, 0.9]]


def test_a_side_that_has_not_run_gives_nothing():
    assert aligned({(ONE, DSC): Scored({0: {"a": 0.1}})}, [[ONE], [TWO]], DSC) is None


def test_an_auc_knows_who_has_a_lesion():
    found = aligned({(ONE, AUC): Scored({0: {"a": 3.0, "b": 1.0}}, {"a": True, "b": False})}, [[ONE]], AUC)
    assert found.positive.tolist() == [True, False]


def score(case, metric, value):
    reason = "reference_empty" if np.isnan(value) else None
    return Score(case, "pancreatic_lesion", metric, value, "1", reason, "pants", "unseen")


def test_runs_are_read_from_what_evaluate_wrote(tmp_path, small):
    made = parse_experiment(small, "small.toml", "cpu")
    rows = []
    for case, volume, dsc, highest in (("a", 5.0, 0.4, 0.9), ("b", 0.0, float("nan"), 0.2)):
        rows += [
            score(case, "dsc", dsc),
            score(case, "volume_ml", 1.0),
            score(case, "reference_volume_ml", volume),
            score(case, "lesion_probability_max", highest),
        ]
    write_scores(tmp_path / "scores" / "unseen", rows, protocol("pants").stamp)
    found = collect(made, {("few", 1): tmp_path})
    column = Column("few", "unseen")
    ranked = found[column, AUC]
    assert ranked.by_seed == {1: {"a": 0.9, "b": 0.2}}
    assert ranked.positive == {"a": True, "b": False}
    dsc = found[column, Measure("pancreatic_lesion", "dsc")].by_seed[1]
    assert dsc["a"] == pytest.approx(0.4)
    assert np.isnan(dsc["b"])
