"""The settings of `wirsung evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class EvaluateSettings:
    """Score predictions against references: exact metrics, honest statistics, one report."""

    reference: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="REFERENCE")]
    """A dataset, a folder of label maps <case>.nii.gz, or one of masks <case>/<structure>.nii.gz."""
    prediction: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PREDICTION")]
    """A folder of label maps <case>.nii.gz, or of masks <case>/<structure>.nii.gz; <case>_lesion.nii.gz
    beside is the lesion's probability."""
    out: Path = Path("scores")
    """Folder for scores.parquet, scores.csv, lesions.csv, summary.json and report.html."""
    also: tuple[Path, ...] = ()
    """Folders of further predictions, each compared with the first."""
    scheme: str | None = None
    """Label scheme of the predictions, or a TOML file; by default what their predictions.json says."""
    reference_scheme: str | None = None
    """Label scheme of a folder of reference label maps; by default that of the predictions."""
    protocol: str = "pants"
    """pants, msd, panseg, panorama, or a TOML file of your own."""
    lesion_score: str | None = None
    """What ranks cases for the AUC: max, the highest lesion probability; topk:K, the mean of the K highest;
    or volume, the predicted lesion's; by default what the protocol says, which is mostly max."""
    all_cases: bool = False
    """Score every reference case, not only those that predictions.json lists."""
    resample: bool = False
    """Bring predictions that lie on another grid onto the reference's, by the nearest voxel."""
    subgroups: tuple[str, ...] = ()
    """Columns of the reference dataset's manifest to tell scores apart by, such as sex or age_years:40,60."""
    metadata: Path | None = None
    """A table (CSV, Parquet) with a column case, in place of the manifest: subgroups and patients."""
    page: bool = True
    """Write report.html; who needs only the numbers of many runs saves half a second each."""
    seed: int = 0
    """Of the bootstrap."""
    workers: int = 1
    """Processes."""
    cluster: str | None = None
    """In place of workers: tcp://HOST:PORT of a Dask scheduler, local:N, or slurm:FILE.toml."""
