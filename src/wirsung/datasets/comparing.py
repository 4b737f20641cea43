"""The stage `compare-datasets`: which scans and patients are in two datasets, found and shown.

OUT/leaks.parquet and leaks.csv hold a row a pair, OUT/leaks.html the same with pictures side by side.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import pyarrow.csv
import tyro

from wirsung.compute.atomic import atomic_path
from wirsung.compute.cases import Outcome
from wirsung.datasets.comparing_page import PAGE_FILE, ComparedPair, leaks_page
from wirsung.datasets.known_overlaps import KnownOverlap, known_overlaps
from wirsung.datasets.layout import Dataset, distinct_names
from wirsung.datasets.leaks import PROOFS, Leak, Scans, find_leaks, leaks_table
from wirsung.datasets.manifest import write_table
from wirsung.datasets.near_duplicates import NEAR
from wirsung.errors import ConfigError, counted
from wirsung.pages.template import write_page

TABLE_FILE = "leaks.parquet"
CSV_FILE = "leaks.csv"
_WORDS = {
    "exact": "pairs of scans have the same voxels",
    "near": "are nearly the same",
    "patient": "are of one patient",
    "metadata": "have the same shape and spacing, which proves nothing",
}


@dataclass(frozen=True)
class CompareDatasetsSettings:
    """Find the scans and patients that are in two datasets."""

    datasets: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="DATASET")]
    """Two or more datasets, each catalogued: what wirsung catalog knows scans again by is compared."""
    out: Path = Path("comparison")
    """Folder for leaks.html, leaks.parquet and leaks.csv."""
    pictures: int = 24
    """Pairs of which the page shows pictures, at most; 0 for none."""
    threshold: float = NEAR
    """How unlike two scans may be and still count as nearly the same, 0 to 1."""


@dataclass(frozen=True)
class Comparison:
    """Every pair of scans that is in two datasets."""

    leaks: tuple[Leak, ...]
    known: tuple[KnownOverlap, ...]
    outcomes: list[Outcome[None]]
    """One a pair of datasets; failed where they share a scan or a patient."""
    notes: tuple[str, ...]
    noun: str = "pair of datasets"

    def lines(self) -> list[str]:
        """For the terminal."""
        told = [item.sentence for item in self.known if item.is_compared]
        left = len(self.known) - len(told)
        more = [f"{left} more overlaps with sources that are not here are known; the page lists them."]
        return [*told, *(more if left else []), *self.notes]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "leaks": leaks_table(self.leaks).to_pylist(),
            "known_overlaps": [item.sentence for item in self.known],
        }


def compare_datasets(settings: CompareDatasetsSettings) -> Comparison:
    """Compare the datasets pair by pair, and write the table and the page.

    Raises:
        ConfigError: Fewer than two datasets, one named twice, or a threshold outside 0 to 1.
        ManifestError: One is no dataset, or was not catalogued.
        StorageError: The output can't be written.
    """
    datasets = _opened(settings)
    names = distinct_names([(item.name, item.root) for item in datasets])
    found = Scans.joined([Scans.of(item, name) for item, name in zip(datasets, names, strict=True)])
    leaks = find_leaks(found, [scan.dataset for scan in found.scans], threshold=settings.threshold)
    pairs = _pairs(names, leaks)
    known = known_overlaps(dict(zip(names, (item.description.source for item in datasets), strict=True)))
    table = leaks_table(leaks)
    write_table(settings.out / TABLE_FILE, table)
    with atomic_path(settings.out / CSV_FILE) as partial:
        pyarrow.csv.write_csv(table, partial)
    folders = dict(zip(names, datasets, strict=True))
    page = settings.out / PAGE_FILE
    write_page(page, leaks_page(pairs, leaks, known, folders, settings.pictures))
    notes = [f"Every pair, with pictures: {page}"]
    if found.without:
        notes.insert(
            0,
            f"{counted(len(found.without), 'case has', 'cases have')} no fingerprint, such as "
            f"{found.without[0]}: only codes and metadata were compared there. Run wirsung catalog again.",
        )
    return Comparison(tuple(leaks), known, [_outcome(pair) for pair in pairs], tuple(notes))


def _opened(settings: CompareDatasetsSettings) -> list[Dataset]:
    if len(settings.datasets) < 2:
        msg = f"It takes two datasets to compare, but {len(settings.datasets)} were named. Name another."
        raise ConfigError(msg)
    if not 0 <= settings.threshold <= 1:
        msg = f"The threshold {settings.threshold:g} is not between 0 and 1. Leave it out for {NEAR:g}."
        raise ConfigError(msg)
    places = [path.resolve() for path in settings.datasets]
    for path in places:
        if places.count(path) > 1:
            msg = f"{path} is named twice, and every scan of it would be in both. Name each dataset once."
            raise ConfigError(msg)
    return [Dataset.open(path) for path in settings.datasets]


def _pairs(names: Sequence[str], leaks: Sequence[Leak]) -> list[ComparedPair]:
    counts: Counter[tuple[str, str, str]] = Counter(
        (leak.one.dataset, leak.other.dataset, leak.kind) for leak in leaks
    )
    return [
        ComparedPair(one, other, {kind: counts[one, other, kind] for kind in _WORDS})
        for one, other in combinations(names, 2)
    ]


def _outcome(pair: ComparedPair) -> Outcome[None]:
    told = [f"{count} {_WORDS[kind]}" for kind, count in pair.counts.items() if count]
    is_leak = any(pair.counts[kind] for kind in PROOFS)
    status = "failed" if is_leak else "done"
    message = (
        f"{', '.join(told)}. Take them out of one of the two before you learn from one and test on the other."
    )
    return Outcome(f"{pair.one} and {pair.other}", status, message if is_leak else ", ".join(told))  # type: ignore[arg-type]
