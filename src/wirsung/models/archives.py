"""Zips from outside, opened with suspicion: nothing lands outside the folder or swells beyond bounds."""

import shutil
import stat
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path, PurePosixPath

from wirsung.errors import CheckpointError, StorageError

MOST_MEMBERS = 100_000
MOST_BYTES = 64 * 2**30
"""Of what is unpacked: five folds of the largest networks in use are a quarter of it."""
_MOST_RATIO = 200
"""Deflate can reach 1000; weights reach 2, JSON 20."""
_SMALL_BYTES = 64 * 2**20
"""Up to here the ratio does not matter."""
_HEADER_BYTES = 30
"""Of a zip's local header, at least."""


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip whose list of members can be trusted.

    Raises:
        CheckpointError: It is cut or damaged, or a member has a name that leads outside, is there twice, is a
            link, is encrypted, overlaps another, or would be unreasonably large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(path, archive.infolist())
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        msg = f"{path} is cut or damaged, or no zip. Copy it anew."
        raise CheckpointError(msg) from error


def members(archive: zipfile.ZipFile) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """The files of a zip by their place in it."""
    return {PurePosixPath(info.filename): info for info in archive.infolist() if not info.is_dir()}


def unpack(archive: zipfile.ZipFile, wanted: Collection[PurePosixPath], into: Path) -> None:
    """Write the wanted files into a folder, in the folders that they have in the zip.

    Raises:
        StorageError: The disk is full or can't be written.
    """
    known = members(archive)
    for name in wanted:
        target = into / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(known[name]) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, 2**20)
        except OSError as error:
            msg = f"{name} can't be unpacked ({error.strerror}). Free some space, or choose another output."
            raise StorageError(msg) from error


def _check(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > MOST_MEMBERS:
        _refuse(path, f"has {len(infos)} members, more than {MOST_MEMBERS}")
    total = sum(info.file_size for info in infos)
    if total > MOST_BYTES:
        _refuse(path, f"would unpack to {total / 2**30:.0f} GiB, more than {MOST_BYTES // 2**30}")
    for info in infos:
        _check_name(path, info)
        _check_member(path, info)
    _check_twice(path, infos)
    _check_overlap(path, infos)


def _check_name(path: Path, info: zipfile.ZipInfo) -> None:
    # `orig_filename` is what stands in the file; Python cuts `filename` at a null byte.
    name = info.orig_filename
    place = PurePosixPath(name)
    is_windows = "\\" in name or ":" in name
    if place.is_absolute() or ".." in place.parts or is_windows or not place.parts or "\0" in name:
        _refuse(path, f"has a member named {name!r}, which leads outside the folder")


def _check_member(path: Path, info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        _refuse(path, f"has a member that is a link or a device ({info.filename})")
    if info.flag_bits & 1:
        _refuse(path, f"has an encrypted member ({info.filename})")
    if info.file_size > _SMALL_BYTES and info.file_size > _MOST_RATIO * max(info.compress_size, 1):
        _refuse(path, f"has a member ({info.filename}) that swells to {info.file_size / 2**30:.1f} GiB")


def _check_twice(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    """No two members of one name, be it in upper or lower case, and no file that is a folder too."""
    seen: set[str] = set()
    files = set()
    for info in infos:
        name = str(PurePosixPath(info.filename)).casefold()
        if name in seen:
            _refuse(path, f"has two members named {info.filename}")
        seen.add(name)
        if not info.is_dir():
            files.add(name)
    for name in seen:
        parents = {str(parent) for parent in PurePosixPath(name).parents}
        if parents & files:
            _refuse(path, f"has a member ({name}) inside a file")


def _check_overlap(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Bombs without high ratios share their bytes among members."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    for first, second in pairwise(ordered):
        if first.header_offset + _HEADER_BYTES + first.compress_size > second.header_offset:
            _refuse(path, f"has members that share their bytes ({first.filename}, {second.filename})")


def _refuse(path: Path, what: str) -> None:
    msg = f"{path} {what}. Get it from its author anew."
    raise CheckpointError(msg)
