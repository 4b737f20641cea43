"""The settings of `wirsung experiment`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from wirsung.errors import ConfigError

Size = Literal["cpu", "full"]


@dataclass(frozen=True)
class ExperimentSettings:
    """Run an experiment that a file declares: every arm and seed, then one page beside the paper's table."""

    experiment: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE.toml")]
    """The experiment, such as configs/experiments/scaling.toml; its first lines say what it takes."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder for data, runs, results.json and experiment.html; run again, and what is done is skipped."""
    size: Size = "cpu"
    """cpu: phantoms, on a laptop. full: the real datasets, on a GPU server."""
    seeds: int | None = None
    """How often each arm is trained, with seeds 0, 1 and so on; by default what the file says."""
    only: tuple[str, ...] = ()
    """Only these arms; the page shows the others where they are done already."""
    data: tuple[str, ...] = ()
    """Where the file's data lie, each as NAME=PATH after one --data: a dataset, or the unpacked source."""
    device: str = "auto"
    """auto, cpu, cuda or mps; auto takes the GPU where there is one."""
    workers: int = 1
    """Arms and seeds trained at the same time; on one GPU leave it at 1."""

    def __post_init__(self) -> None:
        for name in ("seeds", "workers"):
            value = getattr(self, name)
            if value is not None and value < 1:
                msg = f"{name} is {value}, but it must be at least 1."
                raise ConfigError(msg)
        self.paths()

    def paths(self) -> dict[str, Path]:
        """Name of the data to its folder.

        Raises:
            ConfigError: A word is not NAME=PATH, or a name comes twice.

        Example:
            >>> ExperimentSettings(Path("e.toml"), Path("out"), data=("msd=/data/msd",)).paths()["msd"].name
            'msd'
        """
        found: dict[str, Path] = {}
        for word in self.data:
            name, _, path = word.partition("=")
            if not name or not path or name in found:
                msg = f"--data {word} is not NAME=PATH with a name of its own. Write --data msd=/data/msd."
                raise ConfigError(msg)
            found[name] = Path(path)
        return found
