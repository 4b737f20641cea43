"""The sections of a dataset's page."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wirsung.datasets.comparison import labels_without_tick, public_datasets
from wirsung.datasets.describe.coverage import Coverage
from wirsung.datasets.describe.errata import errata_rows, repair_counts
from wirsung.datasets.describe.figures import (
    coverage_picture,
    histogram,
    pattern_picture,
    quantile_plot,
    small_multiples,
)
from wirsung.datasets.describe.findings import Findings
from wirsung.datasets.describe.missing import COLUMNS, missing_by_level
from wirsung.datasets.describe.outliers import FEWEST_CASES
from wirsung.datasets.describe.page_tables import (
    comparison_table,
    coverage_table,
    missing_by_centre_table,
    missing_table,
    outlier_table,
    reason_table,
    reproduced_table,
)
from wirsung.datasets.tables.published import published_table
from wirsung.datasets.tables.summaries import Numbers
from wirsung.datasets.tables.table_one import VARIABLES
from wirsung.pages.template import Block, Cell, Gallery, Notice, Paragraph, Picture, Section, Table

_NUMBERS = {item.column: item.title for item in VARIABLES if item.kind != "count"}
_GROUPED = ("age_years", "slice_thickness_mm", "pancreas_volume_mm3", "pancreas_hu")
_FEWEST_LEVELS = 2
_MOST_REPAIRS = 60
_HOW = "The mark is the median, the bar the middle half, the line 5 to 95 % of the cases."
_COVERAGE = (
    "Present: a voxel at least. Empty: somebody looked, and there was none, as of a lesion. Not annotated: "
    "nobody looked, or nobody said so; a network must not learn from it that nothing is there."
)
_OUTLIERS = (
    "its distance from the median over 1.48 times the median absolute deviation. Volumes and spacings are "
    "compared as logarithms, HU within a contrast phase where at least 10 cases share it. An outlier is a "
    "reason to look, not an error."
)
_TICKS = (
    "A tick says that the structure is annotated. Numbers and ticks of the published rows are those of the "
    "PanTS paper, appendix A, Table 3. A row of one's own has a tick where most cases are annotated, and "
    "counts centres as its manifest names them."
)


def distributions(every: Sequence[Findings]) -> Section:
    """How each quantity is distributed, and volume and HU of every structure."""
    pictures = []
    for column, title in _NUMBERS.items():
        values = {item.name: item.cohort.numbers[column] for item in every if column in item.cohort.numbers}
        values = {name: found for name, found in values.items() if np.isfinite(found).any()}
        if values:
            counts = ", ".join(f"{name} {np.isfinite(found).sum():,}" for name, found in values.items())
            alternative = f"Histogram of {title} by dataset"
            pictures.append(
                histogram(values, label=title, alternative=alternative, caption=f"Cases: {counts}.")
            )
    return Section("Distributions", (Gallery(tuple(pictures)), *_by_structure(every)))


def by_level(every: Sequence[Findings], column: str, title: str) -> Section:
    """Small multiples of age, slice thickness and the pancreas, by centre or by contrast phase."""
    blocks: list[Block] = []
    for series, item in enumerate(every):
        levels = item.contents.manifest[column].to_pylist()
        if len(set(levels) - {None}) < _FEWEST_LEVELS:
            continue
        pictures = tuple(_multiples(item, levels, title, series))
        if pictures:
            blocks += [Paragraph(item.name)] if len(every) > 1 else []
            blocks.append(Gallery(pictures))
    return Section(f"By {title}", tuple(blocks))


def missing_data(every: Sequence[Findings]) -> Section:
    """How much is missing, what is missing together, and where."""
    blocks: list[Block] = [missing_table({item.name: item.missing for item in every})]
    pictures = []
    for item in every:
        if any(item.missing.counts.values()):
            words = f"Patterns of missing values in {item.name}"
            caption = f"{item.name}: filled squares are missing values; each row is a pattern with its cases."
            pictures.append(pattern_picture(item.missing, alternative=words, caption=caption))
    blocks += [Gallery(tuple(pictures))] if pictures else []
    for item in every:
        blocks += list(_missing_by_centre(item))
    return Section("Missing data", tuple(blocks))


def label_coverage(every: Sequence[Findings]) -> Section:
    """Which structures are annotated, and in how many cases they are there."""
    known = {item.name: item.coverage for item in every if item.coverage}
    if not known:
        return Section("Label coverage", ())
    blocks: list[Block] = [Paragraph(_COVERAGE)]
    unmeasured = [item.name for item in every if item.coverage and item.contents.structures is None]
    if unmeasured:
        text = (
            f"Nothing was measured of the masks of {', '.join(unmeasured)}, so empty masks count as present."
        )
        blocks.append(Notice(f"{text} wirsung catalog measures them."))
    names = list(dict.fromkeys(name for found in known.values() for name in found))
    pictures = []
    for item in every:
        if item.coverage:
            nobody = Coverage(0, 0, item.contents.cases)
            rows = {name: item.coverage.get(name, nobody) for name in names}
            words = f"Label coverage of {item.name}"
            pictures.append(coverage_picture(rows, alternative=f"{words} by structure", caption=f"{words}."))
    return Section("Label coverage", (*blocks, Gallery(tuple(pictures)), coverage_table(known)))


def outlying_cases(every: Sequence[Findings], pictures: Sequence[Block], threshold: float) -> Section:
    """Cases that are far from the others, with the reason and pictures."""
    said = f"A value is here from a robust z-score of {threshold:g} on: {_OUTLIERS}"
    blocks: list[Block] = [Paragraph(said)]
    few = [item.name for item in every if item.contents.cases < FEWEST_CASES]
    if few:
        text = f"{', '.join(few)}: of fewer than {FEWEST_CASES} cases nobody can say what is usual."
        blocks.append(Notice(text))
    found = {item.name: item.outliers for item in every}
    if not any(found.values()):
        return Section("Outlying cases", (*blocks, Paragraph("No value is that far out.")))
    drawn = tuple(block for block in pictures if isinstance(block, Picture))
    told = tuple(block for block in pictures if not isinstance(block, Picture))
    gallery = (Gallery(drawn),) if drawn else ()
    return Section("Outlying cases", (*blocks, *gallery, *told, outlier_table(found)))


def errata(every: Sequence[Findings]) -> Section:
    """What is known to be wrong, and what was repaired when the release's table was read."""
    blocks: list[Block] = []
    for item in every:
        known, repairs = errata_rows(item.contents), repair_counts(item.contents)
        if known:
            rows = tuple((Cell(what), Cell(cases), Cell(source)) for cases, what, source in known)
            blocks.append(Table(("known error", "cases", "source"), rows, f"{item.name}: told by others."))
        if repairs:
            shown = tuple(
                (column, Cell(old), Cell(new), Cell(f"{count:,}", count))
                for column, old, new, count in repairs[:_MOST_REPAIRS]
            )
            caption = (
                f"{item.name}: {sum(row[3] for row in repairs):,} values of its table were repaired when it "
                "was read; repairs.csv has each. ␣ is a space, ⍽ a no-break space."
            )
            blocks.append(Table(("column", "found", "made", "cases"), shown, caption))
    return Section("Errata and repairs", tuple(blocks))


def as_published(every: Sequence[Findings]) -> Section:
    """Table 1 of the PanTS paper beside what its released table gives."""
    blocks: list[Block] = []
    for item in every:
        if not item.reproduced:
            continue
        same = sum(row.is_equal for row in item.reproduced)
        lacking = sum(not row.ours for row in item.reproduced)
        other = len(item.reproduced) - same - lacking
        table = published_table()
        told = (
            f"Of {len(item.reproduced)} published rows {same} come out as printed, {other} otherwise, and "
            f"{lacking} can't be had from {item.name}. Published: {table.source}. The reasons were found "
            f"with {table.table}. The published test set is held out, so its column can't be made again."
        )
        blocks += [Paragraph(told), reproduced_table(item.reproduced), reason_table(item.reproduced)]
    return Section("Table 1 of the PanTS paper, made again", tuple(blocks))


def public_comparison(every: Sequence[Findings]) -> Section:
    """One's own datasets beside the public ones."""
    notes = [f"{item.name}: {item.note}." for item in public_datasets() if item.note]
    beyond = tuple((name, Cell(", ".join(titles))) for name, titles in labels_without_tick().items())
    caption = (
        "What the labels of a dataset hold by its own description, and the published table does not tick."
    )
    return Section(
        "Beside public datasets",
        (
            Paragraph(f"{_TICKS} {' '.join(notes)}"),
            comparison_table([item.compared() for item in every]),
            Table(("dataset", "annotated, without a tick"), beyond, caption),
        ),
    )


def _by_structure(every: Sequence[Findings]) -> Iterator[Block]:
    """Volume and HU of each structure, one colour a dataset."""
    measured = {item.name: item.contents.structures for item in every if item.contents.structures is not None}
    if not measured:
        return
    names = list(dict.fromkeys(name for item in every for name in item.coverage))
    volumes = {name.replace("_", " "): _values(measured, name, "volume_ml") for name in names}
    numbers = {name.replace("_", " "): _values(measured, name, "hu_mean") for name in names}
    yield Gallery(
        (
            quantile_plot(
                volumes,
                label="volume, ml",
                alternative="Volume of each structure by dataset",
                caption=f"Volume of each structure that is not empty. {_HOW}",
                is_log=True,
            ),
            quantile_plot(
                numbers,
                label="mean HU inside the mask",
                alternative="Mean HU of each structure by dataset",
                caption=f"Mean HU inside each mask; of MR in arbitrary units. {_HOW}",
            ),
        )
    )


def _values(measured: dict[str, pa.Table], structure: str, column: str) -> dict[str, Numbers]:
    found = {}
    for name, table in measured.items():
        own = table.filter(pc.equal(table["structure"], structure))[column]
        found[name] = np.asarray(own.cast(pa.float64()).to_numpy(), dtype=np.float64)
    return found


def _multiples(item: Findings, levels: Sequence[str | None], title: str, series: int) -> Iterator[Picture]:
    for column in _GROUPED:
        values: Numbers | None = item.cohort.numbers.get(column)
        if values is not None and np.isfinite(values).any():
            label = _NUMBERS[column]
            words = f"{label} of {item.name} by {title}"
            yield small_multiples(values, levels, label=label, alternative=words, series=series)


def _missing_by_centre(item: Findings) -> Iterator[Block]:
    """Of the value that is missing most, where it is missing."""
    titles = {title: column for column, title in COLUMNS.items()}
    counts = {title: count for title, count in item.missing.counts.items() if count and title != "centre"}
    centres = set(item.contents.manifest["centre"].to_pylist())
    if not counts or len(centres) < _FEWEST_LEVELS:
        return
    worst = max(counts, key=lambda title: counts[title])
    if counts[worst] == item.contents.cases:
        return
    yield Paragraph(f"{item.name}: {worst} is missing most often. Where:")
    yield missing_by_centre_table(missing_by_level(item.contents, titles[worst], "centre"), worst)
