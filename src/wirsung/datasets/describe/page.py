"""description.html: what a dataset is, or how several differ."""

from collections.abc import Mapping, Sequence

from wirsung.datasets.describe.findings import Findings
from wirsung.datasets.describe.page_sections import (
    as_published,
    by_level,
    distributions,
    errata,
    label_coverage,
    missing_data,
    outlying_cases,
    public_comparison,
)
from wirsung.datasets.describe.page_tables import card_table, cohort_table, file_table
from wirsung.datasets.tables.table_one import TableOne
from wirsung.pages.template import Block, Facts, Notice, Page, Paragraph, Section, Tile, Tiles

_NOT_SAID = "not stated"


def description_page(
    every: Sequence[Findings],
    tables: Mapping[str, TableOne],
    pictures: Sequence[Block],
    files: Mapping[str, str],
    outlier_z: float,
) -> Page:
    """The page as data.

    Args:
        every: What was found of each dataset.
        tables: Table 1 of them, then of the parts of each; a title to its table.
        pictures: Of outlying cases.
        files: Name of each file beside the page to what it holds.
        outlier_z: Smallest robust z-score of an outlier.
    """
    sections = (
        _overview(every),
        *(Section(name, (cohort_table(table),)) for name, table in tables.items()),
        as_published(every),
        distributions(every),
        by_level(every, "centre", "centre"),
        by_level(every, "phase", "contrast phase"),
        missing_data(every),
        label_coverage(every),
        outlying_cases(every, pictures, outlier_z),
        errata(every),
        public_comparison(every),
        _card(every),
        Section("Files", (file_table(files),)),
    )
    names = [item.name for item in every]
    title = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    total = sum(item.contents.cases for item in every)
    return Page(
        title=title,
        lead=f"{total:,} scans, as {'their' if len(every) > 1 else 'its'} own tables tell of them.",
        sections=tuple(section for section in sections if section.blocks),
        overline="Dataset" if len(every) == 1 else "Datasets",
    )


def _overview(every: Sequence[Findings]) -> Section:
    blocks: list[Block] = []
    for item in every:
        if len(every) > 1:
            blocks.append(Paragraph(f"{item.name}:"))
        blocks += [Tiles(tuple(_tiles(item))), Facts(tuple(_facts(item)))]
        if item.contents.dataset is None:
            text = (
                f"{item.name} is the table of a release alone: there are no images and no masks to tell of."
            )
            blocks.append(Notice(text))
        elif item.contents.structures is None:
            text = f"The masks of {item.name} are not measured: no volumes, no HU, none of their outliers."
            blocks.append(Notice(f"{text} wirsung catalog measures them.", "warning"))
    return Section("", tuple(blocks))


def _tiles(item: Findings) -> list[Tile]:
    manifest = item.contents.manifest
    patients, cases = set(manifest["patient"].to_pylist()), manifest["case"].to_pylist()
    centres = set(manifest["centre"].to_pylist()) - {None}
    tumours = sum(value is True for value in manifest["tumour"].to_pylist())
    share = f"{100 * tumours / len(cases):.1f} % of all scans" if cases else ""
    people = "no table says of which patients" if patients == set(cases) else f"of {len(patients):,} patients"
    known = [count for count in item.missing.counts.values() if count]
    return [
        Tile("scans", f"{len(cases):,}", people),
        Tile("centres", f"{len(centres):,}" if centres else "–", _about_centres(item, bool(centres))),
        Tile("with a pancreatic tumour", f"{tumours:,}", share),
        Tile("structures", f"{len(item.annotated):,}" if item.annotated else "–", "annotated in most cases"),
        Tile(
            "values missing", f"{len(known)} of {len(item.missing.counts)}", "kinds that not every case has"
        ),
        Tile("outlying cases", f"{len({found.case for found in item.outliers}):,}", "see below"),
    ]


def _about_centres(item: Findings, are_known: bool) -> str:
    if not are_known:
        return "not told"
    return "" if item.contents.has_manifest else "as the table names them, some several at once"


def _facts(item: Findings) -> list[tuple[str, str]]:
    told, source = item.contents.description, item.contents.source
    licence = told.licence or (source.licence.name if source is not None else "")
    return [
        ("Version", told.version or _NOT_SAID),
        ("Licence", licence or _NOT_SAID),
        ("Source", source.title if source is not None else _NOT_SAID),
        ("Label scheme", told.scheme if item.contents.is_described else _NOT_SAID),
        ("Made by", told.created_by or _NOT_SAID),
    ]


def _card(every: Sequence[Findings]) -> Section:
    cards = [item.card for item in every]
    stated = {card.name: sum(answer.is_stated for answer in card.answers) for card in cards}
    counts = ", ".join(f"{name} {count} of {len(cards[0].answers)}" for name, count in stated.items())
    text = (
        f"The sections are Healthsheet's. Answered: {counts}. What neither the dataset nor its source tells "
        "is not stated; fill in the file of open questions beside this page, and put it as datacard.toml "
        "into the dataset's folder."
    )
    return Section("Data card", (Paragraph(text), card_table(cards)))
