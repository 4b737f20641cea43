"""The settings of `wirsung export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

Format = Literal["nnunet", "bids", "msd", "croissant"]


@dataclass(frozen=True)
class ExportSettings:
    """Write a dataset as another tool wants it; images are linked, label maps are made of the masks."""

    format: Annotated[tyro.conf.Positional[Format], tyro.conf.arg(metavar="nnunet|bids|msd|croissant")]
    """nnU-Net v2's raw dataset, BIDS, the Medical Segmentation Decathlon's layout, or Croissant's JSON-LD."""
    dataset: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATASET")]
    """The dataset; only read."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder to write into; nnunet and msd make DatasetXXX_Name or TaskXX_Name in it."""
    scheme: str | None = None
    """Label scheme, or a TOML file; by default the dataset's own. Values are made consecutive."""
    id: int = 1
    """Number in DatasetXXX_Name (1 to 999) or TaskXX_Name (1 to 99)."""
    name: str = ""
    """Name in DatasetXXX_Name or TaskXX_Name; by default the dataset's."""
    modality: Literal["ct", "t1", "t2", "mr"] | None = None
    """Only cases of this modality; nnunet and msd take one at a time."""
    copy: bool = False
    """Copy the images in place of linking to them."""
    own_use: bool = False
    """Nothing of it is passed on, so a licence that forbids passing on changed files is no hindrance."""
    workers: int = 1
    """Processes."""
