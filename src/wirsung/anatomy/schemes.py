"""Label schemes: which value of a label map means what. Built-in schemes are the TOML files of `schemes/`."""

import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from wirsung.anatomy.structures import containers, structures
from wirsung.errors import ConfigError, LabelError, near_names

_KEYS = ("schema", "name", "foreign", "extends", "exact", "dropped", "classes")
_CLASS_KEYS = ("value", "name", "structures")
_LARGEST_VALUE = 65535
"""What uint16 holds, the widest type of a label map."""


@dataclass(frozen=True)
class LabelClass:
    """One value of a label map and the structures it stands for.

    A class named for a structure with parts stands for all of it that no other class of its scheme claims:
    `pancreas` in `pants-2` holds head, body, tail and duct, but not the lesion.
    """

    value: int
    name: str
    structures: tuple[str, ...]


@dataclass(frozen=True)
class Scheme:
    """A named set of classes; value 0 is always background.

    Example:
        >>> scheme("pants-28").value("pancreatic_lesion")
        28
        >>> scheme("pants-28").values_within("pancreas")
        (17, 18, 19, 20, 21, 28)
        >>> scheme("msd-pancreas").class_of("pancreas_head").name
        'pancreas'
    """

    name: str
    classes: tuple[LabelClass, ...]
    dropped: tuple[str, ...] = ()
    """Classes that stand for no registered structure, where the file says so."""

    @property
    def values(self) -> tuple[int, ...]:
        """Every value but background, ascending."""
        return tuple(sorted(item.value for item in self.classes))

    def value(self, name: str) -> int:
        """The value of the class of that name.

        Raises:
            LabelError: No such class; the message lists the near names.
        """
        for item in self.classes:
            if item.name == name:
                return item.value
        names = [item.name for item in self.classes]
        msg = f"The scheme {self.name} has no class {name!r}. {near_names(name, names)}"
        raise LabelError(msg)

    def name_of(self, value: int) -> str:
        """The name of the class with that value.

        Raises:
            LabelError: No such value.
        """
        for item in self.classes:
            if item.value == value:
                return item.name
        msg = f"The scheme {self.name} has no value {value}; it has {', '.join(map(str, self.values))}."
        raise LabelError(msg)

    def class_of(self, structure_name: str) -> LabelClass | None:
        """The class whose voxels hold the structure: its own, else that of what contains it, else None.

        A name that is no registered structure may be the name of a class, as `arteries` in `panorama-6`.

        Raises:
            LabelError: The scheme divides the structure among several classes, as a lung into lobes.
        """
        for candidate in containers(structure_name):
            holding = [item for item in self.classes if candidate in item.structures]
            if len(holding) > 1:
                names = ", ".join(item.name for item in holding)
                msg = f"The scheme {self.name} divides {candidate} among {names}, so it has no one value."
                raise LabelError(msg)
            if holding:
                return holding[0]
        if structure_name in structures():
            return None
        return next((item for item in self.classes if item.name == structure_name), None)

    def values_within(self, structure_name: str) -> tuple[int, ...]:
        """Every value whose voxels all lie in the structure, parts included, ascending.

        Empty where the scheme can't tell the structure from others, such as the aorta in `panorama-6`.
        """
        inside = [
            item.value
            for item in self.classes
            if all(structure_name in containers(name) for name in item.structures)
        ]
        return tuple(sorted(inside))

    def structure_names(self) -> tuple[str, ...]:
        """The registered structures that `values_within` can tell, in their official order."""
        return tuple(name for name in structures() if self.values_within(name))

    @property
    def foreign(self) -> tuple[str, ...]:
        """The classes that stand for no registered structure, in the order of the file."""
        return tuple(item.name for item in self.classes if not set(item.structures) & set(structures()))

    def mask_names(self) -> tuple[str, ...]:
        """The masks that its label maps hold: the structures it can tell, then its own other classes.

        A class that is no structure alone, such as both kidneys in one, keeps its own name.

        Example:
            >>> scheme("panorama-6").mask_names()
            ('common_bile_duct', 'pancreas', 'pancreatic_duct', 'veins', 'pancreatic_lesion', 'arteries')
        """
        return tuple(self._mask_values)

    def mask_values(self, name: str) -> tuple[int, ...]:
        """The values of the voxels of that mask, one of `mask_names`.

        Raises:
            LabelError: No such mask; the message lists the near names.
        """
        if name not in self._mask_values:
            msg = f"The scheme {self.name} has no mask {name!r}. {near_names(name, self._mask_values)}"
            raise LabelError(msg)
        return self._mask_values[name]

    @cached_property
    def _mask_values(self) -> dict[str, tuple[int, ...]]:
        told = {name: values for name in structures() if (values := self.values_within(name))}
        alone = {values[0] for values in told.values() if len(values) == 1}
        others = {item.name: (item.value,) for item in self.classes if item.value not in alone}
        return told | {name: values for name, values in others.items() if name not in told}


def scheme(name_or_path: str | Path) -> Scheme:
    """A built-in scheme by name, or one from a TOML file.

    Raises:
        ConfigError: No such scheme, or a file that is not one.
    """
    text = str(name_or_path)
    if text in scheme_names():
        return _built_in(text)
    path = Path(text)
    if path.suffix == ".toml" and path.is_file():
        return _parse(path.read_text(encoding="utf-8"), path.name)
    near = near_names(text, scheme_names())
    msg = f"There is no scheme named {text!r}. {near} A path that ends in .toml names your own."
    raise ConfigError(msg)


@cache
def scheme_names() -> tuple[str, ...]:
    """The built-in schemes, sorted."""
    folder = files("wirsung.anatomy").joinpath("schemes")
    return tuple(sorted(item.name.removesuffix(".toml") for item in folder.iterdir()))


@cache
def _built_in(name: str) -> Scheme:
    resource = files("wirsung.anatomy").joinpath("schemes", f"{name}.toml")
    return _parse(resource.read_text(encoding="utf-8"), f"{name}.toml")


def _parse(text: str, file_name: str) -> Scheme:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{file_name} is not TOML: {error}."
        raise ConfigError(msg) from error
    _check_keys(table, _KEYS, file_name)
    inherited = _inherited(str(table["extends"]), file_name) if "extends" in table else ()
    try:
        for row in table.get("classes", []):
            _check_keys(row, _CLASS_KEYS, file_name)
        own = tuple(_label_class(row) for row in table.get("classes", []))
        name, dropped = str(table["name"]), tuple(map(str, table.get("dropped", ())))
    except (KeyError, TypeError, ValueError) as error:
        msg = (
            f"{file_name}: {error} is missing or wrong. A scheme has a name and classes with value and name."
        )
        raise ConfigError(msg) from error
    _check(inherited + own, file_name, foreign=bool(table.get("foreign") or table.get("extends")))
    made = Scheme(name, inherited + own, dropped)
    _check_losses(made, file_name, table)
    return made


def _inherited(name: str, file_name: str) -> tuple[LabelClass, ...]:
    if name not in scheme_names():
        msg = f"{file_name} extends {name!r}, which is no built-in scheme. {near_names(name, scheme_names())}"
        raise ConfigError(msg)
    return _built_in(name).classes


def _check_keys(table: dict[str, Any], known: tuple[str, ...], file_name: str) -> None:
    for key in table:
        if key not in known:
            msg = f"{file_name} has an unknown key {key!r}. {near_names(key, known)}"
            raise ConfigError(msg)


def _label_class(row: dict[str, Any]) -> LabelClass:
    name = str(row["name"])
    return LabelClass(int(row["value"]), name, tuple(row.get("structures", [name])))


def _check(classes: tuple[LabelClass, ...], file_name: str, *, foreign: bool) -> None:
    values = [item.value for item in classes]
    claimed = [name for item in classes for name in item.structures]
    if not classes or min(values) < 1 or max(values) > _LARGEST_VALUE or len(set(values)) < len(values):
        msg = f"{file_name}: class values must be distinct, at least 1 and at most 65535, but are {values}."
        raise ConfigError(msg)
    names = [item.name for item in classes]
    if len(set(names)) < len(names):
        msg = f"{file_name}: two classes have the same name among {', '.join(names)}."
        raise ConfigError(msg)
    for name in claimed:
        if not foreign and name not in structures():
            msg = f"{file_name}: there is no structure named {name!r}. {near_names(name, structures())}"
            raise LabelError(msg)


def _check_losses(made: Scheme, file_name: str, table: dict[str, Any]) -> None:
    """Pass where the scheme loses nothing but what it says."""
    claimed = Counter(name for item in made.classes for name in item.structures)
    twice = [name for name, count in claimed.items() if count > 1]
    if table.get("exact") and twice:
        msg = f"{file_name} says exact, but two classes stand for {twice[0]}. Take exact away, or mend one."
        raise LabelError(msg)
    swapped = _swapped(made)
    if swapped:
        msg = (
            f"{file_name}: the classes {' and '.join(swapped)} stand for each other, in a circle. Mend them."
        )
        raise LabelError(msg)
    if "dropped" in table and set(made.dropped) != set(made.foreign):
        odd = sorted(set(made.dropped).symmetric_difference(made.foreign))
        msg = (
            f"{file_name}: {', '.join(odd)} must be in dropped just where a class stands for no structure."
            " Mend dropped, or say in `structures` what the class stands for."
        )
        raise LabelError(msg)


def _swapped(made: Scheme) -> tuple[str, ...]:
    """Classes named for structures that each stand for the next one's instead of their own."""
    points = {
        item.name: item.structures[0]
        for item in made.classes
        if len(item.structures) == 1 and item.structures[0] != item.name and item.name in structures()
    }
    for start in points:
        chain = [start]
        while (following := points.get(chain[-1])) is not None and following not in chain:
            chain.append(following)
        if following == start:
            return tuple(sorted(chain))
    return ()
