import math

import pytest
from scipy import stats

from wirsung.training.experiments.answers import answer, verdict_of
from wirsung.training.experiments.collecting import Scored
from wirsung.training.experiments.definition import Column, Measure, Question
from wirsung.training.experiments.noise import Difference
from wirsung.training.experiments.reading import parse_experiment

DSC = Measure("pancreas", "dsc")
FIRST, SECOND = Column("few", "unseen"), Column("many", "unseen")


@pytest.mark.parametrize(
    ("low", "high", "expect", "margin", "verdict"),
    [
        (0.1, 0.3, "higher", 0, "agrees"),
        (-0.1, 0.3, "higher", 0, "within the noise"),
        (-0.3, -0.1, "higher", 0, "does not agree"),
        (-0.3, -0.1, "lower", 0, "agrees"),
        (0.1, 0.3, "lower", 0, "does not agree"),
        (0.0, 0.0, "higher", 0, "within the noise"),
        (-0.01, 0.02, "same", 0.02, "agrees"),
        (-0.01, 0.03, "same", 0.02, "within the noise"),
        (0.03, 0.05, "same", 0.02, "does not agree"),
        (-0.05, -0.03, "same", 0.02, "does not agree"),
    ],
)
def test_the_verdict_follows_from_the_interval(low, high, expect, margin, verdict):
    found = Difference(0.5, 0.5 + (low + high) / 2, (low + high) / 2, low, high, 10, 3)
    assert verdict_of(found, expect, margin) == verdict


@pytest.fixture
def asked(small):
    def ask(collected, **changes):
        made = parse_experiment(small, "small.toml", "cpu")
        kept = {"expect": "higher", "paper": 0.1, "measure": DSC} | changes
        return answer(Question("Better?", (FIRST,), (SECOND,), **kept), made, collected)

    return ask


def rising(gain, seeds=2):
    cases = {f"c{number}": 0.3 + number / 100 for number in range(12)}
    better = {case: value + gain + (number % 3) / 100 for number, (case, value) in enumerate(cases.items())}
    return {
        (FIRST, DSC): Scored(dict.fromkeys(range(seeds), cases)),
        (SECOND, DSC): Scored(dict.fromkeys(range(seeds), better)),
    }


def test_the_sentence_tells_the_numbers_and_the_papers(asked):
    found = asked(rising(0.2))
    assert found.verdict == "agrees"
    assert found.difference.difference == pytest.approx(0.21)
    assert found.sentence.startswith(
        "Agrees: the DSC of the pancreas is 0.355 for few cases and 0.565 for many"
    )
    assert "over 2 seeds and 12 cases" in found.sentence
    assert found.sentence.endswith("The paper: +0.100.")


def test_the_p_is_that_of_wilcoxon_over_the_means_of_seeds(asked):
    found = asked(rising(0.2))
    differences = [0.2 + number % 3 / 100 for number in range(12)]
    assert found.test == "Wilcoxon signed-rank"
    assert found.p == pytest.approx(stats.wilcoxon([round(value, 9) for value in differences]).pvalue)


def test_a_fall_where_a_rise_was_expected_is_said(asked):
    assert asked(rising(-0.2)).sentence.startswith("Does not agree")


def test_one_seed_is_said_to_be_one(asked):
    assert "1 seed, so over cases alone" in asked(rising(0.2, seeds=1)).sentence


def test_an_arm_that_has_not_run_has_no_answer(asked):
    found = asked({(FIRST, DSC): Scored({0: {"a": 0.5}})})
    assert (found.verdict, found.difference) == ("not run", None)
    assert found.sentence == "Not run yet: few cases against many."


def test_an_auc_is_tested_by_delong_and_needs_both_kinds_of_case(asked):
    auc = Measure("pancreatic_lesion", "auc")
    truth = {"a": True, "b": True, "c": False, "d": False}
    scores = {"a": 0.9, "b": 0.4, "c": 0.5, "d": 0.1}
    best = {"a": 0.9, "b": 0.8, "c": 0.5, "d": 0.1}
    collected = {(FIRST, auc): Scored({0: scores}, truth), (SECOND, auc): Scored({0: best}, truth)}
    found = asked(collected, measure=auc)
    assert found.test == "DeLong"
    assert found.difference.difference == pytest.approx(0.25)
    alone = dict.fromkeys(truth, True)
    collected = {(FIRST, auc): Scored({0: scores}, alone), (SECOND, auc): Scored({0: best}, alone)}
    found = asked(collected, measure=auc)
    assert found.verdict == "not run"
    assert math.isnan(found.p)
