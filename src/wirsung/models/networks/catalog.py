"""The catalog of networks: what each is called, where it is from, what it needs. It imports no torch."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from wirsung.errors import CheckpointError, ConfigError, MissingDependencyError, near_names
from wirsung.models.plans import Configuration

SCHEMA = 1


@dataclass(frozen=True)
class Published:
    """The count of parameters that the authors or their own code state, and at which size."""

    parameters: int
    source: str
    difference: str
    """Why ours is not the same; empty where it is."""
    channels: int
    classes: int
    patch_size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    arguments: Mapping[str, Any]
    """Of the class, in place of what `fit` says."""
    ours: int
    """Of the network built here at that size."""


@dataclass(frozen=True)
class Entry:
    """One network."""

    name: str
    """As the command line says it."""
    title: str
    class_path: str
    """The import path that plans name it by, so that nnU-Net finds it too."""
    fit_path: str
    """module:function that turns a configuration into the class's arguments."""
    imported: tuple[str, ...]
    """The arguments that are import paths."""
    licence: str
    paper: str
    origin: str
    extra: str
    """What to install: pip install 'wirsung[extra]'."""
    needs: tuple[str, ...]
    """The packages that it imports."""
    deep_supervision: bool
    """Whether it can answer at several resolutions, as nnU-Net trains."""
    patch: str
    """Which patches fit."""
    parameters: int | None
    """At the reference plan."""
    fixed_patch: bool
    """Whether weights of one patch fit no other."""
    published: tuple[Published, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The needed packages that are not installed."""
        return tuple(name for name in self.needs if find_spec(name) is None)

    def require(self) -> None:
        """Do nothing where all that the network needs is installed.

        Raises:
            MissingDependencyError: A package is missing.
        """
        if self.missing:
            msg = (
                f"The network {self.name} needs {' and '.join(self.missing)}, which is not installed. "
                f"Install it with: pip install 'wirsung[{self.extra}]'"
            )
            raise MissingDependencyError(msg)

    def load(self) -> Callable[..., Any]:
        """The class of the network.

        Raises:
            MissingDependencyError: A package is missing.
        """
        self.require()
        module, _, name = self.class_path.rpartition(".")
        loaded: Callable[..., Any] = getattr(import_module(module), name)
        return loaded

    def fit(self, configuration: Configuration) -> dict[str, Any]:
        """The arguments of the class for nnU-Net's plan, as JSON holds them.

        Raises:
            ConfigError: The network can't take this plan; the message names a patch that would do.
            MissingDependencyError: A package is missing.
        """
        self.require()
        module, _, name = self.fit_path.partition(":")
        made: dict[str, Any] = getattr(import_module(module), name)(configuration)
        return made


@cache
def catalog() -> Mapping[str, Entry]:
    """Every network, by name.

    Example:
        >>> catalog()["unetr"].extra
        'zoo'
    """
    text = files("wirsung.models.networks").joinpath("networks.toml").read_text(encoding="utf-8")
    return {name: _entry(name, table) for name, table in tomllib.loads(text)["networks"].items()}


def entry(name: str) -> Entry:
    """The network of that name.

    Raises:
        ConfigError: There is none.

    Example:
        >>> entry("unetr").title
        'UNETR'
    """
    known = catalog()
    if name not in known:
        msg = f"There is no network named {name!r}. {near_names(name, known)} See: wirsung models list"
        raise ConfigError(msg)
    return known[name]


def entry_of_class(class_path: str) -> Entry:
    """The first network whose class plans name so; nnU-Net's own also by the class alone, as old plans do.

    Raises:
        CheckpointError: There is none.

    Example:
        >>> entry_of_class("wirsung.models.networks.unetr.Unetr").name
        'unetr'
    """
    for item in catalog().values():
        if item.class_path == class_path or _is_moved(item, class_path):
            return item
    classes = sorted({item.class_path.rpartition(".")[2] for item in catalog().values()})
    near = near_names(class_path.rpartition(".")[2], classes)
    msg = f"The plans name {class_path!r}, which networks are not built of here. {near}"
    raise CheckpointError(msg)


def _is_moved(item: Entry, class_path: str) -> bool:
    module, _, name = item.class_path.rpartition(".")
    return not module.startswith("wirsung.") and name == class_path.rpartition(".")[2]


def _entry(name: str, table: Mapping[str, Any]) -> Entry:
    class_path = str(table["class"])
    return Entry(
        name=name,
        title=table["title"],
        class_path=class_path,
        fit_path=table.get("fit", f"{class_path.rpartition('.')[0]}:fit"),
        imported=tuple(table.get("imported", ())),
        licence=table["licence"],
        paper=table["paper"],
        origin=table["origin"],
        extra=table["extra"],
        needs=tuple(table["needs"]),
        deep_supervision=table["deep_supervision"],
        patch=table["patch"],
        parameters=table.get("parameters"),
        fixed_patch=table.get("fixed_patch", False),
        published=tuple(_published(item) for item in table.get("published", ())),
    )


def _published(table: Mapping[str, Any]) -> Published:
    deep, high, wide = table["patch"]
    thick, tall, broad = table.get("spacing_mm", (1.0, 1.0, 1.0))
    return Published(
        parameters=table["parameters"],
        source=table["source"],
        difference=table.get("difference", ""),
        channels=table["channels"],
        classes=table["classes"],
        patch_size=(deep, high, wide),
        spacing_mm=(thick, tall, broad),
        arguments=table.get("arguments", {}),
        ours=table["ours"],
    )
