"""What a verb's result looks like on the terminal and for programs."""

import json
import sys
from dataclasses import dataclass

from wirsung.cli.running import run_verb
from wirsung.cli.verbs import Verb
from wirsung.compute.outcome import Outcome


@dataclass(frozen=True)
class Nothing:
    """Settings of a stage that takes none."""


@dataclass(frozen=True)
class Value:
    notes: tuple[str, ...]


def noted(_settings):
    return [
        Outcome("a", "done", value=Value(("the spacing is odd", "the range is odd"))),
        Outcome("b", "skipped", value=Value(())),
        Outcome("c", "failed", "no image."),
    ]


def chatty(_settings):
    return [Outcome(f"case-{number}", "done", value=Value(("odd",))) for number in range(30)]


def _verb(function):
    module = sys.modules[__name__]
    sys.modules["running_stages"] = module
    return Verb("stage", "", "running_stages:Nothing", f"running_stages:{function}")


def test_what_a_stage_notes_of_a_case_goes_to_standard_error(capsys):
    assert run_verb(_verb("noted"), []) == 1
    said = capsys.readouterr()
    assert said.err == "NOTE a: the spacing is odd\nNOTE a: the range is odd\n"
    assert "3 cases: 1 done, 1 skipped, 1 failed." in said.out


def test_programs_find_the_notes_beside_the_case(capsys):
    run_verb(_verb("noted"), ["--json"])
    rows = json.loads(capsys.readouterr().out)["cases"]
    assert rows[0]["notes"] == ["the spacing is odd", "the range is odd"]
    assert "notes" not in rows[1]


def test_many_notes_do_not_flood_the_terminal(capsys):
    run_verb(_verb("chatty"), [])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "NOTE: 10 more notes; --json lists all."
