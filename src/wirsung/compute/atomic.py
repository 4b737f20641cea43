"""Files that are whole or absent: write under a temporary name, flush to the disk, rename."""

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wirsung.errors import StorageError

FULL_DISK = "the disk is full"
"""What the message of each error says that more space would mend."""
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that becomes `path` when the block ends well, and vanishes otherwise.

    The temporary name starts with a dot and ends with the name of `path`, so that writers which choose a
    format by the suffix choose the right one.

    Raises:
        StorageError: The disk is full, or the folder can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".partial-", suffix="-" + path.name, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise storage_error(path, error) from error
    partial = Path(name)
    try:
        yield partial
        _flush(partial)
        partial.chmod(0o644)
        partial.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Write `content` to `path` as indented JSON; NaN is refused, as JSON has none."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Put the names of new files in `folder` on the disk, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return  # Windows opens no folders
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def storage_error(path: Path, error: OSError) -> StorageError:
    """What to tell the user of an error while writing `path`."""
    if error.errno in _OUT_OF_SPACE:
        msg = f"{path}: {FULL_DISK}, so this file was not written. Free some space and run again."
    else:
        msg = f"{path}: can't be written ({error.strerror or type(error).__name__}). Choose another output."
    return StorageError(msg)
