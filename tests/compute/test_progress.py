import io

import pytest
from rich.console import Console

from wirsung.compute.cases import Outcome, map_cases
from wirsung.compute.progress import CaseProgress, duration


class Clock:
    """A clock that the test moves."""

    now_s = 100.0

    def __call__(self):
        return self.now_s


def progress(total, *, terminal=False):
    clock, file = Clock(), io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=100)
    return CaseProgress("Scoring", total, clock=clock, console=console), clock, file


def count(shown, clock, statuses, every_s):
    for status in statuses:
        clock.now_s += every_s
        shown.count(Outcome("case", status))


def test_a_log_gets_a_line_every_half_minute_and_a_last_one():
    shown, clock, file = progress(36_390)
    with shown:
        count(shown, clock, ["done"] * 119 + ["failed"], 1.0)
    assert file.getvalue().splitlines() == [
        "Scoring: 30 of 36,390 cases, 60 cases/min, 10 h 6 min left, 0 failed",
        "Scoring: 60 of 36,390 cases, 60 cases/min, 10 h 5 min left, 0 failed",
        "Scoring: 90 of 36,390 cases, 60 cases/min, 10 h 5 min left, 0 failed",
        "Scoring: 120 of 36,390 cases, 60 cases/min, 10 h 4 min left, 1 failed",
        "Scoring: 120 cases in 2 min 0 s: 119 done, 1 failed",
    ]


def test_a_short_run_is_one_line_in_a_log():
    shown, clock, file = progress(3)
    with shown:
        count(shown, clock, ["done", "skipped", "failed"], 2.0)
    assert file.getvalue() == "Scoring: 3 cases in 6 s: 1 done, 1 skipped, 1 failed\n"


def test_a_run_that_ends_early_says_so():
    shown, clock, file = progress(3)

    def interrupted():
        with shown:
            count(shown, clock, ["done"], 2.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.getvalue() == "Scoring: ended early, 1 case in 2 s: 1 done\n"


def test_skipped_cases_do_not_promise_an_early_end():
    """100 skipped at once, then 4 done in 60 s each: the other 6 take 6 minutes, not 3 seconds."""
    shown, clock, _ = progress(110)
    with shown:
        count(shown, clock, ["skipped"] * 100, 0.0)
        count(shown, clock, ["done"] * 4, 60.0)
        assert shown.told() == "104 of 110 cases, 1 cases/min, 6 min 0 s left, 0 failed"


def test_where_nobody_knows_how_many_cases_there_are_no_end_is_promised():
    shown, clock, _ = progress(None)
    with shown:
        count(shown, clock, ["done"] * 5, 4.0)
        assert shown.told() == "5 cases, 15 cases/min, 0 failed"


@pytest.mark.parametrize("total", [2, None])
def test_a_terminal_gets_a_bar(total):
    shown, clock, file = progress(total, terminal=True)
    with shown:
        count(shown, clock, ["done", "failed"], 1.0)
    assert "Scoring" in file.getvalue()
    assert "━" in file.getvalue()
    assert "1 failed" in file.getvalue()


def test_a_stage_speaks_on_standard_error_only(capfd):
    map_cases(abs, {"a": 1, "b": -2}, workers=1, description="[abs]")
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err == "[abs]: 2 cases in 0 s: 2 done\n"


def test_durations_have_the_two_units_that_matter():
    assert [duration(s) for s in (0, 59.4, 59.6, 3599, 3600, 86_399, 86_400)] == [
        "0 s",
        "59 s",
        "1 min 0 s",
        "59 min 59 s",
        "1 h 0 min",
        "23 h 59 min",
        "1 d 0 h",
    ]


def test_what_is_no_case_is_called_by_its_name():
    file = io.StringIO()
    with CaseProgress("index/shard", 2, console=Console(file=file, width=100)) as shown:
        shown.count(Outcome("00", "done"))
        assert "1 of 2 shards" in shown.told()
    assert file.getvalue() == "index: 1 shard in 0 s: 1 done\n"
