"""Whether a file is still the one that was seen: cheaply by size and time, or surely by its bytes."""

import hashlib
from pathlib import Path


def state_of_file(path: Path) -> list[str | int]:
    """Name, size in bytes and time in ns: what changes when the file does.

    Raises:
        OSError: There is no such file.
    """
    found = path.stat()
    return [path.name, found.st_size, found.st_mtime_ns]


def sha256_of_file(path: Path) -> str:
    """SHA-256 of the file's bytes, 64 hex digits; the file is read piece by piece.

    Raises:
        OSError: It can't be read.

    Source:
        FIPS 180-4.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
