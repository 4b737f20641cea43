"""The journal of a fold: one JSON object a line, for each step and each epoch, in the order they were learnt.

A killed training loses at most the line that it was writing. One that goes on from a checkpoint takes back
what was learnt after it, so that no step is there twice and none is missing.
"""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wirsung.compute.atomic import storage_error, write_text
from wirsung.errors import WirsungError
from wirsung.training.watching.events import Epoch, Step

if TYPE_CHECKING:
    from wirsung.training.trainer import Trainer

JOURNAL_FILE = "journal.jsonl"
SCHEMA = 1

_HEAD = {"schema": SCHEMA, "kind": "journal"}
_DIGITS = 6
"""Of a number; a loss has no more that mean anything."""


@dataclass(frozen=True)
class Entry:
    """A step or an epoch, and when it ended."""

    event: Step | Epoch
    time_s: float
    """Since the first line, over all calls that worked on the fold, without the time between them."""


class Journal:
    """Writes `journal.jsonl` as a training goes.

    Args:
        path: The file.
        now: A clock in seconds.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._origin = now()

    def resume_at(self, epoch: int, iteration: int) -> None:
        """Take back what comes after a checkpoint, and mend a last line that a kill cut short.

        Args:
            epoch: In which the training goes on, from 0.
            iteration: Batches of this epoch that are learnt already.

        Raises:
            StorageError: The file can't be written.
        """
        kept = [entry for entry in read_journal(self._path) if _is_before(entry.event, epoch, iteration)]
        lines = [_HEAD, *(_row(entry) for entry in kept)]
        write_text(self._path, "".join(_line(line) for line in lines))
        self._origin = self._now() - (kept[-1].time_s if kept else 0.0)

    def add(self, event: Step | Epoch) -> None:
        """Append a line.

        Raises:
            StorageError: The file can't be written.
        """
        entry = Entry(event, self._now() - self._origin)
        try:
            # Opened anew each time: a step takes longer by far, and the line is out when this returns.
            with self._path.open("a", encoding="utf-8") as file:
                file.write(_line(_row(entry)))
        except OSError as error:
            raise storage_error(self._path, error) from error

    def started(self, trainer: "Trainer") -> None:
        """Begin, or go on where the trainer stands."""
        self.resume_at(trainer.current_epoch, trainer.iteration)

    def step(self, event: Step) -> None:
        """Write it down."""
        self.add(event)

    def epoch(self, trainer: "Trainer", event: Epoch) -> None:
        """Write it down."""
        del trainer
        self.add(event)

    def ended(self, trainer: "Trainer", reason: str) -> None:
        """Nothing: every line is out already."""


def read_journal(path: Path) -> tuple[Entry, ...]:
    """The entries of a journal, in order; none where there is no file. A last line cut short is left out.

    Raises:
        WirsungError: It is of a later version, or a line within it is damaged.
    """
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ()
    # What follows the last line break was cut short by a kill, even where it happens to be JSON: 1 of 12.
    rows = list(_rows(path, text.split("\n")[:-1]))
    if rows and rows[0].get("schema") != SCHEMA:
        msg = (
            f"{path} has schema {rows[0].get('schema')!r}, but this version reads {SCHEMA}. Delete the file."
        )
        raise WirsungError(msg)
    return tuple(_entry(path, row) for row in rows[1:])


def steps_of(entries: Iterable[Entry]) -> list[Step]:
    """The steps alone."""
    return [entry.event for entry in entries if isinstance(entry.event, Step)]


def epochs_of(entries: Iterable[Entry]) -> list[Epoch]:
    """The epochs alone."""
    return [entry.event for entry in entries if isinstance(entry.event, Epoch)]


def _rows(path: Path, lines: list[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise _damaged(path, number) from error
        if not isinstance(row, dict):
            raise _damaged(path, number)
        yield row


def _damaged(path: Path, number: int) -> WirsungError:
    msg = f"{path}, line {number}: is no line of a journal. Delete the file; training goes on without it."
    return WirsungError(msg)


def _is_before(event: Step | Epoch, epoch: int, iteration: int) -> bool:
    """Whether a checkpoint that goes on there knows of the event; an epoch ends after all of its steps."""
    if isinstance(event, Epoch):
        return event.epoch < epoch
    return (event.epoch, event.iteration) < (epoch, iteration)


def _row(entry: Entry) -> dict[str, Any]:
    kind = "step" if isinstance(entry.event, Step) else "epoch"
    return {"kind": kind, "time_s": entry.time_s, **asdict(entry.event)}


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(_plain(row), allow_nan=False, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever an event holds
    """For JSON, which has no NaN."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value


def _entry(path: Path, row: Mapping[str, Any]) -> Entry:
    kind: type[Step] | type[Epoch] = Step if row.get("kind") == "step" else Epoch
    try:
        said = {item.name: row[item.name] for item in fields(kind)}
        if kind is Step:
            event: Step | Epoch = Step(
                **{**said, "loss": _number(said["loss"]), "cases": tuple(said["cases"])}
            )
        else:
            dice = {name: _number(value) for name, value in said["pseudo_dice"].items()}
            losses = {name: _number(said[name]) for name in ("loss", "validation_loss")}
            event = Epoch(**{**said, **losses, "pseudo_dice": dice})
        return Entry(event, float(row["time_s"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"{path}: a line lacks {error}. Delete the file; training goes on without it."
        raise WirsungError(msg) from error


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
