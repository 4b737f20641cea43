"""What an import came to: the outcome of each case, and what the folder lacks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wirsung.compute.cases import Outcome
from wirsung.datasets.importing.finding import Found
from wirsung.datasets.importing.source_table import SourceTable
from wirsung.datasets.manifest import ManifestRow
from wirsung.datasets.sources import Source

REPORT_FILE = "import.json"
_FEW = 3


@dataclass(frozen=True)
class Imported:
    """The outcomes, and what was missing on either side."""

    outcomes: list[Outcome[ManifestRow]]
    source: Source
    out: Path
    found: Found
    table: SourceTable | None
    gone: tuple[str, ...]
    """Cases of the dataset that the source no longer has."""

    def lines(self) -> list[str]:
        """For the terminal: what is known of the source, and what is missing here."""
        told = [f"{self.source.title}. {self.source.licence.describe()}."]
        here, scans = len(self.found.cases), self.source.scans
        if scans is not None and here != scans:
            told.append(f"{here:,} of its {scans:,} scans are here.")
        told += [_sentence(what, cases) for what, cases in self._missing().items() if cases]
        told += [f"{self.table.file}: {line}" for line in self._of_table()] if self.table else []
        errata = sum(bool(set(item.cases) & set(self.found.cases)) for item in self.source.errata)
        if errata:
            told.append(f"{errata} known errata are about cases that are here; see wirsung describe.")
        return told

    def as_json(self) -> dict[str, Any]:
        """As in `import.json`: the same lists in full."""
        missing = {what.replace(" ", "_"): list(cases) for what, cases in self._missing().items()}
        return {"source": self.source.name, "licence": self.source.licence.name, **missing}

    def _missing(self) -> dict[str, Sequence[str]]:
        rows = {} if self.table is None else self.table.rows
        cases = self.found.cases
        return {
            "images without labels": self.found.unlabelled,
            "labels without an image": self.found.imageless,
            "cases that the source no longer has": self.gone,
            "images without a row in the table": [own for own in cases if own not in rows] if rows else [],
            "rows of the table without an image": sorted(own for own in rows if own not in cases),
        }

    def _of_table(self) -> list[str]:
        if self.table is None:
            return []
        unread = [
            f"{column} could not be read in {count} rows" for column, count in self.table.unread.items()
        ]
        ignored = [f"the columns {', '.join(self.table.ignored)} are not known"] if self.table.ignored else []
        return unread + ignored


def _sentence(what: str, cases: Sequence[str]) -> str:
    shown = ", ".join(cases[:_FEW])
    more = f", ...; all are in {REPORT_FILE}" if len(cases) > _FEW else ""
    return f"{what[0].upper()}{what[1:]}: {len(cases):,} ({shown}{more})."
