"""What is known of the cases in OUT: `predictions.json`, and the ledger that grows beside it.

A case that is done adds one line to `predictions.jsonl`, which costs the same for the first case and for the
26,000th; `predictions.json` is made anew from it now and then and at the end. A killed run loses no case that
was done. Where the two differ, the ledger is right.

That the files of a case are still those that were written is known by their size and time, which the ledger
holds; where these differ, as after copying, by SHA-256. Who wants every byte compared removes the ledger.
"""

import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from wirsung.compute.atomic import write_json
from wirsung.compute.file_state import sha256_of_file
from wirsung.compute.ledger import Ledger, Line, read_ledger
from wirsung.compute.outcome import Outcome
from wirsung.errors import ConfigError, StorageError
from wirsung.inference.case import Predicted, Written, size_and_time

PREDICTIONS_FILE = "predictions.json"
LEDGER_FILE = "predictions.jsonl"
_SCHEMA = 1
_EVERY_S = 60.0
_SHARE = 0.02
"""Of a run's time that may go into rewriting `predictions.json` on the way."""
_PARTIAL = re.compile(r"\.partial-[a-z0-9_]{8}-(.+\.nii\.gz|predictions\.json)")


class Record:
    """The cases of one folder, while one call writes to it."""

    def __init__(self, out: Path, head: Mapping[str, Any], ledger: Ledger) -> None:
        self._out, self._head, self._ledger = out, head, ledger
        self._known = Known.of(out, ledger.lines())
        self._is_told = (out / PREDICTIONS_FILE).is_file()
        self._folded, self._took_s = monotonic(), 0.0
        self._one_at_a_time = threading.RLock()

    @classmethod
    @contextmanager
    def opened(cls, out: Path, head: Mapping[str, Any]) -> Iterator["Record"]:
        """The record of OUT, for one call at a time; `predictions.json` is up to date when the block ends.

        Args:
            out: Made where it is missing; half files of killed runs are removed.
            head: What `predictions.json` says beside the cases.

        Raises:
            ConfigError: Another run writes to OUT.
            StorageError: OUT can't be written.
        """
        with Ledger.open(out / LEDGER_FILE) as ledger:
            if not ledger.hold():
                msg = f"{out} is being written by another run of wirsung predict. Wait until it has ended."
                raise ConfigError(msg)
            remove_leftovers(out)
            record = cls(out, head, ledger)
            try:
                yield record
            except BaseException:
                with suppress(StorageError):  # what went wrong first is what the user must read
                    record.fold()
                raise
            record.fold()

    @property
    def known(self) -> "Known":
        """What was known when the record was opened, and what came since."""
        return self._known

    def finish(self, case: str, written: Written) -> Predicted:
        """Add a case that is done; when this returns, that is on the disk.

        Raises:
            StorageError: The disk is full.
        """
        predicted = written.predicted
        facts = {"row": dict(written.row), "states": dict(written.states)}
        with self._one_at_a_time:
            self._ledger.record(case, predicted.key, "done", predicted.duration_s, facts=facts)
            self._known.finish(case, written.row, written.states)
            self._fold_in_time()
        return predicted

    def confirm(self, case: str, states: Mapping[str, list[int]]) -> None:
        """Remember the size and time of files that were known by their SHA-256."""
        with self._one_at_a_time:
            row = self._known.rows[case]
            facts = {"row": row, "states": dict(states)}
            self._ledger.record(case, str(row["key"]), "skipped", facts=facts)
            self._known.finish(case, row, states)

    def fail(self, outcome: Outcome[Any], key: str) -> None:
        """Add a case that failed, so that a quarantined one is known to the next call."""
        failure = {"message": outcome.message, "quarantined": outcome.is_quarantined}
        with self._one_at_a_time:
            self._ledger.record(outcome.case, key, "failed", outcome.duration_s, facts={"failure": failure})
            self._known.fail(outcome.case, key, failure)
            self._fold_in_time()

    def fold(self) -> None:
        """Write `predictions.json`.

        Raises:
            StorageError: The disk is full.
        """
        with self._one_at_a_time:
            started = monotonic()
            content = {"schema": _SCHEMA, **self._head, "cases": dict(sorted(self._known.rows.items()))}
            failed = {case: item for case, (_, item) in sorted(self._known.failures.items())}
            write_json(self._out / PREDICTIONS_FILE, {**content, **({"failed": failed} if failed else {})})
            self._is_told, self._folded = True, monotonic()
            self._took_s = self._folded - started

    def _fold_in_time(self) -> None:
        if not self._is_told or monotonic() - self._folded > max(_EVERY_S, self._took_s / _SHARE):
            self.fold()


class Known:
    """What earlier calls left."""

    def __init__(self, rows: dict[str, dict[str, Any]]) -> None:
        self.rows = rows
        """Of the cases that are done, as in `predictions.json`."""
        self.states: dict[str, Mapping[str, list[int]]] = {}
        """Of their files: size in bytes, time in ns."""
        self.failures: dict[str, tuple[str, Mapping[str, Any]]] = {}
        """Of the cases that failed: the key, and message and whether quarantined."""

    @classmethod
    def of(cls, out: Path, lines: Iterable[Line] | None = None) -> "Known":
        """What OUT holds; nothing is made or changed.

        Args:
            out: May be missing.
            lines: Of its ledger where that is open already.

        Raises:
            StorageError: The ledger can't be read.
        """
        known = cls(_read_rows(out / PREDICTIONS_FILE))
        for line in read_ledger(out / LEDGER_FILE).values() if lines is None else lines:
            row, states, failure = (line.facts.get(name) for name in ("row", "states", "failure"))
            if line.status == "failed" and isinstance(failure, Mapping):
                known.fail(line.case, line.fingerprint, failure)
            elif isinstance(row, Mapping) and isinstance(states, Mapping):
                known.finish(line.case, row, states)
        return known

    def finish(self, case: str, row: Mapping[str, Any], states: Mapping[str, list[int]]) -> None:
        """Note a case that is done."""
        self.rows[case], self.states[case] = dict(row), states
        self.failures.pop(case, None)

    def fail(self, case: str, key: str, failure: Mapping[str, Any]) -> None:
        """Note a case that failed; what an earlier model made of it no longer counts."""
        self.failures[case] = key, failure
        self.rows.pop(case, None)
        self.states.pop(case, None)

    def quarantine(self, case: str, key: str) -> str:
        """Why the case is not tried again with that key; empty where it is."""
        found, failure = self.failures.get(case, ("", {}))
        return str(failure["message"]) if found == key and failure.get("quarantined") is True else ""

    def predicted(self, case: str, key: str) -> Predicted | None:
        """The case, if it was done with that key."""
        row = self.rows.get(case, {})
        if row.get("key") != key:
            return None
        notes = tuple(map(str, row.get("warnings", ())))
        return Predicted(key, float(row.get("duration_s", 0.0)), dict(row.get("seconds", {})), notes)

    def whole_files(self, case: str, paths: Iterable[Path]) -> dict[str, list[int]] | None:
        """Size and time of the case's files, if each is there and as it was written; else None."""
        found = {}
        told, known = self.rows.get(case, {}).get("sha256"), self.states.get(case, {})
        for path in paths:
            if not isinstance(told, Mapping) or path.name not in told or not path.is_file():
                return None
            found[path.name] = size_and_time(path)
            if found[path.name] != known.get(path.name) and sha256_of_file(path) != told[path.name]:
                return None
        return found


def remove_leftovers(out: Path) -> None:
    """Remove the half files that a killed run left; only those whose names say that they are of `predict`."""
    for path in out.glob(".partial-*"):
        if _PARTIAL.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _read_rows(path: Path) -> dict[str, dict[str, Any]]:
    """What an earlier call finished; nothing where its record is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(case): dict(row) for case, row in content["cases"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
