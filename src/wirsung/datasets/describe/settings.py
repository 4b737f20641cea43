"""The settings of `wirsung describe`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class DescribeSettings:
    """Describe a dataset, or several side by side: Table 1, distributions, gaps, outliers, data card."""

    datasets: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="DATASET")]
    """One or more datasets; or a folder with a PanTS release's metadata.xlsx alone."""
    out: Path = Path("description")
    """Folder for description.html, the tables, the data card and croissant.json."""
    by: Literal["none", "subset", "centre", "phase", "sex", "manufacturer", "modality", "tumour"] = "none"
    """Table 1 once more of each dataset's parts, such as its training and its test cases."""
    extra: Path | None = None
    """CSV with the column case and further ones, such as dilated_duct (yes or no), for Table 1."""
    pictures: int = 12
    """How many outlying cases to draw; 0 for none, which needs no image."""
    outlier_z: float = 3.5
    """A value is an outlier from this robust z-score on."""
    measure: bool = True
    """Measure the masks of a dataset without tables first, as wirsung catalog does; else only read."""
    workers: int = 1
    """Cases measured at the same time."""
    answers: Path | None = None
    """Your own answers to the data card, of one dataset; by default datacard.toml in its folder."""
