"""`metadata.xlsx` of a release of PanTS, as far as the audit needs it: phase, sex, age, tumour flag, shape.

Columns are found by their headings, as later versions of the table have more of them.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from openpyxl import load_workbook  # type: ignore[import-untyped]

from wirsung.curation.metadata import canonical_phase
from wirsung.datasets.manifest import ManifestRow
from wirsung.errors import ManifestError

RELEASE_TABLE = "metadata.xlsx"

_ID = ("pants id", "bdmap id")
_SHAPE = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)")


def read_release_table(root: Path) -> dict[str, ManifestRow]:
    """What the table beside the cases says of each, by case; nothing where there is no table.

    A cell that can't be understood counts as empty; nothing of it is shown.

    Raises:
        ManifestError: It is no Excel file, or has no column of ids.
    """
    path = root / RELEASE_TABLE
    if not path.is_file():
        return {}
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        msg = f"{path} is no Excel file ({type(error).__name__}). Download it again, or move it away."
        raise ManifestError(msg) from error
    try:
        rows = book.worksheets[0].iter_rows(values_only=True)
        heads = [str(cell or "").strip().lower() for cell in next(rows, ())]
        if not any(name in heads for name in _ID):
            msg = f"{path} has no column 'PanTS ID'. Download it again, or move it away."
            raise ManifestError(msg)
        found = (_row(dict(zip(heads, cells, strict=False))) for cells in rows)
        return {row.case: row for row in found if row is not None}
    finally:
        book.close()


def _row(cells: dict[str, Any]) -> ManifestRow | None:
    case = next((str(cells[name]).strip() for name in _ID if cells.get(name)), "")
    if not case:
        return None
    values = {
        column: parse(str(cells[head]))
        for column, (head, parse) in _COLUMNS.items()
        if cells.get(head) is not None
    }
    shape = values.pop("shape", None) or (None, None, None)
    return ManifestRow(case, case, shape_i=shape[0], shape_j=shape[1], shape_k=shape[2], **values)


def _sex(text: str) -> str | None:
    letter = text.strip().upper()
    return letter if letter in ("F", "M", "O") else None


def _age(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None


def _flag(text: str) -> bool | None:
    return {"0": False, "1": True}.get(text.strip())


def _shape(text: str) -> tuple[int, ...] | None:
    found = _SHAPE.fullmatch(text.strip())
    return tuple(int(length) for length in found.groups()) if found else None


_COLUMNS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "phase": ("ct phase", canonical_phase),
    "sex": ("sex", _sex),
    "age_years": ("age", _age),
    "tumour": ("tumor?", _flag),
    "shape": ("shape", _shape),
}
