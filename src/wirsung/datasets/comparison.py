"""Table 3 of the PanTS paper: public abdominal CT datasets side by side, and one's own beside them.

The published rows are data (`public_datasets.toml`); the row of one's own dataset is counted.
"""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from wirsung.datasets.sources import source_named

_FILE = "public_datasets.toml"
_YES, _NO, _UNKNOWN = "✓", "×", "–"
_OWN = "counted in this dataset"


@dataclass(frozen=True)
class ComparedDataset:
    """One dataset in the table."""

    name: str
    year: int | None
    tumours: int | None
    """Scans with a pancreatic tumour; None where nobody said."""
    scans: int
    institutions: int | None
    countries: int | None
    ticks: frozenset[str]
    """Titles of the columns whose structures it annotates."""
    source: str
    """Of its numbers."""
    note: str = ""
    """Where another source gives another number, with that source."""
    own_source: str = ""
    """The source of `datasets.sources` that tells of its own labels; empty where there is none."""


@dataclass(frozen=True)
class _Published:
    source: str
    columns: Mapping[str, tuple[str, ...]]
    datasets: tuple[ComparedDataset, ...]


def public_datasets() -> tuple[ComparedDataset, ...]:
    """The datasets of the published table, in its order.

    Source:
        PanTS paper, appendix A, Table 3.

    Example:
        >>> [item.scans for item in public_datasets() if item.name == "PANORAMA"]
        [2238]
    """
    return _published().datasets


def structure_columns() -> dict[str, tuple[str, ...]]:
    """The columns of structures, and which structures each asks for.

    Example:
        >>> structure_columns()["IVC"]
        ('postcava',)
    """
    return dict(_published().columns)


def own_dataset(
    name: str,
    scans: int,
    annotated: Collection[str],
    *,
    tumours: int | None = None,
    institutions: int | None = None,
    countries: int | None = None,
) -> ComparedDataset:
    """The row of one's own dataset.

    Args:
        name: Of the dataset.
        scans: How many it has.
        annotated: The structures that it annotates, by their names.
        tumours: Scans with a pancreatic tumour.
        institutions: Centres that its manifest names.
        countries: That its table names.
    """
    held = set(annotated)
    ticks = frozenset(title for title, asked in _published().columns.items() if held.issuperset(asked))
    return ComparedDataset(name, None, tumours, scans, institutions, countries, ticks, _OWN)


def comparison_rows(own: Sequence[ComparedDataset] = ()) -> list[list[str]]:
    """The table as rows of text, the head first: the published datasets, then one's own."""
    titles = list(_published().columns)
    head = ["Dataset", "Pancreatic tumours", "CTs", "Institutions", "Countries", *titles, "Source"]
    return [head, *(_row(item, titles) for item in (*public_datasets(), *own))]


def labels_without_tick() -> dict[str, tuple[str, ...]]:
    """Published datasets whose own labels hold structures that the published table does not tick.

    Example:
        >>> labels_without_tick()["LiTS"]
        ('liver',)
    """
    found = {}
    for item in public_datasets():
        held = set(source_named(item.own_source).annotated) if item.own_source else set()
        titles = (title for title, asked in structure_columns().items() if held.issuperset(asked))
        extra = tuple(title for title in titles if title not in item.ticks)
        if extra:
            found[item.name] = extra
    return found


def _row(item: ComparedDataset, titles: Sequence[str]) -> list[str]:
    name = f"{item.name} ({item.year})" if item.year else item.name
    numbers = (item.tumours, item.scans, item.institutions, item.countries)
    told = [_UNKNOWN if number is None else f"{number:,}" for number in numbers]
    return [name, *told, *(_YES if title in item.ticks else _NO for title in titles), item.source]


@cache
def _published() -> _Published:
    text = files("wirsung.datasets").joinpath(_FILE).read_text(encoding="utf-8")
    found: dict[str, Any] = tomllib.loads(text)
    columns = {title: tuple(asked) for title, asked in found["columns"].items()}
    datasets = tuple(_dataset(entry, columns, found["source"]) for entry in found["dataset"])
    return _Published(found["source"], columns, datasets)


def _dataset(entry: dict[str, Any], columns: Mapping[str, tuple[str, ...]], source: str) -> ComparedDataset:
    note = f"{entry['note']} ({entry['note_source']})" if "note" in entry else ""
    return ComparedDataset(
        entry["name"],
        entry.get("year"),
        entry["tumours"],
        entry["scans"],
        entry["institutions"],
        entry["countries"],
        frozenset(columns if entry["ticks"] == "all" else entry["ticks"]),
        source,
        note,
        entry.get("own_source", ""),
    )
