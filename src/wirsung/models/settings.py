"""The settings of `wirsung models list` and `cost`. No torch is imported here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from wirsung.errors import ConfigError


@dataclass(frozen=True)
class ListSettings:
    """List the networks: parameters, licence, paper, origin, and what is needed to use them."""


@dataclass(frozen=True)
class CostSettings:
    """Say what a network needs before it is built: parameters, memory, operations and seconds a step."""

    network: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")]
    """As wirsung models list says it."""
    patch: tuple[int, int, int] = (128, 128, 128)
    """Voxels along z, y and x."""
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Along z, y and x; says which axes nnU-Net halves first."""
    plans: Path | None = None
    """A model folder whose plans.json says patch, spacing, batch and features instead."""
    channels: int = 1
    """Of the image."""
    classes: int = 29
    """Background included."""
    batch: int = 2
    """Patches a training step."""
    features: tuple[int, int] = (32, 320)
    """Feature maps of the U-Nets' first stage, and at most."""
    device: str = "auto"
    """Whose speed is measured, for the seconds: auto, cpu, cuda or mps; none leaves the seconds out."""

    def __post_init__(self) -> None:
        for name in ("channels", "classes", "batch"):
            if getattr(self, name) < 1:
                msg = f"{name} is {getattr(self, name)}, but it must be at least 1."
                raise ConfigError(msg)
        if min(self.patch) < 1 or min(self.features) < 1:
            msg = f"patch {self.patch} and features {self.features} must be at least 1 everywhere."
            raise ConfigError(msg)
        if min(self.spacing_mm) <= 0:
            msg = f"spacing_mm is {self.spacing_mm}, but a spacing is more than 0 mm."
            raise ConfigError(msg)
