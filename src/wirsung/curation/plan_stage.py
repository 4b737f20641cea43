"""`wirsung curate --plan`: from the cases that were found to the plan and its page."""

from collections.abc import Mapping, Sequence

from wirsung.curation.index import Index
from wirsung.curation.intake import Source
from wirsung.curation.metadata import Metadata
from wirsung.curation.places import index_folder, report_folder
from wirsung.curation.plan import PAGE_FILE, Plan
from wirsung.curation.plan_cases import planned_cases
from wirsung.curation.plan_page import write_plan
from wirsung.curation.plan_rates import read_pace
from wirsung.curation.records import read_records
from wirsung.curation.settings import CurateSettings


def plan_sources(
    settings: CurateSettings,
    sources: Sequence[Source],
    metadata: Mapping[str, Metadata],
    set_aside: Mapping[str, int],
) -> Plan:
    """Plan the curation of those sources, and write the page beside where the dataset would lie.

    Args:
        settings: Of the curation.
        sources: With their labels.
        metadata: By case.
        set_aside: Files in SRC that are no slices, by code.

    Raises:
        StorageError: The index can't be read, or the page not be written.
    """
    told = [
        item.failing(metadata[item.case].problem)
        if item.case in metadata and metadata[item.case].problem
        else item
        for item in sources
    ]
    has_dicom = any(item.kind == "dicom" for item in told)
    index = Index(index_folder(settings.out), settings.source) if has_dicom else None
    cases = planned_cases(told, index, workers=settings.workers, cluster=settings.cluster)
    plan = Plan(
        cases,
        read_pace(settings.out).rates(),
        set_aside,
        settings.workers,
        settings.out,
        report_folder(settings.out) / PAGE_FILE,
        frozenset(read_records(settings.out)).intersection(item.case for item in cases),
    )
    write_plan(plan, settings.name or settings.out.resolve().name)
    return plan
