"""The settings of the stage `predict`."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from wirsung.errors import ConfigError
from wirsung.inference.presets import PresetName

PostprocessingName = Literal["nnunet", "one-piece", "lesion-in-pancreas"]


@dataclass(frozen=True)
class PredictSettings:
    """Predict label maps with a trained model."""

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="INPUT")]
    """A NIfTI image, a DICOM series folder, a folder of either, or a dataset."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder for the label maps; run again, and what is done is skipped."""
    model: Path | None = None
    """A model folder or zip of Wirsung or nnU-Net v2, or a .toml that merges several."""
    choose: str | None = None
    """Where the folder or zip holds several models: a part of one's name, such as 3d_fullres."""
    previous_stage: Path | None = None
    """The model of a cascade's first stage, where it does not lie beside the second."""
    split: Literal["all", "test", "validation"] = "all"
    """Of a dataset: every case, the test cases, or the validation cases of the fold."""
    fold: Literal["auto", "all"] | int = "auto"
    """The fold whose weights predict; auto takes every finished fold and averages them."""
    folds: tuple[int | Literal["all"], ...] = ()
    """Several folds, in place of --fold, or all for every finished one; their logits are averaged."""
    checkpoint: Literal["final", "best"] = "final"
    """Which of nnU-Net's checkpoints."""
    lesion_probability: bool = False
    """Whether to write the probability of the lesion as <case>_lesion.nii.gz too."""
    lesion: str = "pancreatic_lesion"
    """The class that is the lesion, by the model's own name for it."""
    postprocess: tuple[PostprocessingName, ...] = ()
    """nnunet: as postprocessing.json of the model says. one-piece: what a body has in one piece keeps its
    largest. lesion-in-pancreas: lesions that do not touch the pancreas go. In the order of this list."""
    smallest_lesion_ml: float = 0.0
    """Lesions with a smaller volume go."""
    mirror: Annotated[bool, tyro.conf.arg(aliases=["--tta"])] = False
    """Whether to average over images mirrored along the axes that training mirrored; up to 8 times slower."""
    preset: PresetName = "exact"
    """exact: the labels that nnU-Net gives. balanced, fast: sooner, at the cost that docs/concepts/presets.md
    tells."""
    step: float | None = None
    """How far the window moves, as a fraction of its size: above 0, at most 1; the preset's by default."""
    modality: Literal["auto", "ct", "t1", "t2", "mr", "other"] = "auto"
    """Of the images; auto goes by name and header, other z-scores each image by itself."""
    strict: bool = False
    """Whether an image that does not look like what the model learnt is refused, not only noted."""
    device: str = "auto"
    """auto, cpu, cuda or mps; auto takes the GPU where there is one."""
    threads: int | None = None
    """Of the CPU, for all workers together; all by default."""
    workers: int = 1
    """Processes, each with a warm model; a case that kills its worker is tried once more, on less memory."""
    gpus: int | None = None
    """So many GPUs of this machine, a process each; --workers twice as large lets two take turns on each."""
    cluster: str | None = None
    """In place of workers: tcp://HOST:PORT of a Dask scheduler, local:N, or slurm:FILE.toml."""
    plan: bool = False
    """Only tell how many cases, how long, how much memory and disk, as measured on pieces of one case."""
    retry: bool = False
    """Whether cases are tried again that an earlier call set aside."""

    def __post_init__(self) -> None:
        if self.step is not None and not 0 < self.step <= 1:
            msg = f"step is {self.step}, but it must be above 0 and at most 1."
            raise ConfigError(msg)
        for name in ("threads", "workers", "gpus"):
            value = getattr(self, name)
            if value is not None and value < 1:
                msg = f"{name} is {value}, but it must be at least 1."
                raise ConfigError(msg)
        if not 0 <= self.smallest_lesion_ml < math.inf:
            msg = f"smallest_lesion_ml is {self.smallest_lesion_ml}, but a volume is at least 0 ml."
            raise ConfigError(msg)
        if self.folds and self.fold != "auto":
            msg = "--fold and --folds say the same in two ways. Leave one out."
            raise ConfigError(msg)
        if "all" in self.folds and len(self.folds) > 1:
            msg = "--folds all is every finished fold. Leave the numbers out, or all."
            raise ConfigError(msg)
        self._check_engine()

    def _check_engine(self) -> None:
        if self.cluster is not None and (self.workers > 1 or self.gpus is not None):
            msg = "--cluster says where the workers are. Leave --workers and --gpus out."
            raise ConfigError(msg)
        if self.gpus is not None and self.device not in ("auto", "cuda"):
            msg = f"--gpus {self.gpus} and --device {self.device} say two things. Leave one out."
            raise ConfigError(msg)

    @property
    def is_fleet(self) -> bool:
        """Whether other processes than the caller's predict."""
        return self.workers > 1 or self.gpus is not None or self.cluster is not None

    @property
    def chosen_folds(self) -> tuple[int | str, ...] | None:
        """Whose weights; None for every finished one."""
        if self.folds:
            return None if self.folds == ("all",) else self.folds
        return None if self.fold == "auto" else (self.fold,)
