"""Reading an experiment's TOML: one file for both sizes, every key known, every name there."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from wirsung.errors import ConfigError
from wirsung.training.experiments.checking import check_experiment
from wirsung.training.experiments.definition import (
    Arm,
    CaseSet,
    Column,
    DataSource,
    Experiment,
    Kind,
    Measure,
    PaperRow,
    Question,
)
from wirsung.training.experiments.settings import Size
from wirsung.training.experiments.typed import as_value, check_keys, settings_of

_SCHEMA = 1
_TEXTS = ("name", "title", "about")
_TABLES = ("train", "predict", "evaluate", "data", "sets", "arms", "paper", "attention")
_KEYS = ("schema", *_TEXTS, "kind", "seeds", "axis", "measures", "questions", *_TABLES)
_ARM_KEYS = ("title", "learn", "test")
_PAPER_KEYS = ("title", "source", "rows")
_ROW_KEYS = ("label", "measure", "value", "spread", "source", "ours")
_QUESTION_KEYS = ("text", "first", "second", "measure", "expect", "margin", "paper")


def read_experiment(path: Path, size: Size) -> Experiment:
    """The experiment that the file declares, at that size.

    What stands under `[cpu]` or `[full]` is laid over the rest, key by key.

    Raises:
        ConfigError: The file is missing, no TOML, of another schema, or a key or name in it is wrong; the
            message names file and key.
    """
    return parse_experiment(_text(path), path.name, size)


def parse_experiment(text: str, file: str, size: Size) -> Experiment:
    """As `read_experiment`, of the file's content."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{file} is not TOML: {error}. Mend the line."
        raise ConfigError(msg) from error
    if table.get("schema") != _SCHEMA:
        msg = f"{file}: schema is {table.get('schema')!r}, but this version of Wirsung reads {_SCHEMA}."
        raise ConfigError(msg)
    sizes = {name: _table(table.pop(name, {}), f"{file}: {name}") for name in get_args(Size)}
    for name, over in sizes.items():
        check_keys(over, [key for key in _KEYS if key != "schema"], f"{file}: [{name}]")
    made = _experiment(overlaid(table, sizes[size]), file)
    check_experiment(made, file)
    return made


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One table over the other, tables within them too; any other value takes the place of the one below.

    Example:
        >>> overlaid({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
        {'a': {'b': 1, 'c': 3}}
    """
    found = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = overlaid(found[key], value) if both else value
    return found


def _experiment(table: Mapping[str, Any], file: str) -> Experiment:
    check_keys(table, _KEYS, file)
    kind = _one_of(table.get("kind", "training"), get_args(Kind), f"{file}: kind")
    axis = _one_of(table.get("axis", ""), ("", "cases", "tumours"), f"{file}: axis")
    paper = _table(table.get("paper", {}), f"{file}: paper")
    check_keys(paper, _PAPER_KEYS, f"{file}: paper")
    texts = {key: _typed(table, key, str, file) for key in _TEXTS}
    tables = {key: _table(table.get(key, {}), f"{file}: {key}") for key in _TABLES}
    arms = {name: _arm(name, row, tables, file) for name, row in tables["arms"].items()}
    return Experiment(
        **texts,
        kind=kind,  # type: ignore[arg-type]
        axis=axis,  # type: ignore[arg-type]
        paper=str(paper.get("title", "")),
        seeds=_typed(table, "seeds", int, file),
        measures=tuple(_measure(item, f"{file}: measures") for item in _list(table, "measures", file)),
        data={
            name: settings_of(DataSource, row, f"{file}: data.{name}") for name, row in tables["data"].items()
        },
        sets={
            name: settings_of(CaseSet, row, f"{file}: sets.{name}") for name, row in tables["sets"].items()
        },
        arms=arms,
        questions=tuple(
            _question(row, arms, f"{file}: question {place}")
            for place, row in enumerate(_list(table, "questions", file), 1)
        ),
        rows=tuple(
            _row(row, paper, arms, f"{file}: paper.rows {place}")
            for place, row in enumerate(_list(paper, "rows", f"{file}: paper"), 1)
        ),
        predict=tables["predict"],
        evaluate=tables["evaluate"],
        attention=tables["attention"],
    )


def _arm(name: str, row: Any, tables: Mapping[str, Any], file: str) -> Arm:  # noqa: ANN401 - of TOML
    where = f"{file}: arms.{name}"
    table = dict(_table(row, where))
    title = table.pop("title", name)
    learn, test = (_names(table.pop(key, []), f"{where}.{key}") for key in ("learn", "test"))
    return Arm(str(title), learn, test, {**tables["train"], **table})


def _question(row: Any, arms: Mapping[str, Arm], where: str) -> Question:  # noqa: ANN401
    table = _table(row, where)
    check_keys(table, _QUESTION_KEYS, where)
    known = {key: value for key, value in table.items() if key not in ("first", "second", "measure")}
    sides = {
        key: tuple(
            _column(word, arms, f"{where}.{key}") for word in _names(table.get(key, []), f"{where}.{key}")
        )
        for key in ("first", "second")
    }
    measure = _measure(table.get("measure"), f"{where}.measure")
    made: Question = settings_of(Question, known, where, given={**sides, "measure": measure})
    return made


def _column(word: str, arms: Mapping[str, Arm], where: str) -> Column:
    """`arm@test`, or `arm` where it has one test only."""
    arm, _, test = word.partition("@")
    if not test and arm in arms:
        if len(arms[arm].test) != 1:
            msg = f"{where}: {arm} has {len(arms[arm].test)} tests. Write {arm}@TEST."
            raise ConfigError(msg)
        test = arms[arm].test[0]
    return Column(arm, test)


def _row(row: Any, paper: Mapping[str, Any], arms: Mapping[str, Arm], where: str) -> PaperRow:  # noqa: ANN401
    table = dict(_table(row, where))
    check_keys(table, _ROW_KEYS, where)
    measure = _measure(table.pop("measure", None), f"{where}.measure")
    words = _names(table.pop("ours", []), f"{where}.ours")
    ours = _column(words[0], arms, f"{where}.ours") if words else None
    table.setdefault("source", paper.get("source", ""))
    made: PaperRow = settings_of(PaperRow, table, where, given={"measure": measure, "ours": ours})
    return made


def _measure(value: object, where: str) -> Measure:
    words = value.split() if isinstance(value, str) else []
    if len(words) != 2:
        msg = f'{where} is {value!r}. Write structure and metric, such as "pancreatic_lesion dsc".'
        raise ConfigError(msg)
    return Measure(*words)


def _names(value: Any, where: str) -> tuple[str, ...]:  # noqa: ANN401
    """One name, or a list of some."""
    found = (value,) if isinstance(value, str) else as_value(value)
    if not isinstance(found, tuple) or not all(isinstance(item, str) for item in found):
        msg = f"{where} is {value!r}, but it must be a name or a list of names."
        raise ConfigError(msg)
    return found


def _table(value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, dict):
        msg = f"{where} is {value!r}, but it must be a table."
        raise ConfigError(msg)
    return value


def _list(table: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = table.get(key, [])
    if not isinstance(value, list):
        msg = f"{where}: {key} is {value!r}, but it must be a list."
        raise ConfigError(msg)
    return value


def _typed(table: Mapping[str, Any], key: str, kind: type[Any], where: str) -> Any:  # noqa: ANN401
    value = table.get(key)
    if type(value) is not kind:
        msg = f"{where}: {key} is {value!r}, but the file must say it, as {kind.__name__}."
        raise ConfigError(msg)
    return value


def _one_of(value: object, known: tuple[str, ...], where: str) -> str:
    if value not in known:
        msg = f"{where} is {value!r}, but it must be one of {', '.join(item for item in known if item)}."
        raise ConfigError(msg)
    return str(value)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        msg = f"The experiment {path} can't be read ({error.strerror}). Name a file such as scaling.toml."
        raise ConfigError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"The experiment {path} is no text. Name a file such as scaling.toml."
        raise ConfigError(msg) from error
