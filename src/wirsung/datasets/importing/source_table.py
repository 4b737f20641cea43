"""A source's own table of its cases, as values of the manifest."""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from wirsung.datasets.importing.patterns import compiled
from wirsung.datasets.sources import Source, Table
from wirsung.errors import ManifestError

OLDEST_YEARS = 90
"""Ages above are told as this one, as curation does."""

_SEXES = {"f": "F", "female": "F", "w": "F", "m": "M", "male": "M", "o": "O", "other": "O"}
_MAKERS = (
    "siemens",
    "ge",
    "philips",
    "toshiba",
    "canon",
    "hitachi",
    "uih",
    "neusoft",
    "shimadzu",
    "fujifilm",
)
_SPELT = {"ge": "GE", "uih": "UIH"}
_AGE = re.compile(r"0*(\d{1,3})(?:\.\d+)?\s*[Yy]?")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,;()_-]{0,99}")
_PHASES = ("non-contrast", "arterial", "pancreatic", "venous", "delayed")
_SUBSETS = ("train", "test")


@dataclass(frozen=True)
class SourceTable:
    """The rows that could be read, by the source's id of the case."""

    file: str
    rows: Mapping[str, Mapping[str, Any]]
    unread: Mapping[str, int]
    """How many cells of a column held what its column does not."""
    ignored: tuple[str, ...] = ()
    """Columns of a PanTS table that we do not know."""


def read_source_table(source: Source, folder: Path, files: Iterable[str]) -> SourceTable | None:
    """The table of the source in the folder or beside it; None where there is none.

    Raises:
        ManifestError: It is damaged, or its columns are not the known ones; the message names them.
    """
    if source.table is None:
        return None
    path = _place(source.table, folder, files)
    if path is None:
        return None
    return _pants(path) if source.table.kind == "pants" else _plain(source.table, path)


def _place(table: Table, folder: Path, files: Iterable[str]) -> Path | None:
    expression = compiled(table.file, "x")
    inside = [name for name in files if expression.fullmatch(name)]
    if inside:
        return folder / min(inside, key=lambda name: (name.count("/"), name))
    beside = folder.resolve().parent / table.file
    return beside if beside.is_file() else None


def _pants(path: Path) -> SourceTable:
    from wirsung.datasets.release_metadata import read_release_metadata  # openpyxl takes a while to import

    found = read_release_metadata(path)
    rows = {}
    for row in found.rows:
        told = {
            "phase": row.phase,
            "sex": row.sex,
            "age_years": None if row.age_years is None else min(row.age_years, OLDEST_YEARS),
            "manufacturer": row.manufacturer,
            "centre": row.site_detail or row.site,
            "tumour": row.tumour,
        }
        rows[row.case] = {column: value for column, value in told.items() if value is not None}
    return SourceTable(path.name, rows, {}, found.ignored)


def _plain(table: Table, path: Path) -> SourceTable:
    cells = list(_CELLS[path.suffix](table, path))
    _check_columns(table, path, cells)
    rows: dict[str, dict[str, Any]] = {}
    unread: Counter[str] = Counter()
    for line in cells:
        own = table.case_format.format(_text(line[table.case]))
        values = {}
        for column, title in table.columns.items():
            text = _text(line.get(title))
            value = _value(table, column, text)
            unread[column] += int(bool(text) and value is None and not _is_silent(table, column, text))
            if value is not None:
                values[column] = value
        if rows.setdefault(own, values) != values:
            msg = f"{path.name}: case {own} has two rows that differ. Remove one of them."
            raise ManifestError(msg)
    return SourceTable(path.name, rows, {column: count for column, count in unread.items() if count})


def _check_columns(table: Table, path: Path, cells: list[dict[str, Any]]) -> None:
    if not cells:
        msg = f"{path.name} has no rows. Download it again, or leave it out with --no-table."
        raise ManifestError(msg)
    wanted = {table.case, *table.columns.values()}
    titles = set().union(*(line.keys() for line in cells))
    missing = sorted(wanted - titles)
    if missing:
        others = ", ".join(map(repr, sorted(str(title) for title in titles - wanted)[:10])) or "no others"
        msg = (
            f"{path.name} lacks the columns {', '.join(map(repr, missing))}; new are {others}. "
            "Rename them, or leave the table out with --no-table."
        )
        raise ManifestError(msg)


def _value(table: Table, column: str, text: str) -> Any:  # noqa: ANN401 - each column has its own type
    words = table.words.get(column)
    if words is not None:
        text = words.get(text.lower(), "")
    return _PARSERS[column](text) if text else None


def _is_silent(table: Table, column: str, text: str) -> bool:
    """Whether the words of the column say that this one means nothing."""
    return table.words.get(column, {}).get(text.lower()) == ""


def _text(cell: object) -> str:
    return "" if cell is None else " ".join(str(cell).split())


def _maker(text: str) -> str | None:
    first = re.split(r"[^a-z]", text.lower())[0]
    found = next((name for name in _MAKERS if name == first), None)
    return None if found is None else _SPELT.get(found, found.capitalize())


def _age(text: str) -> int | None:
    match = _AGE.fullmatch(text)
    years = int(match.group(1)) if match else -1
    return min(years, OLDEST_YEARS) if 0 <= years <= 130 else None


def _code(text: str) -> str | None:
    return text if _CODE.fullmatch(text) and text.lower() not in ("na", "nan", "none") else None


def _one_of(words: tuple[str, ...]) -> Callable[[str], str | None]:
    return lambda text: text.lower() if text.lower() in words else None


_PARSERS: dict[str, Callable[[str], Any]] = {
    "patient": _code,
    "centre": _code,
    "phase": _one_of(_PHASES),
    "sex": lambda text: _SEXES.get(text.lower()),
    "age_years": _age,
    "manufacturer": _maker,
    "subset": _one_of(_SUBSETS),
    "tumour": lambda text: {"0": False, "1": True}.get(text),
}


def _csv(table: Table, path: Path) -> Iterable[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [dict(row) for row in csv.DictReader(file, delimiter=table.delimiter)]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise _damaged(path, error) from error


def _json(table: Table, path: Path) -> Iterable[dict[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return [dict(row) for row in found]
    except (ValueError, TypeError, OSError) as error:
        raise _damaged(path, error) from error


def _xlsx(table: Table, path: Path) -> Iterable[dict[str, Any]]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = list(book.worksheets[0].iter_rows(values_only=True))
        book.close()
    except (OSError, BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise _damaged(path, error) from error
    if not rows:
        return []
    titles = [_text(cell) for cell in rows[0]]
    return [dict(zip(titles, row, strict=False)) for row in rows[1:] if any(cell is not None for cell in row)]


def _damaged(path: Path, error: Exception) -> ManifestError:
    return ManifestError(
        f"{path.name} can't be read as a table ({type(error).__name__}). "
        "Download it again, or leave it out with --no-table."
    )


_CELLS: dict[str, Callable[[Table, Path], Iterable[dict[str, Any]]]] = {
    ".csv": _csv,
    ".json": _json,
    ".xlsx": _xlsx,
}
