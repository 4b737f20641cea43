import os
import signal
import time

import pytest

from wirsung.compute.cases import Outcome, Skip, default_workers, map_cases
from wirsung.errors import ImageError

SECRET = "CANARY^NAME"


def work(task):
    """A stage's function that does what its task says; at the top level so that workers find it."""
    match task:
        case "bad":
            msg = "ct.nii.gz is damaged. Copy it again."
            raise ImageError(msg)
        case "unforeseen":
            msg = f"invalid literal for int(): {SECRET}"
            raise ValueError(msg)
        case "skip":
            raise Skip("earlier")
        case "exit":
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "memory":
            raise MemoryError
        case "slow":
            time.sleep(0.3)
    return f"{task} done"


def run(tasks, workers):
    return map_cases(work, tasks, workers=workers, description="test")


def summary(outcomes):
    return [(outcome.case, outcome.status) for outcome in outcomes]


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_cases_fail_and_good_ones_go_on_in_order(workers):
    tasks = {"c": "slow", "a": "bad", "d": "unforeseen", "b": "skip", "e": "memory", "f": "fine"}
    outcomes = run(tasks, workers)
    assert summary(outcomes) == [
        ("c", "done"),
        ("a", "failed"),
        ("d", "failed"),
        ("b", "skipped"),
        ("e", "failed"),
        ("f", "done"),
    ]
    assert outcomes[0].value == "slow done"
    assert outcomes[0].duration_s >= 0.3
    assert outcomes[1].message == "ct.nii.gz is damaged. Copy it again."
    assert outcomes[3].value == "earlier"
    assert "not enough memory" in outcomes[4].message


@pytest.mark.parametrize("workers", [1, 2])
def test_an_unforeseen_error_tells_its_place_and_never_its_text(workers, capfd):
    outcomes = run({"a": "unforeseen", "b": "fine"}, workers)
    assert outcomes[0].message.startswith("unforeseen ValueError at test_cases.py:")
    assert SECRET not in repr(outcomes)
    shown = capfd.readouterr()
    assert SECRET not in shown.out + shown.err


@pytest.mark.parametrize("death", ["exit", "kill"])
def test_a_case_that_kills_its_worker_fails_alone(death):
    tasks = {"a": "fine", "b": death, "c": "bad", "d": "fine"}
    outcomes = run(tasks, 2)
    assert summary(outcomes) == [("a", "done"), ("b", "failed"), ("c", "failed"), ("d", "done")]
    assert "its worker was killed" in outcomes[1].message
    assert outcomes[2].message.startswith("ct.nii.gz is damaged")


def test_no_cases_are_no_outcomes():
    assert run({}, 2) == []


def test_one_case_stays_in_this_process():
    assert map_cases(lambda task: os.getpid(), {"a": 0}, workers=4, description="t")[0].value == os.getpid()


def process_of(task):
    time.sleep(0.2)
    return os.getpid()


def test_two_workers_are_two_other_processes():
    outcomes = map_cases(process_of, dict.fromkeys("abcdefgh", 0), workers=2, description="test")
    processes = {outcome.value for outcome in outcomes}
    assert os.getpid() not in processes
    assert 1 <= len(processes) <= 2


def unpicklable(task):
    return lambda: task


def test_a_value_that_cannot_travel_fails_its_case_only():
    outcomes = map_cases(unpicklable, {"a": 1, "b": 2}, workers=2, description="test")
    assert [outcome.status for outcome in outcomes] == ["failed", "failed"]


def interrupted(task):
    raise KeyboardInterrupt


def test_an_interruption_ends_the_whole_run():
    with pytest.raises(KeyboardInterrupt):
        map_cases(interrupted, {"a": 1, "b": 2}, workers=1, description="test")


def test_workers_by_default_are_the_cores_we_may_use():
    assert 1 <= default_workers() <= (os.cpu_count() or 1)


def test_an_outcome_is_a_plain_row():
    assert Outcome("a", "done") == Outcome("a", "done", "", None, 0.0)
