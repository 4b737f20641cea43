"""Running one verb: parse, run, say what became of each case, keep the settings, choose the exit status."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Column, Table

from wirsung.cli.settings_file import flags_from_toml, write_resolved
from wirsung.cli.verbs import Verb
from wirsung.compute.cases import Outcome
from wirsung.errors import ConfigError

_MOST_NOTES = 20
"""Shown on the terminal."""


def run_verb(verb: Verb, words: Sequence[str]) -> int:
    """Run the verb with the words of its command line; the exit status is 1 where a case failed."""
    words, as_json = _take_switch(list(words), "--json")
    words, config = _take_value(words, "--config")
    settings_type = verb.load_settings()
    if config:
        words = flags_from_toml(Path(config), settings_type) + words
    settings = tyro.cli(settings_type, prog=f"wirsung {verb.name}", args=words)
    result = verb.load_function()(settings)
    if verb.saves_in and getattr(result, "is_saved", True):
        write_resolved(settings, verb.name, Path(getattr(settings, verb.saves_in)))
    outcomes = _outcomes(result)
    if as_json:
        _print_json(verb, result, outcomes)
    else:
        _print(result, outcomes)
    _print_notes(outcomes)
    return int(any(outcome.status == "failed" for outcome in outcomes))


def _take_switch(words: list[str], switch: str) -> tuple[list[str], bool]:
    return [word for word in words if word != switch], switch in words


def _take_value(words: list[str], option: str) -> tuple[list[str], str | None]:
    for index, word in enumerate(words):
        if word.startswith(f"{option}="):
            return words[:index] + words[index + 1 :], word.removeprefix(f"{option}=")
        if word == option:
            if index + 1 == len(words):
                msg = f"{option} needs a file."
                raise ConfigError(msg)
            return words[:index] + words[index + 2 :], words[index + 1]
    return words, None


def _outcomes(result: Any) -> list[Outcome[Any]]:  # noqa: ANN401 - each stage has its own result
    found = getattr(result, "outcomes", result)
    return [item for item in found if isinstance(item, Outcome)] if isinstance(found, list | tuple) else []


def _print(result: Any, outcomes: list[Outcome[Any]]) -> None:  # noqa: ANN401
    console = Console(highlight=False)
    for line in getattr(result, "lines", list)():
        console.print(line, soft_wrap=True)  # a path must stay one word
    if not outcomes:
        return
    counts = {name: sum(item.status == name for item in outcomes) for name in ("done", "skipped", "failed")}
    said = [f"{count} {name}" for name, count in counts.items() if count]
    noun = getattr(result, "noun", "case")
    console.print(f"{len(outcomes)} {noun}{'s' * (len(outcomes) != 1)}: {', '.join(said)}.")
    if counts["failed"]:
        table = Table(noun, Column("what is wrong", overflow="fold"), title="Failed", title_justify="left")
        for item in outcomes:
            if item.status == "failed":
                table.add_row(item.case, item.message)
        console.print(table)


def _print_notes(outcomes: list[Outcome[Any]]) -> None:
    """What a stage says of single cases that are no failures, on standard error."""
    told = [(item.case, note) for item in outcomes for note in _notes(item)]
    lines = [f"NOTE {case}: {note}" for case, note in told[:_MOST_NOTES]]
    if len(told) > _MOST_NOTES:
        lines.append(f"NOTE: {len(told) - _MOST_NOTES:,} more notes; --json lists all.")
    for line in lines:
        sys.stderr.write(f"{line}\n")


def _notes(outcome: Outcome[Any]) -> tuple[str, ...]:
    found = getattr(outcome.value, "notes", ())
    return found if isinstance(found, tuple) else ()


def _print_json(verb: Verb, result: Any, outcomes: list[Outcome[Any]]) -> None:  # noqa: ANN401
    content: dict[str, Any] = {"schema": 1, "verb": verb.name}
    if hasattr(result, "as_json"):
        content |= result.as_json()
    rows = [_row(item) for item in outcomes]
    if rows:
        content["cases"] = rows
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


def _row(outcome: Outcome[Any]) -> dict[str, Any]:
    """One case for programs; `notes` only where there are some."""
    row: dict[str, Any] = {"case": outcome.case, "status": outcome.status, "message": outcome.message}
    notes = _notes(outcome)
    return {**row, "notes": list(notes)} if notes else row
