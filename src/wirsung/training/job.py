"""What one fold's training is given; it travels to every process that shares it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from wirsung.datasets.splits import Fold
from wirsung.models.plans import Plans
from wirsung.training.presets import Preset


@dataclass(frozen=True)
class Job:
    """What one fold's training is given."""

    plans: Plans
    label_table: Mapping[str, Any]
    fold: int | str
    cases: Fold
    folder: Path
    """Of the fold, inside the model folder."""
    preset: Preset
    device: torch.device
    seed: int
    names_sides: bool
    """Whether mirroring from left to right is forbidden."""
    workers: int = 0
    """Processes that load and augment; 0 does it in the training's own."""
    gpus: int = 1
    """Processes that share each batch."""
    checkpoint_s: float = 600.0
    """How old a checkpoint may become within an epoch."""
    deadline_s: float | None = None
    """On `time.monotonic`: when the training must have stopped."""
