"""`metadata.csv` of a raw cohort, or `metadata.xlsx` of PanTS: what is known of each case beside its image.

Nothing in it is copied as it stands: a value is a number, a word from a closed list, or a code that matches a
pattern. A value that is none of these fails its case, and is never shown, as it may be a name.
"""

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wirsung.datasets.layout import MODALITIES, is_dataset
from wirsung.datasets.manifest import MANIFEST_FILE, ManifestRow, rows_of_manifest
from wirsung.errors import ManifestError

METADATA_FILE = "metadata.csv"
RELEASE_FILE = "metadata.xlsx"
OLDEST_YEARS = 90
"""Ages above are told as this one: so few are older that the age would name them."""

_CENTRE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_PATIENT = re.compile(r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_AGE = re.compile(r"[0-9]{1,3}(\.0)?")
_RELEASE_COLUMNS = ("phase", "sex", "age", "tumour")
_PHASES = {
    "non-contrast": "non-contrast",
    "native": "non-contrast",
    "arterial": "arterial",
    "pancreatic": "pancreatic",
    "venous": "venous",
    "portal": "venous",
    "portal-venous": "venous",
    "delay": "delayed",
    "delayed": "delayed",
}
_SEXES = {"f": "F", "female": "F", "m": "M", "male": "M", "o": "O", "other": "O"}
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True)
class Metadata:
    """What `metadata.csv` says of one case."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """Column to value, for the cells that are filled."""
    problem: str = ""
    """Why the row can't be used; empty where it can."""
    repairs: tuple[str, ...] = ()
    """Cells that were changed before they were used, each with what it was."""

    def over(self, other: "Metadata") -> "Metadata":
        """This, and of another what this does not say."""
        return replace(self, values={**other.values, **self.values})

    def applied_to(self, row: ManifestRow) -> ManifestRow:
        """The manifest's row with what the metadata says put over it."""
        return replace(row, **self.values)


def read_metadata(folder: Path) -> tuple[dict[str, Metadata], list[str]]:
    """The rows of `metadata.csv` by case, and the columns that were ignored; nothing where there is no file.

    In place of it there may be `metadata.xlsx` as PanTS publishes it, see `read_release`.

    Raises:
        ManifestError: It is not UTF-8, not a table, or has no column `case`; or both files are there.
    """
    path, release = folder / METADATA_FILE, folder / RELEASE_FILE
    if release.is_file():
        if path.is_file():
            msg = f"{folder} has {METADATA_FILE} and {RELEASE_FILE}. Keep the one that counts."
            raise ManifestError(msg)
        table = read_release(release)
        return dict(table.rows), list(table.ignored)
    if not path.is_file():
        return {}, []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path} is not UTF-8. Save it anew as CSV in UTF-8."
        raise ManifestError(msg) from error
    heading = text.partition("\n")[0]
    reader = csv.DictReader(text.splitlines(), delimiter=";" if ";" in heading else ",", strict=True)
    # Without the column nothing of the heading is shown: it may be the first patient.
    if "case" not in (reader.fieldnames or ()):
        msg = f"{path} has no column named case. Its columns may be case, {', '.join(_COLUMNS)}."
        raise ManifestError(msg)
    found: dict[str, Metadata] = {}
    try:
        for row in reader:
            case = (row["case"] or "").strip()
            found[case] = _twice(case) if case in found else _parsed(case, row)
    except csv.Error as error:
        msg = f"{path}, line {reader.line_num}, is not CSV. Mend the line."
        raise ManifestError(msg) from error
    return found, sorted(set(reader.fieldnames or ()) - {"case", "", *_COLUMNS})


def read_manifest_metadata(root: Path) -> dict[str, Metadata]:
    """What the manifest of a dataset that is curated again says of its cases; nothing where there is none.

    It is held to the same rules as `metadata.csv`; a value that breaks them is left out.

    Raises:
        ManifestError: The manifest is damaged.
    """
    if not is_dataset(root) or not (root / MANIFEST_FILE).is_file():
        return {}
    return {
        case: Metadata(
            {
                column: value
                for column, (parse, _) in _COLUMNS.items()
                if column != "modality" and (value := _told(parse, getattr(row, column))) is not None
            }
        )
        for case, row in rows_of_manifest(root).items()
    }


def _told(parse: Callable[[str], Any], value: object) -> Any:  # noqa: ANN401 - whatever the column holds
    return None if value is None else parse(str(value))


@dataclass(frozen=True)
class Release:
    """The table of PanTS as metadata of cases."""

    rows: Mapping[str, Metadata]
    ignored: tuple[str, ...]
    """Columns that are not PanTS's."""
    repairs: tuple[str, ...]
    """Each cell that was changed, with what it was, for people."""


def read_release(path: Path) -> Release:
    """`metadata.xlsx` as PanTS publishes it: phase, sex, age and tumour flag of each case.

    Blanks stay blank, stray spaces are taken off, and ages over 89 become 90. Shape and spacing come from the
    images, the vendor from their headers.

    Raises:
        ManifestError: It is no .xlsx, a column is missing, or a value is not what its column holds.
    """
    # openpyxl takes a while, and few need it.
    from wirsung.datasets.release_metadata import COLUMNS, read_release_metadata

    table = read_release_metadata(path)
    repairs: dict[str, list[str]] = {}
    used: dict[str, tuple[str, ...]] = {}
    for item in table.repairs:
        head = COLUMNS.get(item.column, (item.column,))[0]
        line = f"{item.case}: {head} {item.found!r} was read as {item.made or 'nothing'}"
        repairs.setdefault(item.case, []).append(line)
        if item.column in _RELEASE_COLUMNS:
            used[item.case] = (*used.get(item.case, ()), line)
    rows = {}
    for row in table.rows:
        age = None if row.age_years is None else min(row.age_years, OLDEST_YEARS)
        told = {"phase": row.phase, "sex": row.sex, "age_years": age, "tumour": row.tumour}
        values = {column: value for column, value in told.items() if value is not None}
        rows[row.case] = Metadata(values, repairs=used.get(row.case, ()))
    lines = tuple(line for of_case in repairs.values() for line in of_case)
    return Release(rows, table.ignored, lines)


def canonical_phase(text: str) -> str | None:
    """The contrast phase by its one name, None where it is none.

    Example:
        >>> canonical_phase("Portal venous"), canonical_phase("late")
        ('venous', None)
    """
    return _PHASES.get(re.sub(r"[\s_]+", "-", text.strip().lower()))


def _twice(case: str) -> Metadata:
    return Metadata(problem=f"{METADATA_FILE} has two rows for case {case}. Keep one.")


def _parsed(case: str, row: Mapping[str | None, Any]) -> Metadata:
    values: dict[str, Any] = {}
    if None in row or None in row.values():
        return Metadata(problem=f"{METADATA_FILE}: case {case} has too many or too few cells.")
    for column, (parse, allowed) in _COLUMNS.items():
        text = (row.get(column) or "").strip()
        if not text:
            continue
        value = parse(text)
        if value is None:
            why = f"{column} of case {case} is not {allowed}. Mend the cell, or leave it empty."
            return Metadata(problem=f"{METADATA_FILE}: {why}")
        values[column] = value
    return Metadata(values)


def _age(text: str) -> int | None:
    years = int(float(text)) if _AGE.fullmatch(text) else -1
    return min(years, OLDEST_YEARS) if 0 <= years <= 130 else None


def _code(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    return lambda text: text if pattern.fullmatch(text) else None


def _word(known: Mapping[str, Any]) -> Callable[[str], Any]:
    return lambda text: known.get(text.lower())


_COLUMNS: dict[str, tuple[Callable[[str], Any], str]] = {
    "patient": (_code(_PATIENT), "a code: letters, digits and . _ - with at least one digit"),
    "centre": (_code(_CENTRE), "a code: up to 32 letters, digits and . _ -"),
    "modality": (_word({name: name for name in MODALITIES}), "ct, t1, t2 or mr"),
    "phase": (canonical_phase, "non-contrast, arterial, pancreatic, venous or delayed"),
    "sex": (_word(_SEXES), "F, M or O"),
    "age_years": (_age, "a whole number of years from 0 to 130"),
    "tumour": (_word(_FLAGS), "0 or 1"),
}
