"""Whether a disk has room, asked before a byte is written."""

import shutil
from pathlib import Path

from wirsung.errors import StorageError

_SPARE_BYTES = 64 << 20
"""What a disk keeps free."""


def check_free(out: Path, needed_bytes: int, what: str) -> None:
    """Pass where the disk of `out` holds that much more.

    Raises:
        StorageError: It does not; the message says how much is missing.
    """
    place = next(path for path in (out, *out.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if needed_bytes + _SPARE_BYTES > free:
        msg = (
            f"{out}: {what} takes {gigabytes(needed_bytes)}, but only {gigabytes(free)} are free. "
            "Free some space, or choose another folder."
        )
        raise StorageError(msg)


def gigabytes(count: int) -> str:
    """Bytes for people, in decimal units as disks are sold.

    Example:
        >>> gigabytes(34_200_000_000), gigabytes(4_100_000), gigabytes(900)
        ('34.2 GB', '4.1 MB', '900 bytes')
    """
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"
