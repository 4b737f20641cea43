"""Several models as one, by a table of parts, as TotalSegmentator's five models make one label map.

    schema = 1
    scheme = "totalsegmentator"          # optional: the scheme of the values

    [classes]                            # every class of the merged label map
    spleen = 1
    pancreas = 7

    [[parts]]
    model = "Dataset291/nnUNetTrainerNoMirroring__nnUNetPlans__3d_fullres"   # from this file's folder
    [parts.classes]                      # optional: the model's name = the merged name
    spleen = "spleen"

A part without classes gives those whose names are the merged ones. Where parts overlap, later ones win.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wirsung.errors import ConfigError, near_names

_SCHEMA = 1
_KEYS = {"schema", "scheme", "classes", "parts"}
_PART_KEYS = {"model", "classes", "folds", "choose"}
_LARGEST = 65535


@dataclass(frozen=True)
class MergedPart:
    """One model of the table."""

    model: Path
    classes: Mapping[str, str] | None
    """The model's name to the merged name; None for those of the same name."""
    folds: tuple[int | str, ...] | None
    choose: str | None

    def values(self, own: Sequence[str], merged: Mapping[str, int]) -> dict[str, int]:
        """The model's class to its value in the merged label map; of those that it gives.

        Raises:
            ConfigError: The table names a class that the model has not, or nothing would be left of it.
        """
        if self.classes is None:
            found = {name: merged[name] for name in own if name in merged}
            if not found:
                msg = f"{self.model} has none of the merged classes. Map its own in its [parts.classes]."
                raise ConfigError(msg)
            return found
        for name in self.classes:
            if name not in own:
                msg = f"{self.model} has no class {name!r}. {near_names(name, own)}"
                raise ConfigError(msg)
        return {name: merged[target] for name, target in self.classes.items()}


@dataclass(frozen=True)
class MergeTable:
    """A label table: which models, and what each gives."""

    classes: Mapping[str, int]
    """Merged class to value."""
    parts: tuple[MergedPart, ...]
    """In the order in which they paint."""
    scheme: str | None


def read_merge_table(path: Path) -> MergeTable:
    """The table in a TOML file.

    Raises:
        ConfigError: It can't be read, or a key is missing, unknown or of the wrong type.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path} can't be read as TOML. See docs/how-to/predict.md for an example of a table of models."
        raise ConfigError(msg) from error
    _check_keys(path, content, _KEYS)
    if content.get("schema") != _SCHEMA:
        msg = f"{path}: schema is {content.get('schema')!r}, but this version of Wirsung reads {_SCHEMA}."
        raise ConfigError(msg)
    classes, rows = content.get("classes"), content.get("parts")
    if not isinstance(classes, dict) or not _is_values(classes) or not isinstance(rows, list) or not rows:
        msg = (
            f"{path} needs [classes] with values from 1 to {_LARGEST}, each once, and one or more [[parts]]."
        )
        raise ConfigError(msg)
    parts = tuple(_part(path, row, classes) for row in rows)
    scheme = content.get("scheme")
    return MergeTable(classes, parts, None if scheme is None else str(scheme))


def _is_values(classes: Mapping[str, Any]) -> bool:
    """Whether there are some, each a value of its own that a label map can hold."""
    values = list(classes.values())
    whole = all(type(value) is int and 0 < value <= _LARGEST for value in values)
    return bool(values) and whole and len(set(values)) == len(values)


def _part(path: Path, row: Any, merged: Mapping[str, int]) -> MergedPart:  # noqa: ANN401 - whatever TOML holds
    if not isinstance(row, dict) or not isinstance(row.get("model"), str):
        msg = f"{path}: each of [[parts]] needs model = a folder or zip."
        raise ConfigError(msg)
    _check_keys(path, row, _PART_KEYS)
    classes = row.get("classes")
    for target in (classes or {}).values():
        if target not in merged:
            msg = f"{path}: {target!r} is not one of its [classes]. {near_names(str(target), merged)}"
            raise ConfigError(msg)
    folds = row.get("folds")
    return MergedPart(
        path.parent / row["model"],
        None if classes is None else dict(classes),
        None if folds is None else tuple(folds),
        row.get("choose"),
    )


def _check_keys(path: Path, table: Mapping[str, Any], known: set[str]) -> None:
    for key in table:
        if key not in known:
            msg = f"{path} has an unknown key {key!r}. {near_names(key, sorted(known))}"
            raise ConfigError(msg)
