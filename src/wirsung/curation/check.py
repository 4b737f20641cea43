"""The stage `check`: audit a dataset, ours or a release of PanTS as downloaded, and say what is wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wirsung.anatomy.standard import SEVERITIES, rule
from wirsung.compute.cases import Outcome, map_cases, one_cluster
from wirsung.curation.audit.case import Audited, CaseAudit, audit_case
from wirsung.curation.audit.duplicates import Identification, Scan, find_duplicates, identify
from wirsung.curation.audit.evidence import Wanted, choose, draw
from wirsung.curation.audit.lists import SUFFIXES, write_findings
from wirsung.curation.audit.page import PAGE_FILE, audit_page
from wirsung.curation.findings import Finding, Findings
from wirsung.curation.settings import CheckSettings
from wirsung.datasets.layout import Dataset
from wirsung.datasets.manifest import (
    MANIFEST_FILE,
    STRUCTURES_FILE,
    mask_checksums,
    read_manifest,
    rows_of_manifest,
)
from wirsung.datasets.release_rows import read_release_rows
from wirsung.errors import ConfigError
from wirsung.pages.template import Picture, write_page

LIST_NAME = "findings"
"""Of the lists in the folder that --out names."""


class Audit(list[Outcome[tuple[Finding, ...]]]):
    """One outcome a case, failed where there is an error; the findings of all cases."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of all cases, in their order."""
        return tuple(finding for outcome in self for finding in outcome.value or ())

    def lines(self) -> list[str]:
        """How often each rule is broken, the worst first, for the terminal."""
        counts = Counter((SEVERITIES.index(item.severity), item.rule) for item in self.findings)
        return [f"{SEVERITIES[rank]} {rule_id}: {count}" for (rank, rule_id), count in sorted(counts.items())]


@one_cluster()
def check(settings: CheckSettings) -> Audit:
    """Audit each case; nothing of the dataset is changed.

    Raises:
        ManifestError: It is not a dataset, or a table is damaged.
        ConfigError: The output has a suffix that is none of ours, or a rule to ignore does not exist.
    """
    _refuse_wrong(settings)
    dataset = Dataset.open(settings.dataset)
    others = [Dataset.open(path) for path in settings.against]
    audited = map_cases(
        audit_case,
        _tasks(dataset, settings.ignore),
        workers=settings.workers,
        description="check",
        cluster=settings.cluster,
    )
    doubles = _duplicates(dataset, audited, others, settings)
    outcomes = [_judged(outcome, doubles.get(outcome.case, ())) for outcome in audited]
    audit = Audit([*outcomes, *_without_folder(dataset)])
    if settings.out is None:
        return audit
    return _write(settings, dataset, audit)


def _refuse_wrong(settings: CheckSettings) -> None:
    for rule_id in settings.ignore:
        rule(rule_id)
    if settings.out is not None and settings.out.suffix not in ("", ".html", *SUFFIXES):
        msg = (
            f"{settings.out.name} is neither a folder nor a list or page: --out takes a folder, or a file "
            "that ends in .html, .parquet, .csv or .json."
        )
        raise ConfigError(msg)


def _tasks(dataset: Dataset, ignored: tuple[str, ...]) -> dict[str, CaseAudit]:
    rows = read_release_rows(dataset.root, with_grid=True)
    has_manifest = (dataset.root / MANIFEST_FILE).is_file()
    if has_manifest:
        rows = rows_of_manifest(dataset.root)
    checksums = mask_checksums(dataset.root) if (dataset.root / STRUCTURES_FILE).is_file() else {}
    annotated = dataset.structure_names()
    return {
        case.id: CaseAudit(
            case,
            dataset.description,
            annotated,
            has_manifest,
            rows.get(case.id),
            checksums.get(case.id),
            ignored,
        )
        for case in dataset.cases
    }


def _duplicates(
    dataset: Dataset,
    audited: Sequence[Outcome[Audited]],
    others: Sequence[Dataset],
    settings: CheckSettings,
) -> dict[str, Findings]:
    """By case, the scans that are the same as its own, here or in the other datasets."""
    if {"duplicate", "near_duplicate"} <= set(settings.ignore):
        return {}
    scans = [
        Scan(case.id, case.image_path.name, item.value.sha256, item.value.fingerprint, subset=case.subset)
        for case, item in zip(dataset.cases, audited, strict=True)
        if item.value is not None
    ]
    for other in others:
        # Two datasets may be called the same: where they lie tells them apart.
        tasks = {case.id: Identification(case, str(other.root)) for case in other.cases}
        done = map_cases(
            identify,
            tasks,
            workers=settings.workers,
            description=f"read {other.name}",
            cluster=settings.cluster,
        )
        scans += [item.value for item in done if item.value is not None]
    found = find_duplicates(scans)
    for findings in found.values():
        findings[:] = [item for item in findings if item.rule not in settings.ignore]
    return found


def _judged(outcome: Outcome[Audited], doubles: Sequence[Finding]) -> Outcome[tuple[Finding, ...]]:
    findings = (*(outcome.value.findings if outcome.value else ()), *doubles)
    errors = [item for item in findings if item.severity == "error"]
    status, message = outcome.status, outcome.message
    if errors:
        more = f" ({len(errors)} errors in all)" if len(errors) > 1 else ""
        status, message = "failed", f"{errors[0].file}: {errors[0].sentence}{more}"
    return Outcome(outcome.case, status, message, findings)


def _without_folder(dataset: Dataset) -> list[Outcome[tuple[Finding, ...]]]:
    """The manifest's cases that have no folder."""
    if not (dataset.root / MANIFEST_FILE).is_file():
        return []
    listed = read_manifest(dataset.root).column("case").to_pylist()
    sentence = "the manifest has this case, but there is no folder of it. Run wirsung curate again."
    missing = []
    for case in sorted(set(listed).difference(case.id for case in dataset.cases)):
        found = Findings(case)
        found.add("case_missing", MANIFEST_FILE, sentence)
        missing.append(Outcome(case, "failed", sentence, tuple(found)))
    return missing


def _write(settings: CheckSettings, dataset: Dataset, audit: Audit) -> Audit:
    """Write what was asked for, and return the audit with the anchors of the pictures."""
    out = settings.out or Path()
    page = out if out.suffix == ".html" else out / PAGE_FILE if not out.suffix else None
    pictures: dict[str, Picture] = {}
    if page is not None:
        audit = _anchored(audit, settings.pictures)
        pictures = _pictures(dataset, audit.findings, settings.workers, settings.cluster)
        write_page(page, audit_page(dataset.name, len(audit), audit.findings, pictures, settings.pictures))
    lists = [out / f"{LIST_NAME}{suffix}" for suffix in SUFFIXES] if not out.suffix else [out]
    for path in lists:
        if path.suffix in SUFFIXES:
            write_findings(path, audit.findings)
    return audit


def _anchored(audit: Audit, most: int) -> Audit:
    """The audit in which every finding that gets a picture has an anchor."""
    chosen, place = choose(audit.findings, most), 0
    outcomes = []
    for outcome in audit:
        findings = []
        for item in outcome.value or ():
            findings.append(replace(item, picture=f"picture-{place + 1}") if place in chosen else item)
            place += 1
        outcomes.append(replace(outcome, value=tuple(findings)))
    return Audit(outcomes)


def _pictures(
    dataset: Dataset, findings: Sequence[Finding], workers: int, cluster: str | None
) -> dict[str, Picture]:
    wanted: dict[str, list[Finding]] = {}
    for item in findings:
        if item.picture:
            wanted.setdefault(item.case, []).append(item)
    folders = {case.id: case for case in dataset.cases}
    tasks = {case: Wanted(folders[case], tuple(own)) for case, own in wanted.items() if case in folders}
    if not tasks:
        return {}
    drawn = map_cases(draw, tasks, workers=workers, description="pictures", cluster=cluster)
    return {anchor: picture for item in drawn for anchor, picture in (item.value or {}).items()}
