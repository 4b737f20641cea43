"""The presets of training, as data: how nnU-Net plans, and how long and how it trains."""

from dataclasses import dataclass, replace
from typing import Literal

from wirsung.training.settings import Augmentation, PresetName, TrainSettings


@dataclass(frozen=True)
class Preset:
    """What a preset changes in nnU-Net's planning and training."""

    epochs: int
    iterations: int
    """Batches an epoch."""
    validation_iterations: int
    checkpoint_every: int
    """Epochs."""
    optimiser: Literal["sgd", "adamw"]
    learning_rate: float
    """At the start; it falls to 0 as (1 - epoch / epochs) ** 0.9."""
    foreground: float
    """Fraction of the patches that are centred on a voxel of a class, 0 to 1."""
    memory_gb: float | None = None
    """The GPU memory that nnU-Net plans the patch for; None is the planner's own."""
    features: tuple[int, int] | None = None
    """Feature maps of the first stage, and at most; None is the planner's own."""
    finest_mm: float | None = None
    """No axis is resampled finer than this; None leaves the spacing to the planner."""
    patch: tuple[int, int, int] | None = None
    """Voxels along the plan's axes; None leaves the patch to the planner."""
    mirror: bool = True
    """Whether patches are mirrored; never from left to right where the classes name a side."""
    keep_best: bool = True
    """Whether the weights of the best epoch are kept beside the last ones."""
    batch_size: int | None = None
    """Patches a batch; None leaves it to the planner."""
    smallest_batch: int = 2
    """Where no batch size is said: the patch is made smaller until so many fit the planner's memory."""
    lesion_patches: float = 0.0
    """Fraction of a batch's patches, on average, that are centred on the lesion, 0 to 1."""
    augmentation: Augmentation = "cpu"
    """Where patches are augmented."""
    picture_every: int = 10
    """Epochs between pictures of a validation case."""


PRESETS: dict[PresetName, Preset] = {
    "default": Preset(
        epochs=1000,
        iterations=250,
        validation_iterations=50,
        checkpoint_every=10,
        optimiser="sgd",
        learning_rate=1e-2,
        foreground=0.33,
        smallest_batch=4,
        lesion_patches=0.25,
    ),
    "demo": Preset(
        epochs=26,
        iterations=15,
        validation_iterations=2,
        checkpoint_every=2,
        optimiser="adamw",
        learning_rate=3e-3,
        foreground=0.8,
        memory_gb=0.22,
        features=(12, 96),
        finest_mm=4.0,
        mirror=False,
        keep_best=False,
        picture_every=5,
    ),
}

_SAYABLE = (
    "epochs",
    "iterations",
    "checkpoint_every",
    "finest_mm",
    "patch",
    "batch_size",
    "features",
    "learning_rate",
    "lesion_patches",
    "augmentation",
    "picture_every",
)
"""What a setting of the same name takes the place of."""


def preset_of(settings: TrainSettings) -> Preset:
    """The preset with what the settings say instead.

    Example:
        >>> from pathlib import Path
        >>> preset_of(TrainSettings(Path("d"), Path("m"), preset="demo", epochs=3)).epochs
        3
    """
    said = {name: getattr(settings, name) for name in _SAYABLE if getattr(settings, name) is not None}
    return replace(PRESETS[settings.preset], **said)
