"""Settings as TOML: read as defaults under the command line, written beside each output."""

import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import tomli_w
import tyro

from wirsung import __version__
from wirsung.compute.atomic import write_text
from wirsung.errors import ConfigError, near_names


def flags_from_toml(path: Path, settings_type: type[Any]) -> list[str]:
    """The file's settings as command-line flags, so that one parser checks both.

    Raises:
        ConfigError: No such file, not TOML, an unknown key, or one that belongs on the command line.

    Example:
        A file with `cases = 4` gives `["--cases", "4"]`.
    """
    table = _read(path)
    known = _optional_fields(settings_type)
    flags: list[str] = []
    for key, value in table.items():
        if key not in known:
            msg = f"{path.name} has the key {key!r}, which is not a setting here. {near_names(key, known)}"
            raise ConfigError(msg)
        flags += _flag(key, value)
    return flags


def write_resolved(settings: Any, verb: str, folder: Path) -> None:  # noqa: ANN401 - any settings dataclass
    """Keep the resolved settings as `<verb>.toml` in `folder`.

    Paths are left out: they may name patients, and are given anew on the next call.
    """
    values = {name: getattr(settings, name) for name in _optional_fields(type(settings))}
    table = {name: value for name, value in values.items() if value is not None and not _has_path(value)}
    head = f"# Written by wirsung {__version__}. Use again with: wirsung {verb} ... --config {verb}.toml\n"
    write_text(folder / f"{verb}.toml", head + tomli_w.dumps(table))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"the settings file {path} can't be read ({error.strerror})."
        raise ConfigError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"the settings file {path} is not TOML: {error}."
        raise ConfigError(msg) from error


def _optional_fields(settings_type: type[Any]) -> list[str]:
    """The names of the fields that are not positional."""
    if not is_dataclass(settings_type):
        return []
    hints = get_type_hints(settings_type, include_extras=True)
    marker = get_args(tyro.conf.Positional[int])[1]
    return [item.name for item in fields(settings_type) if marker not in get_args(hints[item.name])[1:]]


def _flag(key: str, value: Any) -> list[str]:  # noqa: ANN401 - whatever TOML can hold
    name = key.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    if isinstance(value, list):
        return [f"--{name}", *map(str, value)]
    return [f"--{name}", str(value)]


def _has_path(value: Any) -> bool:  # noqa: ANN401 - whatever a settings field can hold
    return isinstance(value, Path) or (isinstance(value, tuple | list) and any(map(_has_path, value)))
