"""The stage `check`: audit a dataset, ours or a release of PanTS as downloaded, and list what is wrong."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from wirsung.compute.atomic import write_text
from wirsung.compute.cases import Outcome, map_cases
from wirsung.curation.audit import CaseAudit, audit_case
from wirsung.curation.findings import Finding
from wirsung.curation.settings import CheckSettings
from wirsung.datasets.layout import Dataset
from wirsung.datasets.manifest import (
    MANIFEST_FILE,
    STRUCTURES_FILE,
    ManifestRow,
    read_manifest,
    read_structures,
)
from wirsung.errors import ConfigError

_SCHEMA = 1
_COLUMNS = ("case", "file", "code", "severity", "message")


class Audit(list[Outcome[tuple[Finding, ...]]]):
    """One outcome a case, failed where there is an error; the findings of all cases."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of all cases, in their order."""
        return tuple(finding for outcome in self for finding in outcome.value or ())

    def lines(self) -> list[str]:
        """How often each finding was made, for the terminal."""
        counts = Counter((finding.severity, finding.code) for finding in self.findings)
        return [f"{severity} {code}: {count}" for (severity, code), count in sorted(counts.items())]


def check(settings: CheckSettings) -> Audit:
    """Audit each case; nothing of the dataset is changed.

    Raises:
        ManifestError: It is not a dataset, or a table is damaged.
        ConfigError: The list of findings is to be called neither .csv nor .json.
    """
    if settings.out is not None and settings.out.suffix not in (".csv", ".json"):
        msg = f"The list of findings can be .csv or .json, but {settings.out.name} is neither."
        raise ConfigError(msg)
    dataset = Dataset.open(settings.dataset)
    tasks = _tasks(dataset)
    outcomes = map_cases(audit_case, tasks, workers=settings.workers, description="check")
    audit = Audit([*map(_judged, outcomes), *_without_folder(dataset)])
    if settings.out is not None:
        _write(settings.out, audit.findings)
    return audit


def _tasks(dataset: Dataset) -> dict[str, CaseAudit]:
    rows: dict[str, ManifestRow] | None = None
    if (dataset.root / MANIFEST_FILE).is_file():
        table = read_manifest(dataset.root).to_pylist()
        rows = {
            row["case"]: ManifestRow(**{**row, "structures": tuple(row["structures"] or ())}) for row in table
        }
    checksums: dict[str, dict[str, str]] = {}
    if (dataset.root / STRUCTURES_FILE).is_file():
        for row in read_structures(dataset.root).select(["case", "structure", "sha256"]).to_pylist():
            checksums.setdefault(row["case"], {})[row["structure"]] = row["sha256"]
    annotated = dataset.structure_names()
    return {
        case.id: CaseAudit(
            case,
            dataset.description,
            annotated,
            rows is not None,
            (rows or {}).get(case.id),
            checksums.get(case.id),
        )
        for case in dataset.cases
    }


def _judged(outcome: Outcome[tuple[Finding, ...]]) -> Outcome[tuple[Finding, ...]]:
    errors = [finding for finding in outcome.value or () if finding.severity == "error"]
    if not errors:
        return outcome
    more = f" ({len(errors)} errors in all)" if len(errors) > 1 else ""
    return replace(outcome, status="failed", message=f"{errors[0].file}: {errors[0].message}{more}")


def _without_folder(dataset: Dataset) -> list[Outcome[tuple[Finding, ...]]]:
    """The manifest's cases that have no folder."""
    if not (dataset.root / MANIFEST_FILE).is_file():
        return []
    listed = read_manifest(dataset.root).column("case").to_pylist()
    missing = sorted(set(listed).difference(case.id for case in dataset.cases))
    message = "the manifest has this case, but there is no folder of it. Run wirsung curate again."
    return [
        Outcome(case, "failed", message, (Finding(case, MANIFEST_FILE, "case_missing", "error", message),))
        for case in missing
    ]


def _write(path: Path, findings: Sequence[Finding]) -> None:
    rows = [asdict(finding) for finding in findings]
    if path.suffix == ".json":
        write_text(path, json.dumps({"schema": _SCHEMA, "findings": rows}, indent=2) + "\n")
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
