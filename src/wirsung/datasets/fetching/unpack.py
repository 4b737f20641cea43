"""From an archive to files: read through first, unpacked aside, and moved in place when all is there."""

import filecmp
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wirsung.compute.atomic import storage_error
from wirsung.datasets.fetching.archives import Budget, Contents, inspect, read_members
from wirsung.datasets.fetching.partial import FOLDER
from wirsung.datasets.fetching.room import check_free
from wirsung.datasets.fetching.transfer import Came
from wirsung.errors import StorageError

_PIECE = 1 << 20
_BLOCK_BYTES = 4096
"""What the smallest file takes on a disk."""


@dataclass(frozen=True)
class Unpacked:
    """What came out of an archive."""

    names: tuple[str, ...]
    """At the top, sorted."""
    files: int
    total_bytes: int


def unpack(
    archive: Path,
    out: Path,
    came: Came = lambda done, total: None,
    *,
    budget: Budget | None = None,
    aside: Path | None = None,
) -> Unpacked:
    """Unpack the archive into the folder; its files appear there only after all of it was read and written.

    Args:
        archive: A zip or tar file.
        out: Where its top-level names go; files that are there already must be the same.
        came: Called again and again with the bytes read, and then with those written and those of all.
        budget: How much may come out.
        aside: Folder on the same disk to unpack in first; by default one in `out`.

    Raises:
        DownloadError: The archive is damaged or holds what it must not, see `archives.inspect`.
        StorageError: The disk is too small, a different file is in the way, or the folder can't be written.
    """
    contents = inspect(archive, budget, came)
    files = sum(member.kind != "folder" for member in contents.members)
    check_free(out, contents.total_bytes + files * _BLOCK_BYTES, f"what {archive.name} holds")
    aside = (aside or out / FOLDER) / f"unpack-{archive.name}"
    with _storage_told(aside):
        shutil.rmtree(aside, ignore_errors=True)
        try:
            out.mkdir(parents=True, exist_ok=True)
            _write(archive, contents, aside, came)
            _link(contents, aside)
            _move_into(aside, out)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    names = sorted({member.path.parts[0] for member in contents.members if member.path.parts})
    return Unpacked(tuple(names), files, contents.total_bytes)


def _write(archive: Path, contents: Contents, aside: Path, came: Came) -> None:
    """Write what was inspected; a name that was not is never written."""
    known, folders = set(contents.members), {aside}
    aside.mkdir(parents=True)
    done = 0
    for member, stream in read_members(archive):
        if member not in known:
            msg = f"{archive.name} changed while it was unpacked. Run it again."
            raise StorageError(msg)
        place = aside / member.path
        if member.kind == "folder":
            place.mkdir(parents=True, exist_ok=True)
        elif stream is not None:
            if place.parent not in folders:
                place.parent.mkdir(parents=True, exist_ok=True)
                folders.add(place.parent)
            with place.open("xb") as file:
                while piece := stream.read(_PIECE):
                    file.write(piece)
                    done += len(piece)
                    came(done, contents.total_bytes)


def _link(contents: Contents, aside: Path) -> None:
    """Make the links; after the files, so that nothing is ever written through one."""
    for member in contents.members:
        if member.target is not None:
            place = aside / member.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(os.path.relpath(aside / member.target, place.parent))


def _move_into(aside: Path, out: Path) -> None:
    """Move each top-level name in one step where nothing is in its way, else file by file."""
    for item in sorted(aside.iterdir()):
        _move(item, out / item.name)


def _move(item: Path, place: Path) -> None:
    if not place.exists() and not place.is_symlink():
        item.replace(place)
    elif item.is_dir() and not item.is_symlink() and place.is_dir() and not place.is_symlink():
        for inner in sorted(item.iterdir()):
            _move(inner, place / inner.name)
    elif not _is_same(item, place):
        msg = f"{place} is there already with other content. Move it away, or choose another folder."
        raise StorageError(msg)


def _is_same(item: Path, place: Path) -> bool:
    if item.is_symlink() or place.is_symlink():
        return item.is_symlink() and place.is_symlink() and item.readlink() == place.readlink()
    return item.is_file() and place.is_file() and filecmp.cmp(item, place, shallow=False)


@contextmanager
def _storage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error
