"""The page of a comparison of datasets: how many scans two of them share, which, and what they look like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wirsung.datasets.known_overlaps import KnownOverlap
from wirsung.datasets.layout import Dataset
from wirsung.datasets.leaks import KINDS, PROOFS, Leak
from wirsung.datasets.pair_pictures import pair_picture
from wirsung.errors import WirsungError
from wirsung.pages.template import (
    Block,
    Cell,
    Gallery,
    Notice,
    Page,
    Paragraph,
    Picture,
    Section,
    Table,
    Tile,
    Tiles,
)

PAGE_FILE = "leaks.html"
_MOST_ROWS = 2000
_TITLES = {"exact": "same voxels", "near": "nearly the same", "patient": "same patient", "metadata": "leads"}
_DEFINITIONS = (
    (
        "same voxels",
        "Equal in RPS order, clipped to -1000 to 1000 HU; or the same values in another order, where a "
        "header was lost.",
    ),
    (
        "nearly the same",
        "One scan resampled, cropped, clipped or saved anew: its profile along the body correlates with the "
        "other's. Unlikeness is 1 - that correlation. Phases of one examination may count too.",
    ),
    ("same patient", "Both manifests give the patient the same code."),
    (
        "lead",
        "Same shape and spacing, and neither age nor sex tells them apart. Two people may share all of it: "
        "look before you believe it.",
    ),
)


@dataclass(frozen=True)
class ComparedPair:
    """Two datasets and how many pairs of each kind they share."""

    one: str
    other: str
    counts: Mapping[str, int]


def leaks_page(
    pairs: Sequence[ComparedPair],
    leaks: Sequence[Leak],
    known: Sequence[KnownOverlap],
    datasets: Mapping[str, Dataset],
    most_pictures: int,
) -> Page:
    """The page."""
    names = " and ".join(datasets) if len(datasets) == 2 else f"{len(datasets)} datasets"
    sections = (
        Section("Overview", (_tiles(leaks), *_warnings(known), _counts(pairs))),
        Section("Pairs", _rows(leaks)),
        Section("Pictures", _pictures(leaks, datasets, most_pictures)),
        Section("Known overlaps", _known(known)),
    )
    return Page(
        title=f"What {names} share",
        lead="Scans and patients that are in two datasets. Whoever learns from one and tests on the other "
        "tests on what was learnt.",
        sections=sections,
        overline="wirsung compare-datasets",
        definitions=_DEFINITIONS,
    )


def _tiles(leaks: Sequence[Leak]) -> Tiles:
    notes = {"exact": "pairs", "near": "pairs", "patient": "pairs", "metadata": "pairs, no proof"}
    return Tiles(
        tuple(
            Tile(_TITLES[kind], str(sum(leak.kind == kind for leak in leaks)), notes[kind]) for kind in KINDS
        )
    )


def _counts(pairs: Sequence[ComparedPair]) -> Block:
    columns = ("dataset", "other dataset", *(_TITLES[kind] for kind in KINDS))
    rows: tuple[tuple[Cell | str, ...], ...] = tuple(
        (pair.one, pair.other, *(Cell(str(pair.counts[kind]), pair.counts[kind]) for kind in KINDS))
        for pair in pairs
    )
    return Table(columns, rows, "How many pairs of scans two datasets share, each by its surest kind.")


def _known(known: Sequence[KnownOverlap]) -> tuple[Block, ...]:
    if not known:
        return (Paragraph("None is known: the datasets name no public source, or none that shares scans."),)
    rows = tuple((item.dataset, item.other, item.what, item.source) for item in known)
    return (Table(("dataset", "shares scans with", "what is known", "source"), rows),)


def _warnings(known: Sequence[KnownOverlap]) -> tuple[Block, ...]:
    """What is known of the very datasets that are compared."""
    return tuple(Notice(item.sentence, "warning") for item in known if item.is_compared)


def _rows(leaks: Sequence[Leak]) -> tuple[Block, ...]:
    if not leaks:
        return (Paragraph("No scan and no patient was found in two datasets."),)
    rows = tuple(
        (
            _TITLES[leak.kind],
            Cell(leak.one.case, note=leak.one.dataset),
            Cell(leak.other.case, note=leak.other.dataset),
            Cell.number(float("nan") if leak.unlikeness is None else leak.unlikeness, 3),
            leak.detail,
        )
        for leak in leaks[:_MOST_ROWS]
    )
    cut = len(leaks) > _MOST_ROWS
    more = (Notice(f"The first {_MOST_ROWS:,} of {len(leaks):,} pairs; leaks.csv has all."),) if cut else ()
    return (*more, Table(("kind", "case", "other case", "unlikeness", "why"), rows, searched="Find a case"))


def _pictures(leaks: Sequence[Leak], datasets: Mapping[str, Dataset], most: int) -> tuple[Block, ...]:
    shown: list[Picture] = []
    unread = 0
    for leak in leaks[:most]:
        try:
            shown.append(pair_picture(leak, datasets))
        except (WirsungError, OSError):
            unread += 1
    blocks: list[Block] = [Gallery(tuple(shown))] if shown else [Paragraph("None.")]
    if unread:
        blocks.append(Notice(f"{unread} pairs have no picture, as an image can't be read.", "warning"))
    proofs = sum(leak.kind in PROOFS for leak in leaks)
    if proofs > most:
        blocks.append(Notice(f"The first {most} pairs are shown; --pictures N shows more."))
    return tuple(blocks)
