"""The settings of the verb `serve`."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wirsung.errors import ConfigError
from wirsung.inference.presets import PresetName


@dataclass(frozen=True)
class ServeSettings:
    """Answer predictions over HTTP with a model that is loaded once."""

    model: Path | None = None
    """The model folder."""
    host: str = "127.0.0.1"
    """The address to listen at; 0.0.0.0 lets every machine of the network in, with no password."""
    port: int = 8000
    """The port to listen at; 0 takes any that is free."""
    device: str = "auto"
    """auto, cpu, cuda or mps; auto takes the GPU where there is one."""
    fold: Literal["auto", "all"] | int = "auto"
    """The fold whose weights predict; auto takes every finished fold and averages them."""
    preset: PresetName = "exact"
    """exact: the labels that nnU-Net gives. balanced, fast: sooner, at the cost that docs/concepts/presets.md
    tells."""
    strict: bool = False
    """Whether an image that does not look like what the model learnt is refused, not only noted."""
    largest_mb: float = 4096.0
    """Uploads of more are refused."""
    session_minutes: float = 60.0
    """How long an image that 3D Slicer opened a session with is kept."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            msg = f"port is {self.port}, but it must lie between 0 and 65535."
            raise ConfigError(msg)
        for name in ("largest_mb", "session_minutes"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                msg = f"{name} is {value}, but it must be above 0."
                raise ConfigError(msg)
