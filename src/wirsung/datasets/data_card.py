"""The data card: Healthsheet's questions, answered from the dataset's own files, its source, and its maker.

What none of them tells is `not stated`; nothing is made up. The maker's own answers stand in `datacard.toml`
in the dataset's folder and replace ours.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from wirsung.datasets.card_answers import known_answers
from wirsung.datasets.contents import Contents
from wirsung.errors import ConfigError, near_names

ANSWERS_FILE = "datacard.toml"
NOT_STATED = "not stated"
_QUESTIONS_FILE = "data_card.toml"
_SCHEMA = 1


@dataclass(frozen=True)
class Question:
    """One question of the card."""

    id: str
    """Section and key, such as `uses.risks`."""
    section: str
    """Its title."""
    text: str
    rai: str = ""
    """The property of Croissant's responsible-AI vocabulary that holds the answer."""


@dataclass(frozen=True)
class Answered:
    """A question with its answer."""

    question: Question
    answer: str
    origin: str = ""
    """The file or source that told it; empty where nobody did."""

    @property
    def is_stated(self) -> bool:
        """Whether anybody told it."""
        return bool(self.origin)


@dataclass(frozen=True)
class DataCard:
    """The card of one dataset."""

    name: str
    answers: tuple[Answered, ...]
    """To every question, in their order."""

    def by_section(self) -> dict[str, tuple[Answered, ...]]:
        """Title of a section to its answers."""
        titles = dict.fromkeys(item.question.section for item in self.answers)
        return {
            title: tuple(item for item in self.answers if item.question.section == title) for title in titles
        }

    def as_markdown(self) -> str:
        """The card as Markdown."""
        stated = sum(item.is_stated for item in self.answers)
        lines = [f"# Data card of {_plain(self.name)}", ""]
        lines += [
            f"{stated} of {len(self.answers)} questions are answered; the sections are Healthsheet's.",
            "",
        ]
        for title, answers in self.by_section().items():
            lines += [f"## {title}", ""]
            for item in answers:
                told = f" *({_plain(item.origin)})*" if item.is_stated else ""
                lines += [f"**{item.question.text}**", "", f"{_plain(item.answer)}{told}", ""]
        return "\n".join(lines).rstrip() + "\n"

    def open_questions(self) -> str:
        """What is not stated, as a `datacard.toml` to be filled in; each question is a comment."""
        lines = [
            "# Fill in what you know, take the # off the answer, and put this file as datacard.toml into",
            "# the dataset's folder. What you leave out stays 'not stated'.",
            f"schema = {_SCHEMA}",
        ]
        section = ""
        for item in self.answers:
            if item.is_stated:
                continue
            part, _, key = item.question.id.partition(".")
            if part != section:
                section = part
                lines += ["", f"[{part}]"]
            lines += [f"# {item.question.text}", f'# {key} = ""']
        return "\n".join(lines) + "\n"


@cache
def questions() -> tuple[Question, ...]:
    """All questions, in the card's order.

    Source:
        Rostamzadeh et al., Healthsheet, FAccT 2022: the sections; the wording is ours.

    Example:
        >>> questions()[0].id
        'general.summary'
    """
    text = files("wirsung.datasets").joinpath(_QUESTIONS_FILE).read_text(encoding="utf-8")
    found: dict[str, Any] = tomllib.loads(text)
    return tuple(
        Question(f"{section['id']}.{item['key']}", section["title"], item["text"], item.get("rai", ""))
        for section in found["section"]
        for item in section["questions"]
    )


def data_card(contents: Contents, answers: Path | None = None) -> DataCard:
    """The card of a dataset.

    Args:
        contents: Of the dataset.
        answers: The maker's own; by default `datacard.toml` in the dataset's folder, where there is one.

    Raises:
        ConfigError: The answers are no TOML, of another schema, or answer what the card does not ask.
    """
    path = answers
    if path is None and contents.root.is_dir() and (contents.root / ANSWERS_FILE).is_file():
        path = contents.root / ANSWERS_FILE
    own = {} if path is None else _read_answers(path)
    known = known_answers(contents)
    return DataCard(contents.name, tuple(_answered(item, own, known, path) for item in questions()))


def _answered(
    question: Question, own: Mapping[str, str], known: Mapping[str, tuple[str, str]], path: Path | None
) -> Answered:
    if question.id in own and path is not None:
        return Answered(question, own[question.id], path.name)
    text, origin = known.get(question.id, ("", ""))
    return Answered(question, text, origin) if text else Answered(question, NOT_STATED)


def _read_answers(path: Path) -> dict[str, str]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is missing or no TOML: {error}. Mend it, or leave it out."
        raise ConfigError(msg) from error
    if table.pop("schema", None) != _SCHEMA:
        msg = f"{path} does not begin with schema = {_SCHEMA}. Add that line."
        raise ConfigError(msg)
    found = dict(_flat(table, path))
    known = [item.id for item in questions()]
    for name in found:
        if name not in known:
            msg = f"{path} answers {name!r}, which the card does not ask. {near_names(name, known)}"
            raise ConfigError(msg)
    return {name: text for name, text in found.items() if text}


def _flat(table: Mapping[str, Any], path: Path) -> Iterator[tuple[str, str]]:
    for section, entries in table.items():
        pairs = entries.items() if isinstance(entries, dict) else [("", entries)]
        for key, text in pairs:
            name = f"{section}.{key}".rstrip(".")
            if key and not isinstance(text, str):
                msg = f"{path}: the answer to {name} is not a text. Put it between quotes."
                raise ConfigError(msg)
            yield name, " ".join(str(text).split())


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{sign}" if sign in "\\`*_<>[]|" else sign for sign in text)
