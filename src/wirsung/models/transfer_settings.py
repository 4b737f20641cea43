"""The settings of `wirsung models import` and `export`. No torch is imported here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

Checkpoint = Literal["final", "best"]
Form = Literal["nnunet", "onnx"]


@dataclass(frozen=True)
class ImportSettings:
    """Make a model folder from a model of nnU-Net, PaNSegNet or others, without running anything of it."""

    path: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PATH")]
    """A model folder, results folder, zip or checkpoint of nnU-Net v2; a .model of v1; or bare weights."""
    out: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="OUT")] = None
    """The model folder to write; by default one here, named as PATH."""
    choose: str | None = None
    """Where PATH holds several models: one's folder in it, or a part of that name, such as 3d_fullres."""
    folds: tuple[int | Literal["all"], ...] = ()
    """Which folds; by default every one."""
    checkpoint: Checkpoint = "final"
    """Which checkpoint of a fold."""
    classes: tuple[str, ...] = ()
    """For nnU-Net v1, which keeps no names: those of the foreground classes, in the order of their values."""
    network: str | None = None
    """For bare weights: the network, as wirsung models list says it; by default told by their names."""
    like: Path | None = None
    """For bare weights: a model folder whose spacing, patch, intensities and labels they were trained by."""

    @property
    def target(self) -> Path:
        """Where the model folder is written.

        Example:
            >>> ImportSettings(Path("from/Dataset001.zip")).target
            PosixPath('Dataset001')
        """
        if self.out is not None:
            return self.out
        name = self.path.resolve().name if self.path.name in {"", "..", "."} else self.path.name
        for suffix in (".zip", ".pth", ".pt", ".safetensors", ".pkl", ".model"):
            name = name.removesuffix(suffix)
        return Path(name)


@dataclass(frozen=True)
class ExportSettings:
    """Write a model for nnU-Net itself, or as ONNX."""

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """A model folder."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """The folder to write, or for nnU-Net a .zip."""
    form: Form = "nnunet"
    """nnunet: a folder that nnUNetv2_predict_from_modelfolder reads. onnx: a file a fold, for one patch."""
    folds: tuple[int | Literal["all"], ...] = ()
    """Which folds; by default every finished one."""
    modality: Literal["ct", "t1", "t2", "mr"] | None = None
    """Of a model of several: whose images nnU-Net, which has one way for all, is to normalise as learnt."""
