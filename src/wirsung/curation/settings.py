"""The settings of `curate`, `check` and `verify`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class CurateSettings:
    """Turn raw DICOM or NIfTI into a dataset in the PanTS layout."""

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SRC")]
    """Raw scans, only read: a folder of cases or of NIfTI files, one DICOM series, or one NIfTI file."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """The dataset; run again, and cases whose source did not change are skipped."""
    labels: Path | None = None
    """A label map, or a folder of label maps <case>.nii.gz, where the labels don't lie beside the images."""
    label_scheme: str = "pants-28"
    """What the label maps' values, or the masks' names, mean: a scheme, or a .toml of your own."""
    resample_labels: bool = False
    """Put labels on another grid than their image's onto it, by nearest voxels; else they are refused."""
    even_spacing: bool = False
    """Put slices at uneven distances onto an even grid, linearly; else such a stack is refused."""
    modality: Literal["ct", "t1", "t2", "mr"] = "ct"
    """Of images whose file name and metadata.csv don't tell; mr is MRI of a sequence that nobody told."""
    no_burned_in_text: tuple[str, ...] = ()
    """Cases suspected of text in the image, where somebody has seen that there is none."""
    clip_hu: tuple[int, int] | None = (-1000, 1000)
    """Lowest and highest HU of CT images; None keeps all."""
    prefix: str = ""
    """In front of each case's id, so that cohorts which name their cases alike can share one dataset."""
    name: str = ""
    """What the dataset is called; the name of its folder by default."""
    version: str = "1.0"
    """Of the data."""
    licence: str = ""
    """Of the data, an SPDX name where there is one."""
    plan: bool = False
    """Only index SRC, and tell how many cases, how long and how large, and what will be refused and why."""
    workers: int = 1
    """Processes; each needs about 1 GB for a CT of 512 x 512 x 300."""
    cluster: str | None = None
    """In place of workers: tcp://HOST:PORT of a Dask scheduler, local:N, or slurm:FILE.toml."""


@dataclass(frozen=True)
class CheckSettings:
    """Audit a dataset and list what is wrong with it."""

    dataset: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATASET")]
    """The dataset; only read."""
    out: Path | None = None
    """A folder for check.html and the findings as .csv, .json and .parquet, or one file of these."""
    against: tuple[Path, ...] = ()
    """Other datasets in which to look for the same scans; only read."""
    ignore: tuple[str, ...] = ()
    """Rules not to apply, by their ids."""
    pictures: int = 4
    """Pictures on the page for each rule, at most."""
    workers: int = 1
    """Processes."""
    cluster: str | None = None
    """In place of workers: tcp://HOST:PORT of a Dask scheduler, local:N, or slurm:FILE.toml."""


@dataclass(frozen=True)
class VerifySettings:
    """Read every voxel of a dataset again, and hold it against the checksums that were written with it."""

    dataset: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATASET")]
    """The dataset; only read."""
    workers: int = 1
    """Processes; each needs about 0.5 GB for a CT of 512 x 512 x 300."""
    cluster: str | None = None
    """In place of workers: tcp://HOST:PORT of a Dask scheduler, local:N, or slurm:FILE.toml."""
