import pytest
from misbehaving import act

from wirsung.compute.outcome import attempt, quarantined, unforeseen


@pytest.mark.parametrize(
    ("task", "status", "value"),
    [
        ("4", "done", 16),
        ("skip", "skipped", "was there"),
        ("fail", "failed", None),
        ("leave", "failed", None),
    ],
)
def test_whatever_a_function_does_becomes_an_outcome(task, status, value):
    outcome = attempt(act, "a", task)
    assert (outcome.case, outcome.status, outcome.value) == ("a", status, value)


def test_want_of_memory_is_said_as_such():
    def swell(_task):
        raise MemoryError

    assert attempt(swell, "a", 0).message == "not enough memory. Try fewer workers."


def test_an_unforeseen_error_is_told_without_its_text():
    message = attempt(act, "a", "raise:DOE^JANE").message
    assert "DOE" not in message
    assert "ValueError at misbehaving.py:" in message


def test_an_error_from_nowhere_has_no_place():
    assert unforeseen(KeyError("x")).startswith("unforeseen KeyError. Please")


def test_an_interrupt_is_no_outcome():
    def interrupted(_task):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(interrupted, "a", 0)


def test_two_different_ends_are_told_in_their_order():
    assert quarantined("it fell", "it sank") == (
        "quarantined: first it fell, then it sank. Try it alone with --workers 1."
    )
