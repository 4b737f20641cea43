"""Three steps at the same time."""

import threading

import pytest

from wirsung.compute.outcome import Skip
from wirsung.errors import ConfigError
from wirsung.inference.overlapping import Steps, overlapped


def _bad(where):
    def step(value):
        if value == where:
            msg = f"bad {where}"
            raise ConfigError(msg)
        return value

    return step


@pytest.mark.parametrize("place", range(3))
def test_a_bad_case_fails_alone_whichever_step_it_is(place):
    steps = [lambda value: value] * 3
    steps[place] = _bad("b")
    found = list(overlapped(Steps(*steps), [(name, name) for name in "abcd"]))
    assert [outcome.case for outcome in found] == list("abcd")
    assert [outcome.status for outcome in found] == ["done", "failed", "done", "done"]
    assert found[1].message == "bad b"


def test_a_case_that_is_done_is_neither_computed_nor_written():
    def read(value):
        if value == 1:
            raise Skip(value + 6)
        return value

    computed = []
    steps = Steps(read, lambda value: computed.append(value) or value, lambda value: value)
    found = list(overlapped(steps, [(str(value), value) for value in range(3)]))
    assert [outcome.status for outcome in found] == ["done", "skipped", "done"]
    assert found[1].value == 7
    assert computed == [0, 2]


def test_the_next_case_is_read_and_the_last_written_while_one_is_computed():
    read, computed = [threading.Event() for _ in range(3)], [threading.Event() for _ in range(3)]

    def compute(number):
        # Without overlap this would wait forever.
        assert number == 2 or read[number + 1].wait(30)
        computed[number].set()
        return number

    def write(number):
        assert number == 2 or computed[number + 1].wait(30)
        return number

    steps = Steps(lambda number: read[number].set() or number, compute, write)
    found = list(overlapped(steps, [(str(number), number) for number in range(3)]))
    assert [outcome.status for outcome in found] == ["done"] * 3
