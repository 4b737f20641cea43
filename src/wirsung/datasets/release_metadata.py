"""The metadata table of a PanTS release (`metadata.xlsx`), read without losing a value.

What is repaired is listed with what was found, so that the table as published can be told from ours.
Columns are found by name: a later release has more of them, and other copies call two by other names.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

import numpy as np
import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from wirsung.datasets.layout import is_case_id
from wirsung.datasets.tables.cohort import Cohort, slice_axis
from wirsung.errors import ManifestError

COLUMNS = {
    "case": ("PanTS ID", "BDMAP ID", "BDMAP_ID"),
    "shape": ("shape",),
    "spacing": ("spacing",),
    "phase": ("ct phase",),
    "sex": ("sex",),
    "age": ("age",),
    "manufacturer": ("manufacturer",),
    "model": ("manufacturer model",),
    "study_type": ("study type",),
    "site": ("site",),
    "site_detail": ("site detail",),
    "nationality": ("site nationality",),
    "study_year": ("study year",),
    "tumour": ("tumor?", "number of pancreatic lesion instances"),
}
"""What we call a column, and what the releases call it."""
OPTIONAL = {"report": ("structured report",)}

_PHASES = {"non-contrast": "non-contrast", "venous": "venous", "arterial": "arterial", "delay": "delayed"}
_MAKERS = {"siemens": "Siemens", "ge": "GE", "philips": "Philips", "toshiba": "Toshiba", "canon": "Canon"}
_YEAR = re.compile(r"(?:19|20)\d\d")
_NUMBER = r"\s*(\d+(?:\.\d+)?)\s*"
_TRIPLE = re.compile(rf"\({_NUMBER},{_NUMBER},{_NUMBER}\)")
_OLDEST = 120

T = TypeVar("T")


@dataclass(frozen=True)
class ReleaseRow:
    """One case as the release tells of it; None where it does not."""

    case: str
    shape: tuple[int, int, int]
    """In the order of the file's axes."""
    spacing_mm: tuple[float, float, float]
    """In the order of the file's axes, which is not always that of the body's."""
    phase: str | None
    """non-contrast, arterial, venous or delayed."""
    sex: str | None
    """F or M."""
    age_years: int | None
    manufacturer: str | None
    model: str | None
    study_type: str | None
    site: str | None
    site_detail: str | None
    nationality: str | None
    study_years: tuple[int, ...]
    """All years that the column names; the first and the last of a range."""
    tumour: bool
    report: str | None = None


@dataclass(frozen=True)
class Repair:
    """A value that was changed, and what it was."""

    case: str
    column: str
    found: str
    made: str
    """Empty where nothing was left."""


@dataclass(frozen=True)
class ReleaseMetadata:
    """The whole table."""

    rows: tuple[ReleaseRow, ...]
    """Sorted by case."""
    repairs: tuple[Repair, ...]
    ignored: tuple[str, ...] = field(default=())
    """Columns that we do not know."""

    def summary(self) -> list[str]:
        """How often each column was repaired, for people."""
        counts = Counter(repair.column for repair in self.repairs)
        return [f"{column}: {count} repaired" for column, count in sorted(counts.items())]


def read_release_metadata(path: Path) -> ReleaseMetadata:
    """Read the table of a release.

    Raises:
        ManifestError: It is no .xlsx, a column is missing, a case is there twice, or a value is not what its
            column holds.
    """
    header, body = _sheet(path)
    places, ignored = _places(header, path)
    lines = [_Cells(cells, places, path.name) for cells in body if any(cell is not None for cell in cells)]
    rows, respelt = _one_spelling(sorted(map(_row, lines), key=lambda row: row.case))
    for one, other in pairwise(rows):
        if one.case == other.case:
            msg = f"{path.name}: case {one.case} has two rows. Remove one of them."
            raise ManifestError(msg)
    repairs = [*(repair for cells in lines for repair in cells.repairs), *respelt]
    return ReleaseMetadata(rows, tuple(sorted(repairs, key=lambda repair: repair.case)), ignored)


def release_cohort(name: str, rows: Sequence[ReleaseRow]) -> Cohort:
    """What Table 1 tells of those cases; volumes and HU are not in the release's table.

    Example:
        >>> row = ReleaseRow("a", (9, 9, 5), (.8, .8, 3.), "venous", "F", 60, *[None] * 6, (), True)
        >>> release_cohort("mine", [row]).numbers["slice_thickness_mm"]
        array([3.])
    """
    spacing = np.array([row.spacing_mm for row in rows], dtype=np.float64).reshape(-1, 3)
    axis = slice_axis(spacing)
    each = np.arange(len(rows))
    ages = [np.nan if row.age_years is None else row.age_years for row in rows]
    return Cohort(
        name,
        len(rows),
        {
            "age_years": np.array(ages, dtype=np.float64),
            "in_plane_spacing_mm": spacing[each, (axis + 1) % 3],
            "slice_thickness_mm": spacing[each, axis],
        },
        {
            "sex": [row.sex for row in rows],
            "phase": [row.phase for row in rows],
            "tumour": ["yes" if row.tumour else "no" for row in rows],
        },
    )


def _sheet(path: Path) -> tuple[tuple[object, ...], list[tuple[object, ...]]]:
    """The first row and all others of the first sheet."""
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = list(book.worksheets[0].iter_rows(values_only=True))
        book.close()
    except (OSError, BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        msg = f"{path} is missing or no .xlsx table. Download it again."
        raise ManifestError(msg) from error
    if not rows:
        msg = f"{path.name} is empty. Download it again."
        raise ManifestError(msg)
    return rows[0], rows[1:]


def _places(header: Sequence[object], path: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    """Our column to its place."""
    names = ["" if cell is None else str(cell).strip() for cell in header]
    known = {title: column for column, titles in (COLUMNS | OPTIONAL).items() for title in titles}
    places = {known[name]: index for index, name in enumerate(names) if name in known}
    others = tuple(name for name in names if name and name not in known)
    missing = [COLUMNS[column][0] for column in COLUMNS if column not in places]
    if missing:
        near = f" It has {', '.join(map(repr, others))} instead." if others else ""
        msg = f"{path.name} lacks the columns {', '.join(map(repr, missing))}.{near} Rename them."
        raise ManifestError(msg)
    return places, others


class _Cells:
    """The cells of one row, and what is repaired while they are read."""

    def __init__(self, cells: Sequence[object], places: dict[str, int], file: str) -> None:
        self._values = {column: cells[index] for column, index in places.items() if index < len(cells)}
        self._file = file
        self.case = str(self._values.get("case") or "").strip()
        self.repairs: list[Repair] = []

    def read(self, column: str, parse: Callable[[str], T | None]) -> T | None:
        """The cell; None where it is blank or says nothing."""
        found = self._values.get(column)
        if found is None or found == "":
            return None
        text, made = str(found), self._parsed(column, str(found), parse)
        if made is None or (isinstance(made, str) and made != text):
            self.repairs.append(Repair(self.case, column, text, made if isinstance(made, str) else ""))
        return made

    def translate(self, column: str, words: Mapping[str, str]) -> str | None:
        """The cell in our word for it, which is no repair; None where it is blank."""
        found = self._values.get(column)
        return None if found is None else self._parsed(column, str(found), lambda text: words[text.lower()])

    def required(self, column: str, parse: Callable[[str], T | None]) -> T:
        """The cell, which must say something."""
        made = self.read(column, parse)
        if made is None:
            raise self._wrong(column, "nothing")
        return made

    def _parsed(self, column: str, text: str, parse: Callable[[str], T]) -> T:
        try:
            return parse(text)
        except (ValueError, KeyError, IndexError) as error:
            raise self._wrong(column, repr(text)) from error

    def _wrong(self, column: str, found: str) -> ManifestError:
        title = (COLUMNS | OPTIONAL)[column][0]
        return ManifestError(
            f"{self._file}: case {self.case!r} has {found} in the column {title!r}. Mend it."
        )


def _row(cells: _Cells) -> ReleaseRow:
    return ReleaseRow(
        case=cells.required("case", _case),
        shape=cells.required("shape", _shape),
        spacing_mm=cells.required("spacing", _triple),
        phase=cells.translate("phase", _PHASES),
        sex=cells.read("sex", _sex),
        age_years=cells.read("age", _age),
        manufacturer=cells.read("manufacturer", _maker),
        model=cells.read("model", _words),
        study_type=cells.read("study_type", lambda text: (_words(text) or "").lower() or None),
        site=cells.read("site", _words),
        site_detail=cells.read("site_detail", _words),
        nationality=cells.read("nationality", _words),
        study_years=cells.read("study_year", _years) or (),
        tumour=cells.required("tumour", _flag),
        report=cells.read("report", str),
    )


def _one_spelling(rows: Sequence[ReleaseRow]) -> tuple[tuple[ReleaseRow, ...], list[Repair]]:
    """Models that differ in upper and lower case alone get the spelling that most rows have."""
    counts = Counter(row.model for row in rows if row.model is not None)
    best: dict[str, str] = {}
    for spelling, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        best.setdefault(spelling.casefold(), spelling)
    made, repairs = [], []
    for row in rows:
        model = None if row.model is None else best[row.model.casefold()]
        if row.model is not None and model != row.model:
            repairs.append(Repair(row.case, "model", row.model, model or ""))
        made.append(replace(row, model=model))
    return tuple(made), repairs


def _case(text: str) -> str:
    if not is_case_id(text.strip()):
        raise ValueError
    return text.strip()


def _triple(text: str) -> tuple[float, float, float]:
    match = _TRIPLE.fullmatch(text.strip())
    if match is None:
        raise ValueError
    one, two, three = map(float, match.groups())
    if not min(one, two, three) > 0:
        raise ValueError
    return one, two, three


def _shape(text: str) -> tuple[int, int, int]:
    one, two, three = map(int, _triple(text))
    return one, two, three


def _sex(text: str) -> str:
    made = text.strip().upper()
    if made not in ("F", "M"):
        raise ValueError
    return made


def _age(text: str) -> int:
    age = int(text)
    if not 0 <= age <= _OLDEST:
        raise ValueError
    return age


def _maker(text: str) -> str:
    return _MAKERS[text.split()[0].lower()]


def _words(text: str) -> str | None:
    """Single spaces, none around; None where the text says that nothing is known."""
    made = " ".join(text.split())
    return None if made in ("", "NA") else made


def _years(text: str) -> tuple[int, ...]:
    years = tuple(map(int, _YEAR.findall(text)))
    if not years:
        raise ValueError
    return years


def _flag(text: str) -> bool:
    return {"0": False, "1": True}[text.strip()]
