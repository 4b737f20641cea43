import os

import pytest
from misbehaving import act, process_id

from wirsung.compute.cases import Outcome, default_workers, map_cases

SECRET = "CANARY^NAME"


def run(tasks, workers):
    return map_cases(act, tasks, workers=workers, description="test")


def summary(outcomes):
    return [(outcome.case, outcome.status) for outcome in outcomes]


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_cases_fail_and_good_ones_go_on_in_order(workers):
    outcomes = run({"c": 4, "a": "fail", "d": f"raise:{SECRET}", "b": "skip", "f": 3}, workers)
    assert summary(outcomes) == [
        ("c", "done"),
        ("a", "failed"),
        ("d", "failed"),
        ("b", "skipped"),
        ("f", "done"),
    ]
    assert [outcome.value for outcome in outcomes] == [16, None, None, "was there", 9]
    assert outcomes[1].message == "ct.nii.gz is no image."


@pytest.mark.parametrize("workers", [1, 2])
def test_an_unforeseen_error_tells_its_place_and_never_its_text(workers, capfd):
    outcomes = run({"a": f"raise:{SECRET}", "b": 1}, workers)
    assert "ValueError at misbehaving.py:" in outcomes[0].message
    shown = capfd.readouterr()
    assert SECRET not in repr(outcomes) + shown.out + shown.err


@pytest.mark.parametrize("death", ["exit:3", "kill"])
def test_a_case_that_kills_its_worker_fails_alone(death):
    outcomes = run({"a": 1, "b": death, "c": "fail", "d": 2}, 2)
    assert summary(outcomes) == [("a", "done"), ("b", "failed"), ("c", "failed"), ("d", "done")]
    assert "worker" in outcomes[1].message
    assert outcomes[2].message == "ct.nii.gz is no image."


def test_no_cases_are_no_outcomes():
    assert run({}, 2) == []


def test_one_case_stays_in_this_process():
    assert map_cases(process_id, {"a": 0}, workers=4, description="test")[0].value == os.getpid()


def test_two_workers_are_two_other_processes():
    outcomes = map_cases(process_id, dict.fromkeys("abcdefgh", 0), workers=2, description="test")
    processes = {outcome.value for outcome in outcomes}
    assert os.getpid() not in processes
    assert 1 <= len(processes) <= 2


def test_a_value_that_cannot_travel_fails_its_case_only():
    outcomes = run({"a": "unpicklable", "b": 2}, 2)
    assert summary(outcomes) == [("a", "failed"), ("b", "done")]


def test_an_interruption_ends_the_whole_run():
    def interrupted(task):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        map_cases(interrupted, {"a": 1, "b": 2}, workers=1, description="test")


def test_workers_by_default_are_the_cores_we_may_use():
    assert 1 <= default_workers() <= (os.cpu_count() or 1)


def test_an_outcome_is_a_plain_row():
    assert (Outcome("a", "done").message, Outcome("a", "done").value) == ("", None)
