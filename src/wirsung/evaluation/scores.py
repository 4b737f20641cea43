"""The scores: one row a case, structure and metric (`scores.parquet`, `scores.csv`)."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from wirsung.compute.atomic import atomic_path
from wirsung.errors import ManifestError
from wirsung.evaluation.lesions import CaseLesions
from wirsung.evaluation.protocol import ProtocolStamp

SCORES_FILE = "scores.parquet"
TABLE_FILE = "scores.csv"


@dataclass(frozen=True)
class Score:
    """One number, or why there is none."""

    case: str
    structure: str
    metric: str
    value: float
    """NaN where undefined."""
    unit: str
    """1 for a fraction, mm or ml."""
    reason: str | None
    """Why the value is NaN; None where it is not."""
    protocol: str
    method: str
    """The predictions' folder."""


_STAMP = b"wirsung_protocol"
_SCHEMA = pa.schema(
    [
        pa.field("case", pa.string(), nullable=False),
        pa.field("structure", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("unit", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("protocol", pa.string()),
        pa.field("method", pa.string()),
    ],
    metadata={b"wirsung_schema": b"1"},
)


class Scores:
    """All scores of an evaluation, by method, structure and metric; the cases keep their order."""

    def __init__(
        self,
        rows: Iterable[Score],
        stamp: ProtocolStamp | None = None,
        lesions: Mapping[str, Mapping[str, CaseLesions]] | None = None,
    ) -> None:
        self.rows = tuple(rows)
        self.lesions = lesions or {}
        """By method and case; empty where no lesions were scored, and where scores are read from a file."""
        self.stamp = stamp
        """Which protocol they follow; None where the file does not say."""
        self._groups: dict[tuple[str, str, str], dict[str, Score]] = {}
        for row in self.rows:
            self._groups.setdefault((row.method, row.structure, row.metric), {})[row.case] = row

    def by_case(self, method: str, structure: str, metric: str) -> dict[str, Score]:
        """Case to score; empty where nothing was scored so."""
        return self._groups.get((method, structure, metric), {})

    def structures(self, method: str) -> tuple[str, ...]:
        """The structures that the method was scored on, in order."""
        return tuple(dict.fromkeys(structure for name, structure, _ in self._groups if name == method))

    def __iter__(self) -> Iterator[Score]:
        return iter(self.rows)


def write_scores(folder: Path, scores: Iterable[Score], stamp: ProtocolStamp | None = None) -> None:
    """Write `scores.parquet`, the protocol's stamp in its metadata, and the same rows as `scores.csv`."""
    rows = list(scores)
    names = [item.name for item in fields(Score)]
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    table = pa.Table.from_pydict(columns, schema=_SCHEMA)
    if stamp:
        said = json.dumps(asdict(stamp)).encode()
        table = table.replace_schema_metadata({**_SCHEMA.metadata, _STAMP: said})
    with atomic_path(folder / SCORES_FILE) as partial:
        pq.write_table(table, partial)
    with atomic_path(folder / TABLE_FILE) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        columns["value"] = ["" if math.isnan(row.value) else repr(row.value) for row in rows]
        columns["reason"] = [row.reason or "" for row in rows]
        writer.writerows(zip(*columns.values(), strict=True))


def read_scores(path: Path) -> Scores:
    """The scores of a `scores.parquet`, or of the folder that holds it.

    Raises:
        ManifestError: It is missing, damaged, or lacks a column.
    """
    file = path / SCORES_FILE if path.is_dir() else path
    try:
        found = pq.read_table(file)
        table = found.select(_SCHEMA.names).cast(_SCHEMA)
        said = json.loads((found.schema.metadata or {}).get(_STAMP, b"null"))
        stamp = ProtocolStamp(**said) if said else None
    except FileNotFoundError as error:
        msg = f"{file} is not there. Make it with: wirsung evaluate REFERENCE PREDICTION --out {file.parent}"
        raise ManifestError(msg) from error
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        msg = f"{file} holds no scores as Wirsung writes them. Evaluate again to write it anew."
        raise ManifestError(msg) from error
    return Scores((Score(**row) for row in table.to_pylist()), stamp)
