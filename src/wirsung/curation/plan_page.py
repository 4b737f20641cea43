"""The page of a plan."""

from collections import Counter
from collections.abc import Sequence

from wirsung.curation.plan import Plan, megabytes, told_duration
from wirsung.curation.plan_cases import PlannedCase
from wirsung.curation.verdicts import REPAIRS, SET_ASIDE
from wirsung.pages.template import (
    Block,
    Cell,
    Facts,
    Notice,
    Page,
    Paragraph,
    Section,
    Table,
    Tile,
    Tiles,
    write_page,
)

_MOST_ROWS = 2000
"""Cases on the page; `verdicts.parquet` of the curation itself lists all."""
_WORKERS = (1, 2, 4, 8, 16, 32, 64)


def write_plan(plan: Plan, name: str) -> None:
    """Write the page at `plan.page`.

    Raises:
        StorageError: It can't be written.
    """
    page = Page(
        title=f"Plan of {name}",
        lead=(
            "What wirsung curate would do, told from headers alone. Nothing was curated. What only pixels "
            "tell, such as damaged pixels or text in the image, is found later."
        ),
        sections=(
            Section("Overview", tuple(_overview(plan))),
            Section("How long", _time(plan)),
            Section("How large", _size(plan)),
            Section("What will be refused", _refused(plan)),
            Section("What will be repaired", _repaired(plan)),
            Section("Set aside", _set_aside(plan)),
        ),
        overline="wirsung curate --plan",
        definitions=tuple(REPAIRS.items()),
    )
    write_page(plan.page, page)


def _overview(plan: Plan) -> list[Block]:
    accepted, repaired, refused = (str(len(items)) for items in plan.by_verdict.values())
    tiles = Tiles(
        (
            Tile("to accept", accepted, "cases"),
            Tile("to repair", repaired, "cases, each marked"),
            Tile("to refuse", refused, "not in the dataset"),
            Tile("time", told_duration(plan.wall_seconds(plan.workers)), f"with --workers {plan.workers}"),
            Tile("size", megabytes(plan.sizes.total), "on the disk"),
        )
    )
    return [tiles, *([Notice(plan.warning, "warning")] if plan.warning else [])]


def _time(plan: Plan) -> tuple[Block, ...]:
    rates, rows = plan.rates, []
    for workers in sorted({*_WORKERS, plan.workers}):
        seconds = plan.wall_seconds(workers)
        rows.append((Cell(str(workers), workers), Cell(told_duration(seconds), seconds)))
        if seconds < 60:
            break  # more workers would save nothing
    rate = f"{rates.seconds_per_case:.2g} s a case and {rates.seconds_per_megavoxel:.2g} s a million voxels"
    facts = Facts(
        (
            ("core-hours", f"{plan.seconds / 3600:,.3g}"),
            ("cases to make", f"{len(plan.to_make):,}"),
            ("rate", rate),
            ("measured on", rates.seconds_from),
        )
    )
    caption = "With a core for each worker, and disks that keep up."
    return (facts, Table(("workers", "time"), tuple(rows), caption))


def _size(plan: Plan) -> tuple[Block, ...]:
    rates, rows = plan.rates, []
    for kind, size in plan.sizes.images.items():
        items = [item for item in plan.to_make if item.extent.kind == kind]
        rate = f"{rates.image_bytes_per_voxel[kind]:.2f}"
        rows.append((kind.upper(), _number(len(items)), rate, Cell(megabytes(size), size)))
    labelled = sum(item.has_labels for item in plan.to_make)
    if labelled:
        size = plan.sizes.labels
        label_rate = f"{rates.label_bytes_per_voxel:.3f}"
        rows.append(("labels", _number(labelled), label_rate, Cell(megabytes(size), size)))
    facts = Facts(
        (
            ("to read", megabytes(plan.bytes_to_read)),
            ("free on the disk", megabytes(plan.free_bytes)),
            ("measured on", rates.bytes_from),
        )
    )
    return (Table(("what", "cases", "bytes a voxel", "size"), tuple(rows)), facts)


def _refused(plan: Plan) -> tuple[Block, ...]:
    items = plan.by_verdict["quarantine"]
    if not items:
        return (Paragraph("Nothing, as far as headers tell."),)
    return (_codes(items), *_reasons(items))


def _repaired(plan: Plan) -> tuple[Block, ...]:
    items = plan.by_verdict["repair"]
    return (_codes(items),) if items else (Paragraph("Nothing, as far as headers tell."),)


def _codes(items: Sequence[PlannedCase]) -> Table:
    times = Counter(item.verdict.code for item in items)
    return Table(("code", "cases"), tuple((code, _number(count)) for code, count in times.most_common()))


def _reasons(items: Sequence[PlannedCase]) -> tuple[Block, ...]:
    rows = tuple((item.case, item.verdict.code, item.verdict.sentence) for item in items[:_MOST_ROWS])
    table = Table(("case", "code", "reason"), rows, searched="Find a case")
    if len(items) <= _MOST_ROWS:
        return (table,)
    return (Notice(f"The first {_MOST_ROWS} of {len(items)} cases are shown."), table)


def _set_aside(plan: Plan) -> tuple[Block, ...]:
    rows = tuple(
        (code, _number(plan.set_aside[code]), what)
        for code, what in SET_ASIDE.items()
        if code in plan.set_aside
    )
    return (Table(("code", "files", "what it is"), rows),) if rows else (Paragraph("Nothing."),)


def _number(count: int) -> Cell:
    return Cell(f"{count:,}", count)
