"""The methods that are compared: their scores from `wirsung evaluate`, or from tables of whoever made them.

A long table has the columns case, structure, metric and value, and may have method and reason, as scores.csv
does. A wide one holds a single metric, after which the file is called (`dsc.csv`), with a row a case and a
column a structure; there an empty cell is a structure that is absent from the reference.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wirsung.errors import ConfigError, ManifestError
from wirsung.evaluation.case_table import case_column, csv_rows
from wirsung.evaluation.protocol import METRICS, ProtocolStamp
from wirsung.evaluation.scores import SCORES_FILE, TABLE_FILE, read_scores
from wirsung.evaluation.undefined import Reason

ScoreOf = dict[str, tuple[float, str | None]]
"""Case to value and, where it is NaN, the reason."""

_LONG = ("case", "structure", "metric", "value")


@dataclass(frozen=True)
class ScoredMethod:
    """One method's scores."""

    name: str
    source: Path
    protocol: str | None = None
    """Its name; None where a table does not say."""
    stamp: ProtocolStamp | None = None
    """None where only the protocol's name is known, or nothing."""
    sha256: str = ""
    """Of the file or files."""
    tables: dict[tuple[str, str], ScoreOf] = field(default_factory=dict)
    """Structure and metric to scores."""

    @property
    def cases(self) -> frozenset[str]:
        """All that were scored."""
        return frozenset(case for table in self.tables.values() for case in table)


def read_methods(paths: Sequence[Path]) -> tuple[ScoredMethod, ...]:
    """The methods in the order given; one evaluation of several predictions holds several.

    Raises:
        ConfigError: Fewer than two methods, or two of one name.
        ManifestError: A file is missing, damaged or no table of scores.
    """
    found = [method for path in paths for method in _read(path)]
    if len(found) < 2:
        said = f"there is only {found[0].name}" if found else "there is none"
        msg = f"A comparison needs two methods, but {said}. Name the scores of another one."
        raise ConfigError(msg)
    named = _told_apart(found)
    names = [method.name for method in named]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"Two of the methods are called {twice[0]}. Name each once, in folders of different names."
        raise ConfigError(msg)
    return named


def _told_apart(found: Sequence[ScoredMethod]) -> tuple[ScoredMethod, ...]:
    """Where two are called alike, each with its folder before its name."""
    names = [method.name for method in found]
    return tuple(
        replace(method, name=f"{_folder(method.source)}/{method.name}")
        if names.count(method.name) > 1
        else method
        for method in found
    )


def _folder(path: Path) -> str:
    return path.resolve().name if path.is_dir() else path.resolve().parent.name


def _read(path: Path) -> list[ScoredMethod]:
    if not path.exists():
        msg = f"{path} is not there. Make it with: wirsung evaluate REFERENCE PREDICTION --out {path}"
        raise ManifestError(msg)
    if path.suffix == ".parquet" or (path / SCORES_FILE).is_file():
        return _evaluated(path)
    if path.is_file():
        return _tables([path], path)
    if (path / TABLE_FILE).is_file():
        return _tables([path / TABLE_FILE], path)
    files = sorted(path.glob("[!.]*.csv"))
    if not files:
        msg = f"{path} holds neither {SCORES_FILE} nor a table such as dsc.csv. Evaluate, or name a table."
        raise ManifestError(msg)
    return _tables(files, path)


def _evaluated(path: Path) -> list[ScoredMethod]:
    scores = read_scores(path)
    file = path / SCORES_FILE if path.is_dir() else path
    rows = ((row.method, row.case, (row.structure, row.metric), (row.value, row.reason)) for row in scores)
    names = {row.method: row.protocol for row in scores}
    return [
        replace(method, protocol=names[method.name], stamp=scores.stamp)
        for method in _gathered(rows, path, [file])
    ]


def _tables(files: Sequence[Path], source: Path) -> list[ScoredMethod]:
    """A file is called after its metric if it is wide, so that its folder names the method."""
    found: list[tuple[str, str, tuple[str, str], tuple[float, str | None]]] = []
    protocols: dict[str, str] = {}
    for file in files:
        rows = csv_rows(file)
        columns = list(rows[0]) if rows else []
        if set(_LONG) <= set(columns):
            own = file.stem if file == source else source.resolve().name
            found += _long(rows, own, file)
            protocols |= {
                str(row.get("method") or own): str(row["protocol"]) for row in rows if row.get("protocol")
            }
        else:
            found += _wide(rows, file)
    return [
        replace(method, protocol=protocols.get(method.name)) for method in _gathered(found, source, files)
    ]


def _gathered(
    rows: Iterable[tuple[str, str, tuple[str, str], tuple[float, str | None]]],
    source: Path,
    files: Sequence[Path],
) -> list[ScoredMethod]:
    sha256 = hashlib.sha256(
        b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)
    ).hexdigest()
    methods: dict[str, ScoredMethod] = {}
    for name, case, key, score in rows:
        method = methods.setdefault(name, ScoredMethod(name, source, sha256=sha256))
        table = method.tables.setdefault(key, {})
        if case in table:
            msg = f"{source}: {name} has two values of {key[1]} of the {key[0]} for case {case}. Keep one."
            raise ManifestError(msg)
        table[case] = score
    return list(methods.values())


def _long(
    rows: Sequence[dict[str, Any]], name: str, file: Path
) -> Iterator[tuple[str, str, tuple[str, str], tuple[float, str | None]]]:
    for row in rows:
        case, structure, metric = (str(row[column]) for column in _LONG[:3])
        reason = str(row["reason"]) if row.get("reason") else None
        score = _score(
            row["value"], reason or "unknown", f"{file}: {metric} of the {structure}, case {case},"
        )
        yield str(row.get("method") or name), case, (structure, metric), score


def _wide(
    rows: Sequence[dict[str, Any]], file: Path
) -> Iterator[tuple[str, str, tuple[str, str], tuple[float, str | None]]]:
    metric = file.stem
    if metric.split("_")[0] not in METRICS and metric not in METRICS:
        msg = (
            f"{file} is called after no metric. A table with a row a case and a column a structure holds one "
            f"metric and is called by it, such as {file.parent.name}/dsc.csv; else give it the columns "
            f"{', '.join(_LONG)}."
        )
        raise ManifestError(msg)
    column = case_column(list(rows[0])) if rows else None
    if column is None:
        msg = f"{file} has no column that names the case. Call it case."
        raise ManifestError(msg)
    method = file.resolve().parent.name
    for row in rows:
        case = str(row[column])
        for structure, value in row.items():
            if structure != column:
                where = f"{file}: {metric} of the {structure}, case {case},"
                yield method, case, (structure, metric), _score(value, Reason.REFERENCE_EMPTY, where)


def _score(value: object, reason: str, where: str) -> tuple[float, str | None]:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return math.nan, reason
    if not isinstance(value, int | float) or math.isinf(value):
        msg = f"{where} is no finite number. Leave the cell empty where there is none."
        raise ManifestError(msg)
    return float(value), None
