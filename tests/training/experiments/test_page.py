import json

import pytest

from wirsung.pages.template import render
from wirsung.training.experiments.collecting import Scored
from wirsung.training.experiments.definition import Column, Measure
from wirsung.training.experiments.page import experiment_page
from wirsung.training.experiments.reading import parse_experiment
from wirsung.training.experiments.results import CallFacts, gather

AUC, DSC = Measure("pancreatic_lesion", "auc"), Measure("pancreatic_lesion", "dsc")
MACHINE = {"processor": "P", "cores": 2, "threads": "1", "device": "cpu", "python": "3.11"}
MADE_BY = {"date": "2026-01-02", "wirsung": "0", "commit": "abc", "machine": MACHINE}


def record(seed, cases, tumours, train_s):
    tests = {"unseen": {"cases": 4, "predict_s": 8.0, "evaluate_s": 1.0}}
    common = {"parameters": 1000, "commit": "abc", "tests": tests}
    return {"seed": seed, "cases": cases, "tumours": tumours, "train_s": train_s, **common}


@pytest.fixture
def results(small):
    made = parse_experiment(small, "small.toml", "cpu")
    few, many = Column("few", "unseen"), Column("many", "unseen")
    truth = {"a": True, "b": True, "c": False, "d": False}
    poor, fair = {"a": 0.9, "b": 0.1, "c": 0.5, "d": 0.2}, {"a": 0.9, "b": 0.4, "c": 0.5, "d": 0.2}
    best = {"a": 0.9, "b": 0.8, "c": 0.5, "d": 0.2}
    nan = float("nan")
    collected = {
        (few, AUC): Scored({0: poor, 1: fair}, truth),
        (many, AUC): Scored({0: best}, truth),
        (few, DSC): Scored({0: {"a": 0.2, "b": 0.4, "c": nan}, 1: {"a": 0.4, "b": 0.6, "c": nan}}),
        (many, DSC): Scored({0: {"a": 0.6, "b": 0.8, "c": nan}}),
    }
    records = {
        ("few", 0): record(0, 3, 2, 60.0),
        ("few", 1): record(1, 3, 1, 80.0),
        ("many", 0): record(0, 5, 3, 100.0),
    }
    return gather(
        made, records, collected, CallFacts("cpu", "wirsung experiment", {"many, seed 1": "why"}, MADE_BY)
    )


def test_the_table_holds_what_a_hand_computes(results):
    found = results.of(Column("few", "unseen"), DSC)
    assert found.estimate.seeds == pytest.approx((0.3, 0.5))
    assert found.estimate.mean == pytest.approx(0.4)
    assert found.estimate.sd == pytest.approx(0.02**0.5)
    assert found.left_out == 1
    assert results.of(Column("few", "unseen"), AUC).estimate.seeds == pytest.approx((0.5, 0.75))
    assert results.of(Column("many", "unseen"), AUC).estimate.mean == 1


def test_arms_tell_what_they_took(results):
    few, many = results.arms
    assert (few.cases, few.tumours, few.train_s, few.predict_s_per_case) == (3, 1.5, 70.0, 2.0)
    assert (many.seeds, few.seeds) == ((0,), (0, 1))


def test_the_papers_rows_stand_beside_ours(results):
    assert [line.row.value for line in results.paper] == [0.8, 0.5]
    assert results.paper[0].ours.estimate.mean == pytest.approx(0.625)
    assert results.paper[1].ours is None


def test_the_results_are_json_without_nan(results):
    content = json.loads(json.dumps(results.as_json(), allow_nan=False))
    assert content["paper"][0]["ours"] == pytest.approx(0.625)
    assert content["questions"][0]["measure"] == "pancreatic_lesion auc"
    assert content["machine"] == MACHINE


def test_the_page_tells_answers_paper_failures_and_times(results):
    html = render(experiment_page(results))
    for words in (
        "Are many better?",
        "within the noise",
        "few of the paper",
        "Its table",
        "many, seed 1: why",
        "Not all seeds have run: many",
        "0.625",
        "70 s",
        "abc",
    ):
        assert words in html, words
