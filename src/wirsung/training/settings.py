"""The settings of the stage `train`."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from wirsung.compute.cases import default_workers
from wirsung.errors import ConfigError

Network = Literal[
    "nnunet",
    "nnunet-resenc-m",
    "nnunet-resenc-l",
    "nnunet-resenc-xl",
    "nnunet-v1",
    "pansegnet",
    "pansegnet-2",
    "mednext",
    "primus",
    "unetr",
    "swin-unetr",
    "dints",
    "nnformer",
    "c2fnas",
    "scnas",
    "universal",
    "medformer",
    "resenc-m",
    "resenc-l",
    "resenc-xl",
]
"""Those of the catalog, and three short names."""
PresetName = Literal["default", "demo"]
Augmentation = Literal["cpu", "gpu"]

_COUNTS = (
    "epochs",
    "iterations",
    "batch_size",
    "checkpoint_every",
    "picture_every",
    "gpus",
    "workers",
)


@dataclass(frozen=True)
class TrainSettings:
    """Train a network on one fold of a dataset."""

    dataset: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATASET")]
    """The dataset, with the splits that wirsung split makes."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """The model folder; run again, training goes on where it stopped, and a finished fold is skipped."""
    network: Network = "nnunet"
    """Of wirsung models list; resenc-m, -l and -xl are nnU-Net's for 9, 24 and 40 GB of GPU memory."""
    patch: tuple[int, int, int] | None = None
    """Voxels of a patch along z, y and x, instead of the plan's: for a network that can't take the plan's."""
    scheme: str = "pants-28"
    """The label scheme to learn: a built-in name, or your own .toml file."""
    fold: int | Literal["all"] = 0
    """The fold whose training cases are learnt from; all: every case that is not for the test."""
    preset: PresetName = "default"
    """default: nnU-Net's plan and schedule, for a GPU and a day. demo: minutes on two CPU cores."""
    device: str = "auto"
    """auto, cpu, cuda or mps; auto takes the GPU where there is one."""
    epochs: int | None = None
    """Instead of the preset's: how often the learning rate is lowered, and when training ends."""
    iterations: int | None = None
    """Batches an epoch, instead of the preset's."""
    finest_mm: float | None = None
    """No axis is resampled finer than this, instead of the preset's."""
    batch_size: int | None = None
    """Patches a batch, instead of the plan's; with --gpus they are shared out."""
    features: tuple[int, int] | None = None
    """Feature maps of the first stage and the most of any, as 32 320, instead of the preset's."""
    learning_rate: float | None = None
    """At the start, instead of the preset's; it falls to 0 over the epochs."""
    lesion_patches: float | None = None
    """Fraction of the patches that are centred on the lesion, 0 to 1, instead of the preset's."""
    augmentation: Augmentation = "cpu"
    """cpu: nnU-Net's own, by --workers processes. gpu: the same list in batches, on the GPU."""
    checkpoint_every: int | None = None
    """Epochs between checkpoints that a killed training goes on from, instead of the preset's."""
    checkpoint_minutes: float = 10.0
    """Also within an epoch, whenever the last one is this old; 0: after every batch."""
    picture_every: int | None = None
    """Epochs between pictures of a validation case, instead of the preset's."""
    max_hours: float | None = None
    """Stop in time before so many hours are over, with a checkpoint; the same call later goes on from it."""
    gpus: int = 1
    """Share each batch out to so many GPUs of this machine; with --device cpu, to so many processes."""
    seed: int = 0
    """Another seed, other initial weights and other patches."""
    workers: int = default_workers()
    """Processes that prepare cases, and on a GPU those that augment patches."""

    def __post_init__(self) -> None:
        for name in _COUNTS:
            value = getattr(self, name)
            if value is not None and value < 1:
                msg = f"{name} is {value}, but it must be at least 1."
                raise ConfigError(msg)
        self._check_amounts()
        if self.patch is not None and min(self.patch) < 1:
            msg = f"patch is {self.patch}, but each axis must have at least 1 voxel."
            raise ConfigError(msg)
        if self.features is not None and not 1 <= self.features[0] <= self.features[1]:
            msg = f"features is {self.features}, but it is the first stage's number and the most, as 32 320."
            raise ConfigError(msg)
        if isinstance(self.fold, int) and self.fold < 0:
            msg = f"fold is {self.fold}, but folds are counted from 0. Or take all."
            raise ConfigError(msg)

    def _check_amounts(self) -> None:
        """Spacing, rate and time."""
        if self.finest_mm is not None and not 0 < self.finest_mm < math.inf:
            msg = f"finest_mm is {self.finest_mm}, but a spacing is more than 0 mm."
            raise ConfigError(msg)
        for name in ("learning_rate", "max_hours"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                msg = f"{name} is {value}, but it must be more than 0."
                raise ConfigError(msg)
        if self.lesion_patches is not None and not 0 <= self.lesion_patches <= 1:
            msg = f"lesion_patches is {self.lesion_patches}, but a fraction is 0 to 1."
            raise ConfigError(msg)
        if not 0 <= self.checkpoint_minutes < math.inf:
            msg = f"checkpoint_minutes is {self.checkpoint_minutes}, but it must be at least 0."
            raise ConfigError(msg)
