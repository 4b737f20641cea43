"""The course of a training in numbers."""

import math

import pytest

from wirsung.training.watching.course import Course, words_of
from wirsung.training.watching.events import Epoch, Step
from wirsung.training.watching.journal import Entry


def epoch(number, duration_s=60.0, **dice):
    return Epoch(number, 1.0, 1.0, dice, 0.01, duration_s)


def step(epoch, iteration, duration_s):
    return Step(epoch, iteration, 1.0, 0.01, duration_s, ())


def test_time_left_is_the_pace_of_the_last_five_epochs():
    course = Course(10, 2)
    for number, duration_s in enumerate([1000.0, 10.0, 20.0, 30.0, 40.0, 50.0]):
        course.add(epoch(number, duration_s))
    assert course.left_s(0.0) == 4 * 30
    assert course.left_s(20.0) == 4 * 30 - 20
    assert course.left_s(500.0) == 3 * 30  # an epoch that takes longer than the pace is not paid back


def test_within_the_first_epoch_its_steps_say_the_pace():
    course = Course(3, 10)
    assert math.isnan(course.left_s(5.0))
    course.add(step(0, 0, 2.0))
    course.add(step(0, 1, 2.0))
    assert course.left_s(4.0) == 3 * 20 - 4


def test_a_finished_training_has_no_time_left():
    course = Course(1, 1)
    course.add(epoch(0))
    assert course.left_s(3.0) == 0.0


def test_a_step_takes_its_epochs_median():
    course = Course(2, 3)
    for iteration, duration_s in enumerate([9.0, 1.0, 2.0]):
        course.add(step(0, iteration, duration_s))
    course.add(epoch(0))
    course.add(epoch(1))  # of which the journal has no step
    assert course.step_s[0] == 2.0
    assert math.isnan(course.step_s[1])
    assert course.steps == []


def test_the_mean_is_over_the_classes_that_an_epoch_defined():
    course = Course.of(
        [
            Entry(epoch(4, pancreas=0.5, spleen=0.25, aorta=math.nan), 1.0),
            Entry(epoch(5, aorta=math.nan), 2.0),
        ],
        10,
        2,
    )
    assert course.mean_dice()[0] == 0.375
    assert math.isnan(course.mean_dice()[1])
    assert course.dice("pancreas")[0] == 0.5
    assert math.isnan(course.dice("pancreas")[1])
    assert course.across() == [5, 6]
    assert course.done == 6


@pytest.mark.parametrize(
    ("duration_s", "words"),
    [(0, "0 s"), (89.4, "89 s"), (90, "2 min"), (3600, "60 min"), (172800, "2 d 0 h")],
)
def test_durations_in_words(duration_s, words):
    assert words_of(duration_s) == words
