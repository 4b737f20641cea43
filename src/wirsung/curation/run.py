"""The stage `curate`: from raw scans to a dataset."""

from collections.abc import Container, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from wirsung.anatomy.schemes import scheme
from wirsung.compute.cases import Outcome, map_cases, one_cluster
from wirsung.curation.case import OFFICIAL, CaseTask, curate_case
from wirsung.curation.index import index_tree
from wirsung.curation.intake import Source, attach_labels, find_sources
from wirsung.curation.metadata import Metadata, read_manifest_metadata, read_metadata
from wirsung.curation.outputs import clean_leftovers, sole_writer
from wirsung.curation.places import index_folder, report_folder
from wirsung.curation.plan import Plan
from wirsung.curation.plan_rates import extend_pace
from wirsung.curation.plan_stage import plan_sources
from wirsung.curation.pseudonyms import key_path, load_key
from wirsung.curation.records import Record, extend_provenance, read_records, write_record
from wirsung.curation.report import PAGE_FILE, VERDICTS_FILE, CaseVerdict, write_report
from wirsung.curation.settings import CurateSettings
from wirsung.curation.stack_sources import by_stacks
from wirsung.curation.verdicts import Verdict, judge_failure, judge_notes, write_verdicts
from wirsung.datasets.description import DESCRIPTION_FILE, Description, read_description, write_description
from wirsung.datasets.layout import is_case_id
from wirsung.datasets.manifest import write_manifest, write_structures
from wirsung.errors import ConfigError, counted

_FEW = 10


class Curation(list[Outcome[Record]]):
    """One outcome a case, and what concerns no single case."""

    def __init__(self, outcomes: Sequence[Outcome[Record]], notes: Sequence[str]) -> None:
        super().__init__(outcomes)
        self.notes = tuple(notes)

    def lines(self) -> list[str]:
        """For the terminal."""
        return list(self.notes)


@one_cluster()
def curate(settings: CurateSettings) -> Curation | Plan:
    """Turn raw scans into a dataset in the PanTS layout; a bad case fails alone.

    Run again, it goes on where it was interrupted and makes anew what changed. Cases that an earlier run put
    into the dataset and that SRC no longer holds stay there. With `plan`, only the index and a page are made.

    Raises:
        ManifestError: SRC is missing or holds no image, labels are missing, or `metadata.csv` is no table.
        ConfigError: A setting is wrong: OUT in SRC or no dataset, an unknown scheme, an empty HU range;
            or another run writes to OUT.
        StorageError: OUT can't be written.
    """
    _check_settings(settings)
    source, out = settings.source, settings.out
    metadata, ignored = _metadata(source) if source.is_dir() else ({}, [])
    found = find_sources(source, settings.labels)
    key = load_key(key_path(out)) if any(item.kind == "dicom" for item in found) else b""
    found, aside = _by_stacks(settings, found, key, metadata)
    sources, unused = attach_labels(found, settings.labels)
    sources = [replace(item, case=settings.prefix + item.case) for item in sources]
    metadata = {settings.prefix + case: row for case, row in metadata.items()}
    _check_clip(settings, sources)
    if settings.plan:
        return plan_sources(settings, sources, metadata, aside)
    with sole_writer(out):
        write_description(out, _description(settings))
        clean_leftovers(out)
        tasks = _tasks(settings, sources, metadata, key)
        outcomes = map_cases(
            curate_case,
            tasks,
            workers=settings.workers,
            description="curate",
            cluster=settings.cluster,
        )
        clean_leftovers(out)  # of workers that were killed
        records = _assemble(out, {item.case: metadata.get(item.case, Metadata()) for item in sources})
        outcomes = [_seen_here(item, records) for item in outcomes]
        extend_pace(out, outcomes)
        page = _report(settings, outcomes, aside)
    stay, strays = sorted(set(records).difference(tasks)), sorted(set(metadata).difference(tasks))
    mended = [line for case in tasks for line in _mended(metadata, case)]
    of_scheme = f"class of {settings.label_scheme} has", f"classes of {settings.label_scheme} have"
    notes = [
        _note("column of metadata.csv was", "columns of metadata.csv were", "ignored", ignored),
        _note("row of metadata.csv belongs", "rows of metadata.csv belong", "to no case", strays),
        _note("cell of metadata.xlsx was", "cells of metadata.xlsx were", "mended", mended),
        _note("label map belongs", "label maps belong", "to no case", unused),
        _note(*of_scheme, f"no place in {OFFICIAL}", _dropped(outcomes)),
        _note("case of the dataset stays", "cases of the dataset stay", "though not in SRC", stay),
    ]
    return Curation(outcomes, [*filter(None, notes), f"Every verdict, with pictures: {page}"])


def _metadata(source: Path) -> tuple[dict[str, Metadata], list[str]]:
    """What is told beside the images; of a dataset its manifest too, where `metadata.csv` says nothing."""
    told, ignored = read_metadata(source)
    known = read_manifest_metadata(source)
    both = {case: told[case].over(known.get(case, Metadata())) for case in told}
    return {**known, **both}, ignored


def _mended(metadata: dict[str, Metadata], case: str) -> tuple[str, ...]:
    return metadata[case].repairs if case in metadata else ()


def _seen_here(outcome: Outcome[Record], records: dict[str, Record]) -> Outcome[Record]:
    """The outcome, failed where its worker wrote to a disk that is not ours."""
    if outcome.status == "failed" or outcome.case in records:
        return outcome
    msg = "its worker wrote it, but not here. Let all nodes see SRC and OUT under the same paths."
    return Outcome(outcome.case, "failed", msg)


def _check_settings(settings: CurateSettings) -> None:
    source, out = settings.source.resolve(), settings.out.resolve()
    if out == source or source in out.parents or (out in source.parents and settings.source.exists()):
        msg = f"OUT ({settings.out}) and SRC ({settings.source}) must lie side by side, neither in the other."
        raise ConfigError(msg)
    is_free = not out.exists() or (out.is_dir() and all(path.name[0] == "." for path in out.iterdir()))
    if not is_free and not (out / DESCRIPTION_FILE).is_file():
        msg = f"{settings.out} exists and is no dataset that Wirsung made. Choose a new folder."
        raise ConfigError(msg)
    clip = settings.clip_hu
    if clip is not None and not -32768 <= clip[0] < clip[1] <= 32767:
        msg = f"The HU range {clip[0]} to {clip[1]} is empty or beyond int16. The lower end comes first."
        raise ConfigError(msg)
    if settings.prefix and not is_case_id(settings.prefix):
        msg = (
            f"prefix is {settings.prefix!r}, but ids are of letters, digits and . _ - without a dot in front."
        )
        raise ConfigError(msg)
    scheme(settings.label_scheme)


def _check_clip(settings: CurateSettings, sources: Sequence[Source]) -> None:
    """A dataset says one HU range, so cases that this run does not make anew can't have another."""
    if not (settings.out / DESCRIPTION_FILE).is_file():
        return
    before = read_description(settings.out).clip_hu
    if before == settings.clip_hu:
        return
    stay = sorted(set(read_records(settings.out)).difference(item.case for item in sources))
    if stay:
        msg = (
            f"{settings.out} was clipped to {before} HU and holds {stay[0]}, which is not in SRC, so it "
            f"can't be clipped to {settings.clip_hu} now. Choose another OUT, or the same --clip-hu."
        )
        raise ConfigError(msg)


def _description(settings: CurateSettings) -> Description:
    return Description(
        name=settings.name or settings.out.resolve().name,
        version=settings.version,
        licence=settings.licence,
        scheme=OFFICIAL,
        clip_hu=settings.clip_hu,
    )


def _by_stacks(
    settings: CurateSettings, sources: list[Source], key: bytes, listed: Container[str]
) -> tuple[list[Source], dict[str, int]]:
    """The sources, one a stack where they are DICOM, and what the index set aside, by code."""
    if not any(item.kind == "dicom" for item in sources):
        return sources, {}
    index, _ = index_tree(
        settings.source,
        index_folder(settings.out),
        key=key,
        workers=settings.workers,
        cluster=settings.cluster,
    )
    found = by_stacks(sources, settings.source, index, even_spacing=settings.even_spacing, listed=listed)
    return found, index.count()


def _report(settings: CurateSettings, outcomes: Sequence[Outcome[Record]], aside: dict[str, int]) -> Path:
    """Write the verdicts on all cases of this run, as a table and as a page."""
    verdicts = [CaseVerdict(item.case, _verdict(item)) for item in outcomes]
    folder = report_folder(settings.out)
    write_verdicts(folder / VERDICTS_FILE, [(item.case, item.verdict) for item in verdicts])
    name = settings.name or settings.out.resolve().name
    write_report(folder / PAGE_FILE, name, verdicts, aside, settings.out)
    return folder / PAGE_FILE


def _verdict(outcome: Outcome[Record]) -> Verdict:
    if outcome.value is None:
        return judge_failure(outcome.message)
    return judge_notes(outcome.value.provenance["notes"])


def _tasks(
    settings: CurateSettings, sources: Sequence[Source], metadata: dict[str, Metadata], key: bytes
) -> dict[str, CaseTask]:
    labels = scheme(settings.label_scheme)
    run = datetime.now(UTC).isoformat(timespec="milliseconds")
    tasks = {}
    for item in sources:
        told = metadata.get(item.case, Metadata())
        source = item.failing(told.problem) if told.problem else item
        tasks[item.case] = CaseTask(
            source,
            told,
            settings.out,
            labels,
            settings.modality,
            settings.clip_hu,
            key,
            run,
            resample_labels=settings.resample_labels,
            even_spacing=settings.even_spacing,
            is_reviewed=item.case in settings.no_burned_in_text,
        )
    return tasks


def _assemble(out: Path, metadata: dict[str, Metadata]) -> dict[str, Record]:
    """Write the tables of all cases that are done, those of earlier runs too."""
    records = read_records(out)
    for case, record in records.items():
        if case in metadata and dict(record.metadata) != dict(metadata[case].values):
            records[case] = replace(record, metadata=dict(metadata[case].values))
            write_record(out, records[case])
    write_manifest(out, [Metadata(record.metadata).applied_to(record.row) for record in records.values()])
    write_structures(out, [row for record in records.values() for row in record.structures])
    extend_provenance(out, records)
    return records


def _dropped(outcomes: Sequence[Outcome[Record]]) -> list[str]:
    found = [item.value.provenance["dropped"] for item in outcomes if item.status == "done" and item.value]
    return sorted({name for names in found for name in names})


def _note(one: str, several: str, what: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return f"{counted(len(names), one, several)} {what}: {', '.join(names[:_FEW])}{more}."
