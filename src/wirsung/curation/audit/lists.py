"""The findings as files: CSV, JSON and Parquet, with the same columns."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from wirsung.compute.atomic import atomic_path, write_text
from wirsung.curation.findings import Finding

SUFFIXES = (".csv", ".json", ".parquet")
_SCHEMA = 2
_NUMBERS = ("value", "threshold")
COLUMNS = (
    "rule",
    "severity",
    "case",
    "structure",
    "file",
    "value",
    "threshold",
    "unit",
    "sentence",
    "picture",
)


def write_findings(path: Path, findings: Sequence[Finding]) -> None:
    """Write the findings, as the file's suffix says.

    Raises:
        StorageError: The file can't be written.
    """
    rows = [{name: asdict(item)[name] for name in COLUMNS} for item in findings]
    if path.suffix == ".json":
        write_text(path, json.dumps({"schema": _SCHEMA, "findings": rows}, indent=2) + "\n")
    elif path.suffix == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(path, text.getvalue())
    else:
        fields = [pa.field(name, pa.float64() if name in _NUMBERS else pa.string()) for name in COLUMNS]
        schema = pa.schema(fields, metadata={b"wirsung_schema": str(_SCHEMA).encode()})
        with atomic_path(path) as temporary:
            pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary)
