"""What this installation knows, for people and programs."""

import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from wirsung import __version__
from wirsung.anatomy.schemes import scheme_names

_PACKAGES = ("numpy", "scipy", "nibabel", "pydicom", "torch", "nnunetv2", "monai", "dask", "fastapi")


@dataclass(frozen=True)
class InfoSettings:
    """What this installation knows: version, label schemes and optional packages."""


@dataclass(frozen=True)
class Info:
    """The facts, none of which needs a slow import."""

    version: str = __version__
    python: str = field(default_factory=platform.python_version)
    schemes: tuple[str, ...] = field(default_factory=scheme_names)
    packages: dict[str, str | None] = field(
        default_factory=lambda: {name: _version(name) for name in _PACKAGES}
    )

    def lines(self) -> list[str]:
        """For the terminal."""
        packages = [f"  {name:<10}{found or 'not installed'}" for name, found in self.packages.items()]
        head = [
            f"wirsung {self.version}, Python {self.python}",
            f"schemes: {', '.join(self.schemes)}",
            "packages:",
        ]
        return head + packages

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "version": self.version,
            "python": self.python,
            "schemes": list(self.schemes),
            "packages": self.packages,
        }


def info(_settings: InfoSettings) -> Info:
    """Gather the facts."""
    return Info()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
