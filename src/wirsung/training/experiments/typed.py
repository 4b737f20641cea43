"""Tables of a TOML file as settings: every key is known, every value has its type."""

import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from wirsung.errors import ConfigError, WirsungError, near_names

T = TypeVar("T")


def settings_of(
    kind: type[T], table: Mapping[str, Any], where: str, *, given: Mapping[str, Any] | None = None
) -> T:
    """The settings that a table says, with those that are given by the program.

    Args:
        kind: The dataclass of a stage's settings.
        table: The keys and values.
        where: File and table, for messages.
        given: Fields that are no keys of the table, such as folders.

    Raises:
        ConfigError: An unknown key, a value of the wrong type, or one that the stage refuses.

    Example:
        >>> from wirsung.phantom.settings import PhantomSettings
        >>> settings_of(PhantomSettings, {"cases": 3}, "my.toml: data.a", given={"out": Path("o")}).cases
        3
    """
    own = dict(given or {})
    check_settings(kind, table, where, without=own)
    values = {key: as_value(value) for key, value in table.items()}
    missing = [
        item.name
        for item in fields(kind)  # type: ignore[arg-type]
        if item.default is MISSING and item.default_factory is MISSING and item.name not in {**own, **values}
    ]
    if missing:
        msg = f"{where} lacks {', '.join(missing)}."
        raise ConfigError(msg)
    try:
        return kind(**own, **values)
    except WirsungError as error:
        msg = f"{where}: {error}"
        raise ConfigError(msg) from error


def check_settings(kind: type[Any], table: Mapping[str, Any], where: str, without: Collection[str]) -> None:
    """Pass where the table's keys are fields of the settings and its values of their types.

    Args:
        kind: The dataclass.
        table: The keys and values.
        where: File and table, for messages.
        without: Fields that the program gives, so that no table may.

    Raises:
        ConfigError: An unknown key, or a value of the wrong type.
    """
    hints = typing.get_type_hints(kind)
    known = [item.name for item in fields(kind) if item.name not in without]
    check_keys(table, known, where)
    for key, value in table.items():
        if not fits(as_value(value), hints[key]):
            msg = f"{where}.{key} is {value!r}, which is not {_words(hints[key])}. Mend the value."
            raise ConfigError(msg)


def check_keys(table: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Pass where every key is known.

    Raises:
        ConfigError: One is not; the message names it and the near ones.
    """
    for key in table:
        if key not in known:
            msg = f"{where} has the key {key!r}, which is not known here. {near_names(key, known)}"
            raise ConfigError(msg)


def as_value(value: Any) -> Any:  # noqa: ANN401 - whatever TOML can hold
    """TOML's lists as tuples, as settings have them."""
    return tuple(map(as_value, value)) if isinstance(value, list) else value


def fits(value: object, hint: Any) -> bool:  # noqa: ANN401 - types have no type of their own
    """Whether the value is of that type; an int passes for a float, True for no number.

    Example:
        >>> fits(3, float), fits(True, int), fits((1, 2), tuple[int, ...]), fits("a", Literal["a", "b"])
        (True, False, True, True)
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return value in arguments
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in arguments)
    if origin is tuple:
        return _fits_tuple(value, arguments)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is Path:
        return isinstance(value, str | Path)
    return isinstance(value, origin or hint) and (hint is bool or not isinstance(value, bool))


def _fits_tuple(value: object, arguments: tuple[Any, ...]) -> bool:
    if not isinstance(value, tuple):
        return False
    if arguments[-1:] == (Ellipsis,):
        return all(fits(item, arguments[0]) for item in value)
    return len(value) == len(arguments) and all(map(fits, value, arguments))


def _words(hint: Any) -> str:  # noqa: ANN401
    """A type for people."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_words(one) for one in arguments if one is not type(None))
    if origin is tuple:
        inner = dict.fromkeys(_words(one) for one in arguments if one is not Ellipsis)
        return f"a list of {' and '.join(inner)}"
    if origin is not None and issubclass(origin, Mapping):
        return "a table"
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", Path: "a path"}
    return names.get(hint, getattr(hint, "__name__", str(hint)))
