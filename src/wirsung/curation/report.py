"""The page of a curation: what was accepted, repaired and refused, why, and what it looks like."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wirsung.curation.places import picture_path
from wirsung.curation.verdicts import REPAIRS, SET_ASIDE, Kind, Verdict
from wirsung.pages.figures import data_uri
from wirsung.pages.template import (
    Block,
    Cell,
    Notice,
    Page,
    Paragraph,
    Picture,
    Section,
    Table,
    Tile,
    Tiles,
    write_page,
)

PAGE_FILE = "curation.html"
VERDICTS_FILE = "verdicts.parquet"
_MOST_PICTURES = 200
"""Of 5 kB each; a page of all 36,390 cases of a large cohort would be no page."""
_MOST_ROWS = 2000
_WIDTH_PX = 160


@dataclass(frozen=True)
class CaseVerdict:
    """One case and what became of it."""

    case: str
    verdict: Verdict


def write_report(
    path: Path, name: str, verdicts: Sequence[CaseVerdict], counts: Mapping[str, int], out: Path
) -> None:
    """Write the page.

    Args:
        path: The page.
        name: Of the dataset.
        verdicts: One a case, sorted.
        counts: Of what the index set aside, by code.
        out: The dataset, whose pictures are shown.

    Raises:
        StorageError: The page can't be written.
    """
    by_kind: dict[Kind, list[CaseVerdict]] = {"accept": [], "repair": [], "quarantine": []}
    for item in verdicts:
        by_kind[item.verdict.kind].append(item)
    sections = [
        Section("Refused", _refused(by_kind["quarantine"])),
        Section("Repaired", _repaired(by_kind["repair"], out)),
        Section("Accepted as they are", _pictures(by_kind["accept"], out)),
        Section("Set aside", _set_aside(counts)),
    ]
    overview = Section("Overview", (_tiles(by_kind, counts),))
    page = Page(
        title=f"Curation of {name}",
        lead="Every image of the source has one verdict; nothing was written without one.",
        sections=(overview, *sections),
        overline="wirsung curate",
        definitions=tuple(REPAIRS.items()),
    )
    write_page(path, page)


def _tiles(by_kind: Mapping[Kind, Sequence[CaseVerdict]], counts: Mapping[str, int]) -> Tiles:
    aside = sum(counts.get(code, 0) for code in SET_ASIDE)
    return Tiles(
        (
            Tile("accepted", str(len(by_kind["accept"])), "cases"),
            Tile("repaired", str(len(by_kind["repair"])), "cases, each marked"),
            Tile("refused", str(len(by_kind["quarantine"])), "not in the dataset"),
            Tile("set aside", str(aside), "files that are no slices"),
        )
    )


def _refused(items: Sequence[CaseVerdict]) -> tuple[Block, ...]:
    if not items:
        return (Paragraph("Nothing was refused."),)
    times = Counter(item.verdict.code for item in items)
    overview = Table(
        ("code", "cases"),
        tuple((code, Cell(str(count), count)) for code, count in times.most_common()),
        "How often each reason occurs.",
    )
    return (overview, *_rows(items, "What is wrong, and what to do."))


def _repaired(items: Sequence[CaseVerdict], out: Path) -> tuple[Block, ...]:
    if not items:
        return (Paragraph("Nothing needed repair."),)
    return (*_rows(items, "What was done."), *_pictures(items, out))


def _rows(items: Sequence[CaseVerdict], heading: str) -> tuple[Block, ...]:
    rows = tuple((item.case, item.verdict.code, item.verdict.sentence) for item in items[:_MOST_ROWS])
    return (*_cut(len(items), _MOST_ROWS, "rows"), Table(("case", "code", "reason"), rows, heading))


def _pictures(items: Sequence[CaseVerdict], out: Path) -> tuple[Block, ...]:
    """The middle slice of each case."""
    if not items:
        return (Paragraph("None."),)
    shown = [
        Picture(
            data_uri(path.read_bytes(), "image/png"),
            f"Middle axial slice of {item.case}",
            item.case,
            _WIDTH_PX,
        )
        for item in items[:_MOST_PICTURES]
        if (path := picture_path(out, item.case)).is_file()
    ]
    return (*_cut(len(items), _MOST_PICTURES, "pictures"), *shown)


def _cut(count: int, most: int, what: str) -> tuple[Block, ...]:
    if count <= most:
        return ()
    return (Notice(f"The first {most} of {count} {what} are shown; {VERDICTS_FILE} lists all."),)


def _set_aside(counts: Mapping[str, int]) -> tuple[Block, ...]:
    rows = tuple(
        (code, Cell(str(counts[code]), counts[code]), what)
        for code, what in SET_ASIDE.items()
        if code in counts
    )
    if not rows:
        return (Paragraph("Nothing was set aside."),)
    return (Table(("code", "files", "what it is"), rows),)
