"""A file that is not whole yet, and the note that says which version of it the server was sending."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from wirsung.compute.atomic import storage_error, write_json
from wirsung.errors import StorageError

FOLDER = ".partial"
"""Beside the files; what lies in it is never taken for one of them."""
_SCHEMA = 1


@dataclass(frozen=True)
class Version:
    """What a server says of the file that it sends."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    total_bytes: int | None = None

    @property
    def validator(self) -> str | None:
        """What `If-Range` may hold: a strong ETag, else the date; None where a resumed file could be another.

        Source:
            RFC 9110, sections 8.8 and 13.1.5.

        Example:
            >>> Version("u", etag='W/"1"', last_modified="Mon, 01 Jan 2024 00:00:00 GMT").validator
            'Mon, 01 Jan 2024 00:00:00 GMT'
        """
        if self.etag is not None and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified

    def is_confirmed_by(self, other: "Version") -> bool:
        """Whether the other says what `If-Range` held, so that it heeded it or needed not to.

        Example:
            >>> Version("u", etag='"1"').is_confirmed_by(Version("u", total_bytes=3))
            False
        """
        return self.validator in (other.etag, other.last_modified) and self.validator is not None

    def may_be(self, other: "Version") -> bool:
        """Whether nothing that both say tells them apart; redirects may change the address.

        Example:
            >>> first = Version("u", etag="1")
            >>> first.may_be(Version("v", total_bytes=3)), first.may_be(Version("u", etag="2"))
            (True, False)
        """
        pairs = (
            (self.etag, other.etag),
            (self.last_modified, other.last_modified),
            (self.total_bytes, other.total_bytes),
        )
        return all(one is None or two is None or one == two for one, two in pairs)


@dataclass(frozen=True)
class Partial:
    """The part of one file that has come so far."""

    out: Path
    """The folder that the whole file goes to."""
    file: str
    """The file's name in it."""

    @property
    def path(self) -> Path:
        """Where the bytes are."""
        return self.out / FOLDER / self.file

    @property
    def note_path(self) -> Path:
        """Where the version is noted."""
        return self.path.with_name(self.path.name + ".json")

    def held_bytes(self) -> int:
        """How many bytes have come."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def version(self) -> Version | None:
        """The version that the bytes are of; None where nobody knows."""
        try:
            content = json.loads(self.note_path.read_text(encoding="utf-8"))
            if content.pop("schema") != _SCHEMA:
                return None
            return Version(**content)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def begin(self, version: Version) -> None:
        """Drop what has come and note the version of what comes now.

        Raises:
            StorageError: The folder can't be written.
        """
        self.discard()
        write_json(self.note_path, {"schema": _SCHEMA, **asdict(version)})

    def discard(self) -> None:
        """Drop the bytes first and the note after them, so that no bytes are ever of a version unknown."""
        self.path.unlink(missing_ok=True)
        self.note_path.unlink(missing_ok=True)

    def become(self, path: Path) -> None:
        """Move the bytes to their final place.

        Raises:
            StorageError: They can't be moved.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.path.replace(path)
        except OSError as error:
            raise storage_error(path, error) from error
        self.note_path.unlink(missing_ok=True)


@contextmanager
def only_one(out: Path) -> Iterator[None]:
    """Keep a second run out of the folder while the block runs.

    Raises:
        StorageError: Another run is at work there, or the folder can't be written.
    """
    lock = out / FOLDER / "lock"
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = lock.open("w")
    except OSError as error:
        raise storage_error(lock, error) from error
    with handle:
        if not _locked(handle.fileno()):
            msg = f"{out}: another wirsung fetch is at work there. Wait for it, or choose another folder."
            raise StorageError(msg)
        yield
    if not [path for path in lock.parent.iterdir() if path != lock]:
        shutil.rmtree(lock.parent, ignore_errors=True)


def _locked(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows: two runs at once are the user's own care there
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
