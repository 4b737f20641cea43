"""What is done, one line a case, in a file that only ever grows: a killed run loses at most its last line.

A stage whose outputs say by themselves that they are whole needs no ledger; one that would have to open
36,390 files to find out reads this one file.
"""

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeVar, get_args

from wirsung.compute.atomic import flush_folder, storage_error
from wirsung.compute.locks import try_to_lock
from wirsung.compute.outcome import Outcome

R = TypeVar("R")
T = TypeVar("T")
Status = Literal["done", "skipped", "failed"]
_SCHEMA = 1
_STATUSES = frozenset(get_args(Status))
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Line(NamedTuple):  # a dataclass would take twice as long to read
    """What the ledger says of one case."""

    case: str
    fingerprint: str
    """Of the case's inputs and settings; where it differs, the case is to be made anew."""
    status: Status
    duration_s: float = 0.0
    facts: Mapping[str, Any] = _NOTHING
    """What else the stage wants to know of it later."""


class Ledger:
    """An append-only JSON Lines file: a case, its fingerprint, what became of it and how long it took.

    Each line is one write to a file opened for appending, flushed to the disk before `record` returns, so two
    runs on one machine may share a ledger, and so may the threads of one. The last line of a case counts.
    Lines that are damaged are passed over: their cases are made again, which costs time but never a result.

    Example:
        >>> from tempfile import mkdtemp
        >>> with Ledger.open(Path(mkdtemp()) / "ledger.jsonl") as ledger:
        ...     ledger.record("case-1", "aa", "done")
        ...     ledger.is_done("case-1", "aa"), ledger.is_done("case-1", "bb"), ledger.is_done("case-2", "aa")
        (True, False, False)
    """

    def __init__(self, path: Path, descriptor: int, content: bytes) -> None:
        self._path, self._descriptor = path, descriptor
        self._one_at_a_time = threading.Lock()
        self._is_torn = bool(content) and not content.endswith(b"\n")
        parsed = _sound_lines(content)
        self._lines = {line.case: line for line in parsed if line is not None}
        self.damaged_lines = parsed.count(None)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the ledger at `path`, and make it where there is none.

        Raises:
            StorageError: It can't be read or written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            if is_new:
                flush_folder(path.parent)
            return cls(path, descriptor, path.read_bytes())
        except OSError as error:
            raise storage_error(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._lines)

    def close(self) -> None:
        """Close the file; what was recorded is on the disk already."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def hold(self) -> bool:
        """Keep the ledger for this run alone, until it is closed; False where another run holds it."""
        return try_to_lock(self._descriptor)

    def lines(self) -> Iterator[Line]:
        """What was last recorded of each case."""
        return iter(self._lines.values())

    def line(self, case: str) -> Line | None:
        """What was last recorded of the case, else None."""
        return self._lines.get(case)

    def is_done(self, case: str, fingerprint: str) -> bool:
        """Whether the case was done, or found done, with this very fingerprint."""
        line = self._lines.get(case)
        return line is not None and line.fingerprint == fingerprint and line.status != "failed"

    def record(
        self,
        case: str,
        fingerprint: str,
        status: Status,
        duration_s: float = 0.0,
        *,
        facts: Mapping[str, Any] = _NOTHING,
    ) -> None:
        """Add a line; when this returns, it is on the disk.

        Raises:
            StorageError: The disk is full, or the file can't be written.
        """
        line = Line(case, fingerprint, status, round(duration_s, 3), facts)
        with self._one_at_a_time:
            try:
                # A torn last line is ended first, so that it can't swallow ours.
                self._append(b"\n" + _text(line) if self._is_torn else _text(line))
            except OSError as error:
                self._is_torn = True
                raise storage_error(self._path, error) from error
            self._is_torn = False
            self._lines[case] = line

    def unfinished(
        self, tasks: Iterable[tuple[str, T]], fingerprint: Callable[[str, T], str]
    ) -> Iterator[tuple[str, T]]:
        """The tasks that are not done, drawn lazily."""
        return (pair for pair in tasks if not self.is_done(pair[0], fingerprint(*pair)))

    def following(
        self, outcomes: Iterable[Outcome[R]], fingerprint: Callable[[str], str]
    ) -> Iterator[Outcome[R]]:
        """The same outcomes, each recorded before it is passed on."""
        for outcome in outcomes:
            self.record(outcome.case, fingerprint(outcome.case), outcome.status, outcome.duration_s)
            yield outcome

    def _append(self, text: bytes) -> None:
        written = os.write(self._descriptor, text)
        if written < len(text):  # the disk became full within the line
            os.write(self._descriptor, text[written:])
        os.fsync(self._descriptor)


def read_ledger(path: Path) -> dict[str, Line]:
    """The last line of each case, by case; none where there is no ledger. Nothing is made or changed.

    Raises:
        StorageError: It can't be read.
    """
    try:
        return {line.case: line for line in _sound_lines(path.read_bytes()) if line is not None}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise storage_error(path, error) from error


def _sound_lines(content: bytes) -> list[Line | None]:
    """The lines; None for each that is damaged."""
    # Lines are ASCII; what is not is damage, and becomes a character that no line of ours holds.
    return [_parsed(text) for text in content.decode("ascii", "replace").split("\n") if text]


def _text(line: Line) -> bytes:
    table = line._asdict()
    if not line.facts:
        del table["facts"]
    return json.dumps({"schema": _SCHEMA, **table}, allow_nan=False).encode("ascii") + b"\n"


def _parsed(text: str) -> Line | None:
    """The line, or None where it is damaged or of another schema."""
    try:
        table: dict[str, Any] = json.loads(text)
        schema, line = (
            table["schema"],
            Line(
                table["case"],
                table["fingerprint"],
                table["status"],
                table["duration_s"],
                table.get("facts", _NOTHING),
            ),
        )
    except (ValueError, TypeError, KeyError):
        return None
    is_sound = schema == _SCHEMA and isinstance(line.case, str) and isinstance(line.fingerprint, str)
    is_sound = is_sound and isinstance(line.facts, Mapping)
    return line if is_sound and line.status in _STATUSES else None
