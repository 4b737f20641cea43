"""The settings of `wirsung compare`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class CompareSettings:
    """Compare methods scored on the same cases: every pair, by structure and metric."""

    scores: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="SCORES")]
    """Two or more: folders or files that wirsung evaluate wrote, or tables of scores as CSV (columns case,
    structure, metric and value; or dsc.csv and the like with a row a case and a column a structure)."""
    out: Path = Path("comparison")
    """Folder for comparison.json and compare.html."""
    structures: tuple[str, ...] = ()
    """Only these; by default all that every method was scored on."""
    metrics: tuple[str, ...] = ()
    """Only these, such as dsc hd95; by default all of which more, or less, is better."""
    equivalence_margin: tuple[str, ...] = ()
    """Largest difference that does not matter, by metric, such as dsc=0.02 hd95=1."""
    non_inferiority_margin: tuple[str, ...] = ()
    """How much worse than the first of a pair its second may be, by metric, such as dsc=0.02."""
    lower_is_better: tuple[str, ...] = ()
    """Metrics of your own tables of which less is better."""
    metadata: Path | None = None
    """A dataset, or a table with the columns case and patient, so that one patient's cases stay together."""
    allow_different_protocols: bool = False
    """Compare scores that follow different protocols: the numbers may then differ by definition alone."""
    seed: int = 0
    """Of the bootstrap."""
