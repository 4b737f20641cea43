"""What a dataset's tables lack: how often each value is missing, and which values are missing together."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from wirsung.datasets.contents import Contents

COLUMNS = {
    "age_years": "age",
    "sex": "sex",
    "phase": "contrast phase",
    "centre": "centre",
    "manufacturer": "manufacturer",
    "tumour": "tumour",
    "spacing_k_mm": "spacing",
    "has_labels": "labels",
    "image_sha256": "image checksum",
}
"""Columns of the manifest that are looked at, and their titles; a case without labels lacks `has_labels`."""

MOST_PATTERNS = 12


@dataclass(frozen=True)
class Pattern:
    """Cases that lack the same values."""

    lacks: tuple[str, ...]
    """Titles of the columns; empty where nothing is missing."""
    cases: int


@dataclass(frozen=True)
class Missing:
    """The gaps of one dataset."""

    cases: int
    counts: dict[str, int]
    """Title of a column to the cases that lack it."""
    patterns: tuple[Pattern, ...]
    """The commonest first."""


def find_missing(contents: Contents) -> Missing:
    """How often each value is missing, and which are missing together.

    A column that a table of a release alone can't have, such as checksums, is not looked at.
    """
    gaps = {title: _gaps(contents, name) for name, title in COLUMNS.items() if _is_asked(contents, name)}
    titles = list(gaps)
    matrix = np.array([gaps[title] for title in titles], dtype=bool).reshape(len(titles), contents.cases)
    found = Counter(map(tuple, matrix.T.tolist()))
    patterns = [
        Pattern(tuple(title for title, lacks in zip(titles, row, strict=True) if lacks), count)
        for row, count in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]
    return Missing(
        contents.cases, {title: int(sum(values)) for title, values in gaps.items()}, tuple(patterns)
    )


def missing_by_level(contents: Contents, column: str, by: str) -> dict[str, tuple[int, int]]:
    """Level of another column to how many of its cases lack a value, and how many it has.

    Example: of which centres is the age not known?
    """
    levels = contents.manifest[by].to_pylist()
    gaps = _gaps(contents, column)
    totals = Counter("unknown" if level is None else str(level) for level in levels)
    lacking = Counter(
        "unknown" if level is None else str(level) for level, gap in zip(levels, gaps, strict=True) if gap
    )
    return {level: (lacking[level], total) for level, total in totals.most_common()}


def _is_asked(contents: Contents, column: str) -> bool:
    return contents.dataset is not None or column not in ("has_labels", "image_sha256")


def _gaps(contents: Contents, column: str) -> list[bool]:
    values: list[Any] = contents.manifest[column].to_pylist()
    if column == "has_labels":
        return [not value for value in values]
    return [value is None for value in values]
