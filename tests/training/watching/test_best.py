"""Which epoch is the best."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.layout import Dataset
from wirsung.training.classes import Classes
from wirsung.training.planning import label_table
from wirsung.training.watching.best import BestSoFar, leading_classes, lesion_class, score_of
from wirsung.training.watching.events import Epoch

LEADING = ("pancreatic_lesion", "pancreas")


def epoch(number, **dice):
    return Epoch(number, 1.0, 1.0, dice, 0.01, 1.0)


def after(*events, leading=LEADING):
    found = BestSoFar(leading)
    for event in events:
        found = found.updated(event)
    return found


def test_organs_that_get_better_do_not_hide_a_lesion_that_gets_lost():
    found = after(
        epoch(0, liver=0.5, pancreas=0.5, pancreatic_lesion=0.2),
        epoch(1, liver=0.9, pancreas=0.9, pancreatic_lesion=0.1),
    )
    assert (found.best.epoch, found.best.of) == (0, "pancreatic_lesion")
    assert not found.improved
    by_mean = after(epoch(0, a=0.5, b=0.2), epoch(1, a=0.9, b=0.1), leading=())
    assert by_mean.best.epoch == 1


def test_the_average_is_nnunets():
    values = [0.5, 0.7, 0.1]
    found = after(*(epoch(index, pancreatic_lesion=value) for index, value in enumerate(values)))
    assert found.averages["pancreatic_lesion"] == pytest.approx(0.9 * (0.9 * 0.5 + 0.1 * 0.7) + 0.1 * 0.1)


def test_while_no_lesion_is_found_the_mean_decides():
    found = after(epoch(0, liver=0.1, pancreatic_lesion=0.0), epoch(1, liver=0.8, pancreatic_lesion=0.0))
    assert found.best.epoch == 1
    assert found.updated(epoch(2, liver=0.0, pancreatic_lesion=0.01)).best.epoch == 2


def test_without_a_lesion_in_validation_the_pancreas_decides_and_then_the_mean():
    nothing = {"pancreatic_lesion": math.nan}
    found = after(epoch(0, pancreas=0.4, liver=0.1, **nothing), epoch(1, pancreas=0.3, liver=0.9, **nothing))
    assert (found.best.epoch, found.best.of) == (0, "pancreas")
    found = after(epoch(0, pancreas=math.nan, liver=0.1, **nothing))
    assert (found.best.epoch, found.best.of) == (0, "mean")


def test_the_first_score_of_the_lesion_is_above_all_of_the_pancreas():
    found = after(
        epoch(0, pancreas=0.9, pancreatic_lesion=math.nan), epoch(1, pancreas=0.1, pancreatic_lesion=0.02)
    )
    assert (found.best.epoch, found.best.of) == (1, "pancreatic_lesion")


def test_an_epoch_whose_patches_held_no_lesion_keeps_its_average():
    found = after(epoch(0, pancreatic_lesion=0.3), epoch(1, pancreatic_lesion=math.nan, pancreas=0.9))
    assert found.averages["pancreatic_lesion"] == 0.3


def test_nothing_defined_is_no_best():
    found = after(epoch(0, pancreas=math.nan))
    assert found.best is None
    assert not found.improved


dice = st.one_of(st.just(math.nan), st.floats(0, 1))


@given(st.lists(st.fixed_dictionaries({"pancreas": dice, "pancreatic_lesion": dice}), max_size=12), st.data())
def test_a_resumed_training_finds_the_same_best(course, data):
    events = [epoch(index, **scores) for index, scores in enumerate(course)]
    stop = data.draw(st.integers(0, len(events)))
    unbroken = after(*events)
    resumed = BestSoFar.from_json(json.loads(json.dumps(after(*events[:stop]).as_json())))
    for event in events[stop:]:
        resumed = resumed.updated(event)
    assert resumed.as_json() == unbroken.as_json()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_best_is_the_highest_average(values):
    found = after(*(epoch(index, pancreatic_lesion=value) for index, value in enumerate(values)))
    averages = [values[0]]
    for value in values[1:]:
        averages.append(0.9 * averages[-1] + 0.1 * value)
    assert found.best.score == pytest.approx(max(averages))


def test_a_score_is_that_of_the_first_class_that_is_defined():
    event = epoch(0, liver=0.6, pancreas=0.4, pancreatic_lesion=math.nan)
    assert score_of(event, LEADING) == 0.4
    assert score_of(event, ("pancreatic_lesion",)) == pytest.approx(np.nanmean([0.6, 0.4]))
    assert math.isnan(score_of(epoch(0, pancreas=math.nan)))


@pytest.mark.parametrize(
    ("scheme_name", "lesion"),
    [
        ("pants-28", "pancreatic_lesion"),
        ("msd-pancreas", "cancer"),
        ("panorama-6", "pdac_lesion"),
        ("pancreas", None),
        ("lits", None),
    ],
)
def test_the_lesion_is_known_under_every_name(scheme_name, lesion, shared_dataset):
    found = scheme(scheme_name)
    table = label_table(Dataset.open(shared_dataset).cases, Classes(found, found.classes))
    assert lesion_class(table) == lesion
    has_pancreas = ("pancreas",) if scheme_name != "lits" else ()
    assert leading_classes(table) == ((lesion, *has_pancreas) if lesion else has_pancreas)
