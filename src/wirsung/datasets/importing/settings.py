"""The settings of `import`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class ImportSettings:
    """Make a dataset of a public source's folder, by links to its files; `wirsung import list` lists them."""

    source: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SOURCE")] = "list"
    """The source's name, a .toml that describes your own, or `list`."""
    path: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="PATH")] = None
    """The folder that was downloaded and unpacked; only read."""
    out: Path | None = None
    """The dataset; run again, and cases whose files did not change are skipped."""
    link: Literal["symbolic", "hard"] = "symbolic"
    """What stands for a file: a relative symbolic link, or a second name on the same disk."""
    copy: bool = False
    """Copy the files instead; for disks that take no links, or to be free of the source's folder."""
    table: bool = True
    """Read the source's own table of sex, age, phase and so on, where it has one."""
    workers: int = 1
    """Processes."""
    cluster: str | None = None
    """In place of workers: tcp://HOST:PORT of a Dask scheduler, local:N, or slurm:FILE.toml."""
