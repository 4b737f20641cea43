"""`wirsung query`: ask a dataset's tables in SQL, and nothing else.

The tables are `cases` (the manifest), `structures` and `lesions` (what was measured of each) and
`fingerprints` (what each scan is known again by). The query runs in memory: it can't change the dataset, open
another file or reach a network.
"""

import csv
import io
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import tyro

from wirsung.compute.atomic import atomic_path, write_text
from wirsung.datasets.catalog_tables import FINGERPRINTS_FILE, LESIONS_FILE, read_fingerprints, read_lesions
from wirsung.datasets.manifest import MANIFEST_FILE, STRUCTURES_FILE, read_manifest, read_structures
from wirsung.errors import ConfigError, ManifestError

TABLES = {
    "cases": MANIFEST_FILE,
    "structures": STRUCTURES_FILE,
    "lesions": LESIONS_FILE,
    "fingerprints": FINGERPRINTS_FILE,
}
"""Table to file."""

_FORMATS = (".csv", ".parquet", ".json")
_MOST_SHOWN = 40
_LOCKS = ("SET enable_external_access = false", "SET lock_configuration = true")


@dataclass(frozen=True)
class QuerySettings:
    """Ask a dataset's tables, cases, structures, lesions and fingerprints, in SQL."""

    dataset: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DATASET")]
    """The dataset; only read."""
    sql: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SQL")]
    """Such as "SELECT phase, count(*) FROM cases GROUP BY phase"; `DESCRIBE cases` lists the columns."""
    out: Path | None = None
    """Where to write all rows: .csv, .parquet or .json; the terminal shows the first 40."""


@dataclass(frozen=True)
class Answer:
    """The rows that a query found."""

    table: pa.Table
    out: Path | None = None

    def lines(self) -> list[str]:
        """For the terminal: the first rows, in columns."""
        rows = self.table.slice(0, _MOST_SHOWN).to_pylist()
        texts = [list(self.table.column_names), *([_text(value) for value in row.values()] for row in rows)]
        if not texts[0]:
            return ["The query found no columns."]
        widths = [max(len(line[index]) for line in texts) for index in range(len(texts[0]))]
        told = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in texts]
        left = len(self.table) - len(rows)
        more = (
            [f"... and {left:,} more rows; --out FILE.csv keeps them all."] if left and not self.out else []
        )
        return [*told, *more, *([f"Written: {self.out}"] if self.out else [])]

    def as_json(self) -> dict[str, Any]:
        """For programs: every row."""
        return {"columns": self.table.column_names, "rows": _plain(self.table)}


def query(settings: QuerySettings) -> Answer:
    """Run one SQL query over the dataset's tables.

    Raises:
        ConfigError: The SQL is wrong, wants more than the tables, or the output's suffix is unknown.
        ManifestError: The dataset has no such table, or a table is damaged.
    """
    out = settings.out
    if out is not None and out.suffix not in _FORMATS:
        msg = f"{out.name} ends in none of {', '.join(_FORMATS)}. Choose one of them."
        raise ConfigError(msg)
    answer = Answer(ask(settings.dataset, settings.sql), out)
    if out is not None:
        _write(answer, out)
    return answer


def ask(root: Path, sql: str) -> pa.Table:
    """The rows of a query over the tables of the dataset in `root`.

    Raises:
        ConfigError: The SQL is wrong or wants more than the tables.
        ManifestError: As in `read_manifest`.
    """
    with duckdb.connect(":memory:") as connection:
        for name, table in _tables(root).items():
            connection.register(name, table)
        for lock in _LOCKS:
            connection.execute(lock)
        try:
            rows = connection.sql(sql)
            return pa.table({}) if rows is None else rows.to_arrow_table()
        except duckdb.CatalogException as error:
            for name, file in TABLES.items():
                if f"name {name} " in str(error) and not (root / file).is_file():
                    msg = f"{root} has no {file}: nothing was measured yet. Run: wirsung catalog {root}"
                    raise ManifestError(msg) from error
            raise ConfigError(_told(error)) from error
        except duckdb.Error as error:
            raise ConfigError(_told(error)) from error


def _tables(root: Path) -> dict[str, pa.Table]:
    """The tables that are there; the manifest must be. Of fingerprints not the levels, which are bytes."""
    found = {"cases": read_manifest(root)}
    readers = {"structures": read_structures, "lesions": read_lesions, "fingerprints": read_fingerprints}
    found |= {name: read(root) for name, read in readers.items() if (root / TABLES[name]).is_file()}
    if "fingerprints" in found:
        found["fingerprints"] = found["fingerprints"].drop_columns(["levels"])
    return found


def _told(error: duckdb.Error) -> str:
    return f"The query can't be answered. {str(error).strip()}"


def _write(answer: Answer, path: Path) -> None:
    if path.suffix == ".parquet":
        with atomic_path(path) as partial:
            pq.write_table(answer.table, partial)
        return
    if path.suffix == ".json":
        write_text(path, json.dumps({"schema": 1, **answer.as_json()}, indent=2) + "\n")
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.table.column_names)
    writer.writerows([_text(value) for value in row.values()] for row in answer.table.to_pylist())
    write_text(path, text.getvalue())


def _text(value: object) -> str:
    """A value in a cell; nothing where it is missing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def _plain(table: pa.Table) -> list[dict[str, Any]]:
    return [
        {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
        for row in table.to_pylist()
    ]
