"""Keeping a second run out: a lock on a file that a killed run can't leave behind."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl


def try_to_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed or its process ends; False where another run holds it.

    Where the disk knows no locks, as some network disks, nothing is locked and the answer is True.
    """
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock file at `path` while the block runs; yields False where another run holds it.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp()) / "lock"
        >>> with locked(path) as first, locked(path) as second:
        ...     first, second
        (True, False)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        yield try_to_lock(file.fileno())
