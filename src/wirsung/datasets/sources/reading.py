"""Reading the TOML of a source: every key is known, every value has its type, every name exists."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from wirsung.datasets.sources.checking import check_source
from wirsung.datasets.sources.source import Download, Erratum, Layout, Licence, Overlap, Part, Source, Table
from wirsung.errors import ConfigError, near_names

_SCHEMA = 1
_CHOICES = {"label_grid": ("own", "image"), "kind": ("plain", "pants"), "subset": ("train", "test")}


T = TypeVar("T")


def source_named(name: str | Path) -> Source:
    """A built-in source by name, or one from a TOML file.

    Raises:
        ConfigError: No such source, or a file that is not one.

    Example:
        >>> source_named("msd-pancreas").licence.name
        'CC-BY-SA-4.0'
    """
    text = str(name)
    if text in source_names():
        return _built_in(text)
    path = Path(text)
    if path.suffix == ".toml" and path.is_file():
        return read_source(path.read_text(encoding="utf-8"), path.name, path.parent)
    near = near_names(text, source_names())
    msg = f"There is no source named {text!r}. {near} A path that ends in .toml names your own."
    raise ConfigError(msg)


@cache
def source_names() -> tuple[str, ...]:
    """The built-in sources, sorted."""
    folder = files("wirsung.datasets").joinpath("sources")
    names = (item.name for item in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def all_sources() -> tuple[Source, ...]:
    """Every built-in source, by name."""
    return tuple(_built_in(name) for name in source_names())


@cache
def _built_in(name: str) -> Source:
    resource = files("wirsung.datasets").joinpath("sources", f"{name}.toml")
    return read_source(resource.read_text(encoding="utf-8"), f"{name}.toml")


def read_source(text: str, file_name: str, folder: Path | None = None) -> Source:
    """The source that a TOML text says.

    Args:
        text: The TOML.
        file_name: For messages.
        folder: Where a `label_scheme` that ends in .toml lies.

    Raises:
        ConfigError: No TOML, another schema, an unknown key, a value of the wrong type, or a name that does
            not exist.
        LabelError: The scheme claims structures that are none.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{file_name} is not TOML: {error}. Mend the line."
        raise ConfigError(msg) from error
    if table.pop("schema", None) != _SCHEMA:
        msg = f"{file_name} has not schema = {_SCHEMA}, which this version of Wirsung reads. Write it there."
        raise ConfigError(msg)
    read = _Reader(file_name)
    nested: dict[str, Any] = {
        "licence": read.one(Licence, table.pop("licence", {}), "licence"),
        "layouts": tuple(read.layout(row) for row in read.rows(table, "layouts")),
        "downloads": tuple(read.one(Download, row, "downloads") for row in read.rows(table, "downloads")),
        "errata": tuple(read.one(Erratum, row, "errata") for row in read.rows(table, "errata")),
        "overlaps": tuple(read.one(Overlap, row, "overlaps") for row in read.rows(table, "overlaps")),
        "table": read.one(Table, table.pop("table"), "table") if "table" in table else None,
    }
    if folder is not None and str(table.get("label_scheme", "")).endswith(".toml"):
        table["label_scheme"] = str(folder / table["label_scheme"])
    found = read.one(Source, table | nested, "the file")
    check_source(found, file_name)
    return found


class _Reader:
    """Makes the dataclasses of tables, and says where one is wrong."""

    def __init__(self, file_name: str) -> None:
        self._file = file_name

    def one(self, kind: Callable[..., T], table: object, where: str) -> T:
        """The dataclass of the table, with lists as tuples."""
        if not isinstance(table, Mapping):
            msg = f"{where} must be a table"
            raise self.wrong(msg)
        types = {item.name: str(item.type) for item in fields(kind)}  # type: ignore[arg-type]
        made: dict[str, Any] = {}
        for key, value in table.items():
            if key not in types:
                msg = f"{where} has an unknown key {key!r}. {near_names(key, types)}"
                raise self.wrong(msg)
            made[key] = self._value(types[key], key, value, where)
        for key in ("columns", "words", "mask_names", "unions"):
            if key in types:
                made[key] = dict(made.get(key) or {})
        try:
            return kind(**made)
        except TypeError as error:
            needed = str(error).rpartition(":")[2].strip()
            msg = f"{where} lacks {needed}"
            raise self.wrong(msg) from error

    def rows(self, table: dict[str, Any], key: str) -> list[dict[str, Any]]:
        """The rows of an array of tables; none where it is not there."""
        found = table.pop(key, [])
        if not isinstance(found, list):
            msg = f"{key} must be an array of tables"
            raise self.wrong(msg)
        return found

    def layout(self, row: dict[str, Any]) -> Layout:
        """One layout with its parts."""
        parts = tuple(self.one(Part, part, "a part of layouts") for part in self.rows(row, "parts"))
        if not parts:
            msg = "a layout has no parts"
            raise self.wrong(msg)
        return self.one(Layout, row | {"parts": parts}, "layouts")

    def wrong(self, what: str) -> ConfigError:
        """The error that names the file."""
        return ConfigError(
            f"{self._file}: {what.rstrip('.')}. See docs/how-to/import.md for what a source is."
        )

    def _value(self, kind: str, key: str, value: Any, where: str) -> Any:  # noqa: ANN401 - what TOML holds
        if "bool | None" in kind:
            return self._allowed(key, value, where)
        if kind.startswith("tuple[str"):
            value = tuple(value) if isinstance(value, list) else value
        expected = _expected(kind)
        if expected and (not isinstance(value, expected) or (expected is int and isinstance(value, bool))):
            msg = f"{where}: {key} must be {expected.__name__}, but is {value!r}"
            raise self.wrong(msg)
        if key in _CHOICES and value not in _CHOICES[key]:
            msg = f"{where}: {key} is {value!r}, but must be one of {', '.join(_CHOICES[key])}"
            raise self.wrong(msg)
        return value

    def _allowed(self, key: str, value: object, where: str) -> bool | None:
        if value == "unknown":
            return None
        if not isinstance(value, bool):
            msg = f'{where}: {key} must be true, false or "unknown", but is {value!r}'
            raise self.wrong(msg)
        return value


def _expected(kind: str) -> type | None:
    """The Python type that a field's annotation asks of TOML; None where the value was made here."""
    plain = {"str": str, "int | None": int, "bool": bool}
    for text, found in plain.items():
        if kind in (text, f"<class '{text}'>"):
            return found
    if kind.startswith("tuple[str"):
        return tuple
    return dict if "Mapping" in kind else None
