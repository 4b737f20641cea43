"""The settings of the stage `predict`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from wirsung.errors import ConfigError


@dataclass(frozen=True)
class PredictSettings:
    """Predict label maps with a trained model."""

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="INPUT")]
    """A NIfTI image, a DICOM series folder, a folder of either, or a dataset."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder for the label maps; run again, and what is done is skipped."""
    model: Path | None = None
    """The model folder."""
    split: Literal["all", "test", "validation"] = "all"
    """Of a dataset: every case, the test cases, or the validation cases of the fold."""
    fold: Literal["auto", "all"] | int = "auto"
    """The fold whose weights predict; auto takes every finished fold and averages them."""
    lesion_probability: bool = False
    """Whether to write the probability of the lesion as <case>_lesion.nii.gz too."""
    mirror: bool = False
    """Whether to average over images mirrored along the axes that training mirrored; up to 8 times slower."""
    step: float = 0.5
    """How far the window moves, as a fraction of its size: above 0, at most 1."""
    device: str = "auto"
    """auto, cpu, cuda or mps; auto takes the GPU where there is one."""

    def __post_init__(self) -> None:
        if not 0 < self.step <= 1:
            msg = f"step is {self.step}, but it must be above 0 and at most 1."
            raise ConfigError(msg)
