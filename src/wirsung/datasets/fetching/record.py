"""What was fetched, from where and when: `fetched.json` beside the files."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wirsung.compute.atomic import write_json
from wirsung.datasets.fetching.download import Got
from wirsung.datasets.fetching.transfer import Wanted
from wirsung.errors import ManifestError

RECORD_FILE = "fetched.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Entry:
    """One file that is there, or that was unpacked and dropped."""

    url: str
    total_bytes: int
    sha256: str
    compared_with: str
    """What it was held against: published sha256, md5 or size; nothing, where none is known."""
    date: str
    """When it came, UTC."""
    modified_ns: int
    """Time of the file on this disk: as long as it and the size stay, it is not read again."""
    unpacked: tuple[str, ...] = ()
    """Names that came out of it, at the top of the folder that it was unpacked into."""

    def is_untouched(self, path: Path) -> bool:
        """Whether size and time are as they were."""
        found = path.stat()
        return (found.st_size, found.st_mtime_ns) == (self.total_bytes, self.modified_ns)


@dataclass(frozen=True)
class Record:
    """All files of one source in one folder."""

    source: str
    files: Mapping[str, Entry] = field(default_factory=dict)

    def with_entry(self, name: str, entry: Entry) -> "Record":
        """The record with that file in it."""
        return replace(self, files={**self.files, name: entry})


def entry_of(got: Got, wanted: Wanted) -> Entry:
    """The entry of a file that has just come."""
    published = {"sha256": wanted.sha256, "md5": wanted.md5, "size": wanted.total_bytes}
    compared = next((name for name, value in published.items() if value), "nothing")
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return Entry(wanted.url, got.total_bytes, got.sha256, compared, date, got.path.stat().st_mtime_ns)


def read_record(out: Path, source: str) -> Record:
    """The record in that folder; an empty one where there is none.

    Raises:
        ManifestError: It is damaged, or of another source.
    """
    path = out / RECORD_FILE
    if not path.is_file():
        return Record(source)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema, found = content["schema"], content["source"]
        files = {str(name): _entry(row) for name, row in content["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{path} is damaged. Remove it: the files are then read and checked once more."
        raise ManifestError(msg) from error
    if schema != _SCHEMA:
        msg = f"{path} has schema {schema!r}, but this version of Wirsung reads {_SCHEMA}."
        raise ManifestError(msg)
    if found != source:
        msg = (
            f"{out} holds the files of {found}, not of {source}. Choose a folder of its own for each source."
        )
        raise ManifestError(msg)
    return Record(source, files)


def write_record(out: Path, record: Record) -> None:
    """Write the record."""
    files = {name: asdict(entry) for name, entry in sorted(record.files.items())}
    write_json(out / RECORD_FILE, {"schema": _SCHEMA, "source": record.source, "files": files})


def _entry(row: dict[str, Any]) -> Entry:
    return Entry(**{**row, "unpacked": tuple(row["unpacked"])})
