"""What a zip or tar archive holds, read once through under a budget; nothing is written here."""

import bz2
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, cast

from isal import igzip

from wirsung.datasets.fetching.names import clash, is_junk, why_refused
from wirsung.datasets.fetching.transfer import Came, DownloadError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
FOREIGN = (".7z", ".rar", ".zst")
"""Archives that the standard library can't open."""
_PIECE = 1 << 20
_LONGEST_TARGET = 4096
"""Bytes of where a link leads to."""
_LONGEST_HEADER = 1 << 20
"""Bytes that tell of one member of a tar; the tar's own reader would take any number of them."""
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error)
_UNSUPPORTED = (NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Budget:
    """How much may come out of an archive."""

    ratio: int = 500
    """Bytes for each byte of the archive; masks of little content reach 300."""
    free_bytes: int = 4 << 30
    """So much may come out whatever the ratio."""
    members: int = 3_000_000

    def most_bytes(self, archive_bytes: int) -> int:
        """The most that an archive of that size may hold."""
        return max(self.free_bytes, self.ratio * archive_bytes)


@dataclass(frozen=True)
class Member:
    """One thing in an archive."""

    path: PurePosixPath
    kind: Literal["file", "folder", "link"]
    total_bytes: int = 0
    """As the archive says; held to while reading."""
    target: PurePosixPath | None = None
    """Of a link: a member of the same archive."""


@dataclass(frozen=True)
class Contents:
    """What an archive holds."""

    members: tuple[Member, ...]

    @property
    def total_bytes(self) -> int:
        """Of all files together."""
        return sum(member.total_bytes for member in self.members)


def is_archive(name: str) -> bool:
    """Whether a file of that name is to be unpacked.

    Example:
        >>> is_archive("Task07_Pancreas.tar"), is_archive("ct.nii.gz")
        (True, False)
    """
    return name.lower().endswith(SUFFIXES)


def inspect(path: Path, budget: Budget | None = None, came: Came = lambda done, total: None) -> Contents:
    """Read the whole archive, its checksums included, and return what it holds.

    What desktops leave behind is left out.

    Args:
        path: A zip or tar file.
        budget: How much it may hold.
        came: Called again and again with the bytes read so far.

    Raises:
        DownloadError: It is damaged, cut, encrypted or of another kind than its name says; or it holds too
            much, a name that can't be a file everywhere, a link that leads out, or a device.
    """
    budget = budget or Budget()
    most = budget.most_bytes(path.stat().st_size)
    found: list[Member] = []
    total = 0
    for member, stream in read_members(path):
        found.append(member)
        if len(found) > budget.members:
            raise _refused(path, f"holds more than {budget.members:,} files")
        while stream is not None and (piece := stream.read(_PIECE)):
            total += len(piece)
            came(total, None)
            if total > most:
                raise _refused(path, f"unpacks to more than {most:,} bytes, which no honest archive does")
    _check_tree(path, found)
    return Contents(tuple(found))


def read_members(path: Path) -> Iterator[tuple[Member, IO[bytes] | None]]:
    """Each member with a stream of its bytes, in the order of the file; read a stream before the next member.

    Raises:
        DownloadError: As in `inspect`, but for what only the whole archive shows.
    """
    reader = _zip_members if path.name.lower().endswith(".zip") else _tar_members
    with _damage_told(path):
        for name, member, stream in reader(path):
            if is_junk(PurePosixPath(name)):
                continue
            why = why_refused(name)
            if why:
                raise _refused(path, f"holds the name {name!r}, which {why}")
            yield member, None if stream is None else cast(IO[bytes], _Told(path, stream))


def _zip_members(path: Path) -> Iterator[tuple[str, Member, IO[bytes] | None]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name, mode = info.orig_filename, info.external_attr >> 16
            place = PurePosixPath(name)
            kind = stat.S_IFMT(mode)
            if info.flag_bits & 1:
                raise _refused(path, "is encrypted")
            if stat.S_ISLNK(mode):
                with archive.open(info) as stream:
                    target = stream.read(_LONGEST_TARGET).decode("utf-8", "replace")
                yield name, Member(place, "link", target=_inside(path, place, target)), None
            elif info.is_dir():
                yield name, Member(place, "folder"), None
            elif kind not in (0, stat.S_IFREG):
                raise _refused(path, f"holds {name!r}, which is neither file nor folder")
            else:
                with archive.open(info) as stream:
                    yield name, Member(place, "file", info.file_size), stream


def _tar_members(path: Path) -> Iterator[tuple[str, Member, IO[bytes] | None]]:
    with _inflated(path) as stream:
        counted = _Counted(path, stream)
        with tarfile.open(fileobj=cast(IO[bytes], counted), mode="r|") as archive:
            while (info := counted.header(archive)) is not None:
                name, member, data = _tar_member(path, archive, info)
                yield name, member, data
                while data is not None and data.read(_PIECE):  # what nobody wanted
                    pass
                archive.members = []  # type: ignore[attr-defined]  # else all are kept, a kilobyte each
            ended = archive.offset
        while counted.read(_PIECE):  # to the end, where gzip's own checksum is
            pass
        if counted.total < ended + tarfile.BLOCKSIZE:
            raise _refused(path, "ends without its end mark, so it is cut")


def _tar_member(
    path: Path, archive: tarfile.TarFile, info: tarfile.TarInfo
) -> tuple[str, Member, IO[bytes] | None]:
    place = PurePosixPath(info.name)
    if info.isdir():
        return info.name, Member(place, "folder"), None
    if info.issym():
        return info.name, Member(place, "link", target=_inside(path, place, info.linkname)), None
    if info.islnk():  # its target is named from the top, and not from where the link lies
        return info.name, Member(place, "link", target=_inside(path, PurePosixPath("x"), info.linkname)), None
    if not info.isreg():
        raise _refused(path, f"holds {info.name!r}, which is neither file nor folder")
    return info.name, Member(place, "file", info.size), archive.extractfile(info)


class _Told:
    """A member's stream that says what is wrong in words."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream = path, stream

    def read(self, size: int) -> bytes:
        with _damage_told(self._path):
            return self._stream.read(size)


class _Counted:
    """A stream that knows how much was read of it, and lets no header grow without end."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream = path, stream
        self._left: int | None = _LONGEST_HEADER
        self.total = 0

    def header(self, archive: tarfile.TarFile) -> tarfile.TarInfo | None:
        """The next member, or None at the end."""
        self._left = _LONGEST_HEADER
        found = archive.next()
        self._left = None
        return found

    def read(self, size: int) -> bytes:
        piece = self._stream.read(size)
        self.total += len(piece)
        if self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise _refused(self._path, f"tells more than {_LONGEST_HEADER:,} bytes of one file")
        return piece


@contextmanager
def _inflated(path: Path) -> Iterator[IO[bytes]]:
    """The tar inside, by what the file begins with."""
    with path.open("rb") as file:
        head = file.read(8)
    openers: dict[bytes, Any] = {b"\x1f\x8b": igzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
    opened = next((made for magic, made in openers.items() if head.startswith(magic)), Path.open)
    with opened(path, "rb") as stream:
        yield stream


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise _refused(path, f"is damaged, or no such archive ({type(error).__name__})") from error
    except _UNSUPPORTED as error:
        raise _refused(path, "is packed in a way that this Python can't open") from error


def _inside(path: Path, link: PurePosixPath, target: str) -> PurePosixPath:
    """The member that a link points to."""
    if target.startswith("/"):
        raise _refused(path, f"holds the link {str(link)!r}, which leads out of the folder")
    parts: list[str] = list(link.parent.parts)
    for part in PurePosixPath(target).parts:
        if part == ".." and not parts:
            raise _refused(path, f"holds the link {str(link)!r}, which leads out of the folder")
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return PurePosixPath(*parts)


def _check_tree(path: Path, members: list[Member]) -> None:
    """No two members are one file, and links lead to files."""
    files = [member for member in members if member.kind != "folder"]
    if not files:
        raise _refused(path, "holds no file")
    pair = clash(member.path for member in files)
    if pair:
        raise _refused(path, f"holds {str(pair[0])!r} and {str(pair[1])!r}, which are one on some disks")
    regular = {member.path for member in files if member.kind == "file"}
    for member in files:
        if member.kind == "link" and member.target not in regular:
            raise _refused(path, f"holds the link {str(member.path)!r}, which leads to no file of it")


def _refused(path: Path, why: str) -> DownloadError:
    return DownloadError(
        f"{path.name} {why}. Nothing of it was unpacked. Remove it and fetch it anew; if it stays so, "
        "tell its makers."
    )
