"""What is known of cases beside their scores: a dataset's manifest, or any table with a column `case`."""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wirsung.datasets.layout import Dataset, is_dataset
from wirsung.datasets.manifest import MANIFEST_FILE, manifest_rows
from wirsung.errors import ManifestError

CaseTable = Mapping[str, Mapping[str, Any]]
"""Case to column to value; None where nobody knows."""

NAMES_OF_CASE = ("case", "name", "id")
"""How the column that names the case may be called."""

_NAMES = frozenset({*NAMES_OF_CASE, "patient", "structure", "metric", "method", "reason", "protocol"})
"""Columns that stay text, whatever they look like: case 1e5 is no number."""


def read_case_table(path: Path) -> CaseTable:
    """A row a case, from a dataset, a Parquet file or a CSV; numbers in a CSV become numbers.

    Raises:
        ManifestError: It is missing or damaged, has no column for the case, or has a case twice.
    """
    if is_dataset(path):
        rows = [asdict(row) for row in manifest_rows(Dataset.open(path))]
    elif path.is_dir() or path.suffix == ".parquet":
        rows = _parquet(path / MANIFEST_FILE if path.is_dir() else path)
    else:
        rows = csv_rows(path)
    return _by_case(rows, path)


def csv_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV with a header: numbers, but text in columns of names; an empty cell is None.

    Commas, semicolons or tabs separate cells, as the header has most of.

    Raises:
        ManifestError: It is missing, no text, or has rows of different length.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            text = file.read()
        separator = max(",;\t", key=text.partition("\n")[0].count)
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if line]
    except FileNotFoundError as error:
        msg = f"{path} is not there."
        raise ManifestError(msg) from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} can't be read as a table. It must be CSV in UTF-8 with a header."
        raise ManifestError(msg) from error
    if not lines:
        msg = f"{path} is empty. It must be CSV with a header."
        raise ManifestError(msg)
    header, body = [name.strip() for name in lines[0]], lines[1:]
    for number, line in enumerate(body, start=2):
        if len(line) != len(header):
            msg = f"{path}: row {number} has {len(line)} cells, but the header has {len(header)}."
            raise ManifestError(msg)
    return [
        {name: _value(text, is_name=name in _NAMES) for name, text in zip(header, line, strict=True)}
        for line in body
    ]


def patients_of(table: CaseTable) -> dict[str, str]:
    """Case to patient, where the table says so."""
    found = {case: row.get("patient") for case, row in table.items()}
    return {case: str(patient) for case, patient in found.items() if patient is not None}


def case_column(columns: list[str]) -> str | None:
    """The column that names the case; None where there is none.

    Example:
        >>> case_column(["pancreas", "name"])
        'name'
    """
    return next((name for name in NAMES_OF_CASE if name in columns), None)


def _by_case(rows: list[dict[str, Any]], path: Path) -> CaseTable:
    column = case_column(list(rows[0])) if rows else None
    if column is None:
        msg = f"{path} has no column that names the case. Call it case."
        raise ManifestError(msg)
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        case = row[column]
        if case is None or str(case) in found:
            what = f"case {case} twice" if case is not None else "a row without a case"
            msg = f"{path} has {what}. Each case has one row."
            raise ManifestError(msg)
        found[str(case)] = {name: value for name, value in row.items() if name != column}
    return found


def _parquet(path: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except FileNotFoundError as error:
        msg = f"{path} is not there. Name a dataset, or a table with a column case."
        raise ManifestError(msg) from error
    except (pa.ArrowException, OSError) as error:
        msg = f"{path} is damaged or not Parquet."
        raise ManifestError(msg) from error
    return rows


def _value(text: str, *, is_name: bool) -> str | float | int | None:
    """A number where it reads as one without loss, such as not 007."""
    text = text.strip()
    if not text or is_name:
        return text or None
    try:
        number = float(text)
    except ValueError:
        return text
    if text.lstrip("+-").isdigit():
        return int(text) if str(int(text)) == text else text
    return number
