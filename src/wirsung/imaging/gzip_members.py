"""gzip members: the frame of a deflate stream, the check of a whole file, and an index of places to begin at.

Inflating is isal's; both checks of gzip are compared here, byte for byte of the file, so a damaged file is
never taken for a whole one. The index lies in the extra field of the gzip header, where every reader
passes over it; it can't be lost or grow stale as a file beside could.
"""

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from isal import isal_zlib

from wirsung.errors import ImageError

MAGIC: Final = b"\x1f\x8b"
_FIXED = struct.Struct("<2sBBIBB")
"""Magic, method, flags, time, extra flags, operating system."""
_DEFLATE = 8
_NO_SYSTEM = 255
"""The operating system is unknown, so that files are equal whatever wrote them."""
_HEADER_CHECK, _EXTRA, _NAME, _COMMENT = 2, 4, 8, 16
_RESERVED = 0xE0
_TRAILER = struct.Struct("<II")
"""CRC32, and length modulo 2**32."""
TRAILER_BYTES: Final = _TRAILER.size
_ERROR = cast(type[Exception], isal_zlib.error)
_READ_BYTES = 1 << 16
_RAW = -15
"""zlib's way to ask for deflate without a frame, which is checked here."""

_FIELD = struct.Struct("<2sH")
_FIELD_ID = b"WS"
_INDEX = struct.Struct("<HHI")
"""Version, slices in a slab, and bytes before the voxels."""
_VERSION = 1
_PIECE = struct.Struct("<II")
"""Stored bytes and CRC32 of the inflated ones."""
MOST_PIECES: Final = (0xFFFF - _FIELD.size - _INDEX.size) // _PIECE.size
"""What fits into an extra field of at most 65535 bytes."""
LONGEST_HEADER: Final = _FIXED.size + 2 + 0xFFFF
"""Bytes of a gzip header with the longest extra field, without a file name."""


@dataclass(frozen=True)
class Piece:
    """A stretch of the stream that inflates alone."""

    stored_bytes: int
    crc32: int
    """Of the inflated bytes."""


@dataclass(frozen=True)
class SlabIndex:
    """Where slabs of slices begin inside one gzip member.

    Example:
        >>> index = SlabIndex(2, 352, (Piece(60, 1), Piece(500, 2), Piece(400, 3)))
        >>> header = member_header(index)
        >>> read_index(header) == (index, len(header))
        True
    """

    slices: int
    """In each slab; the last may hold fewer."""
    offset: int
    """Bytes before the voxels, all in the first piece."""
    pieces: tuple[Piece, ...]
    """What lies before the voxels, then the slabs."""


def member_header(index: SlabIndex | None = None) -> bytes:
    """The beginning of a member: no name, no time, and the index where there is one."""
    fixed = _FIXED.pack(MAGIC, _DEFLATE, 0 if index is None else _EXTRA, 0, 0, _NO_SYSTEM)
    if index is None:
        return fixed
    content = _INDEX.pack(_VERSION, index.slices, index.offset)
    content += b"".join(_PIECE.pack(piece.stored_bytes, piece.crc32) for piece in index.pieces)
    field = _FIELD.pack(_FIELD_ID, len(content)) + content
    return fixed + struct.pack("<H", len(field)) + field


def member_trailer(crc32: int, length: int) -> bytes:
    """The end of a member of that many inflated bytes."""
    return _TRAILER.pack(crc32, length & 0xFFFFFFFF)


def stored_crc32(path: Path) -> int:
    """The CRC32 that the end of a file of one member has; it is not checked.

    Raises:
        OSError: The file can't be read, or is shorter than that.
    """
    with path.open("rb") as file:
        file.seek(-_TRAILER.size, os.SEEK_END)
        crc32, _ = _TRAILER.unpack(file.read(_TRAILER.size))
    return int(crc32)


def read_index(beginning: bytes) -> tuple[SlabIndex, int] | None:
    """The index and the byte at which the stream begins; None where there is no index.

    Args:
        beginning: The first bytes of a file, up to `LONGEST_HEADER` of them.
    """
    start = stream_start(beginning)
    if start is None or not beginning[3] & _EXTRA:
        return None
    rest = beginning[_FIXED.size + 2 : _FIXED.size + 2 + int.from_bytes(beginning[10:12], "little")]
    while len(rest) >= _FIELD.size:
        identity, length = _FIELD.unpack_from(rest)
        content, rest = rest[_FIELD.size : _FIELD.size + length], rest[_FIELD.size + length :]
        if identity == _FIELD_ID and len(content) == length:
            index = _parsed(content)
            return None if index is None else (index, start)
    return None


def inflate_start(stored: bytes, count: int, path: Path) -> bytes:
    """The first `count` bytes, or fewer where the file ends; nothing is checked.

    Raises:
        ImageError: These bytes are damaged.
    """
    return b"".join(member.content for member in _members(stored, count, path, whole=False))[:count]


def inflate(stored: bytes, count: int, path: Path) -> bytes:
    """All bytes of all members, checked; one more than `count` where there are too many.

    Raises:
        ImageError: Damaged, cut short, or followed by something that is neither gzip nor zeros.
    """
    pieces = _members(stored, count, path, whole=True)
    return pieces[0].content if len(pieces) == 1 else b"".join(piece.content for piece in pieces)


def inflates_to(path: Path, expected: Sequence[memoryview]) -> bool:
    """Whether the file is one undamaged member of just these bytes, which are compared as they are inflated.

    Args:
        path: Read in small parts, so that neither the file nor its content is in memory.
        expected: Bytes, one stretch after the other.

    Raises:
        OSError: The file can't be read.
    """
    with path.open("rb") as file:
        start = stream_start(file.read(LONGEST_HEADER))
        if start is None:
            return False
        file.seek(start)
        stream = isal_zlib.decompressobj(wbits=_RAW)
        crc32 = place = 0
        try:
            while not stream.eof and (stored := file.read(_READ_BYTES)):
                content = stream.decompress(stored)
                if not _is_at(content, place, expected):
                    return False
                crc32 = isal_zlib.crc32(content, crc32)
                place += len(content)
        except _ERROR:
            return False
        rest = stream.unused_data + file.read()
    is_whole = stream.eof and place == sum(part.nbytes for part in expected)
    return is_whole and rest == member_trailer(crc32, place)


def _is_at(content: bytes, place: int, expected: Sequence[memoryview]) -> bool:
    """Whether the bytes stand at that place of the stretches."""
    for part in expected:
        if content and place < part.nbytes:
            count = min(len(content), part.nbytes - place)
            # As bytes, for a memoryview compares one by one.
            if bytes(part[place : place + count]) != content[:count]:
                return False
            content, place = content[count:], place + count
        place -= part.nbytes
    return not content


def inflate_piece(stored: bytes, piece: Piece, count: int, path: Path) -> bytes:
    """The bytes of one piece of an index, exactly `count`.

    Raises:
        ImageError: Damaged.
    """
    stream = isal_zlib.decompressobj(wbits=_RAW)
    try:
        content = stream.decompress(stored, count + 1)
    except _ERROR as error:
        raise _damaged(path) from error
    if len(content) != count or isal_zlib.crc32(content) != piece.crc32:
        raise _damaged(path)
    return content


@dataclass(frozen=True)
class _Member:
    content: bytes
    rest: bytes


def _members(stored: bytes, count: int, path: Path, *, whole: bool) -> list[_Member]:
    """Member by member, until the bytes wanted are there."""
    found: list[_Member] = []
    rest, missing = stored, count
    # gzip allows several members in one file, and zeros after the last.
    while rest.strip(b"\0"):
        found.append(_member(rest, missing + 1, path, whole=whole))
        missing -= len(found[-1].content)
        if missing < 0 or not (whole or missing):
            break
        rest = found[-1].rest
    return found


def _member(stored: bytes, most: int, path: Path, *, whole: bool) -> _Member:
    """The first member; its end is checked unless it holds `most` bytes or only its start is wanted."""
    start = stream_start(stored)
    if start is None:
        raise _damaged(path)
    stream = isal_zlib.decompressobj(wbits=_RAW)
    try:
        content = stream.decompress(memoryview(stored)[start:], most)
    except _ERROR as error:
        raise _damaged(path) from error
    if len(content) >= most or not (whole or stream.eof):
        return _Member(content, b"")
    trailer = stream.unused_data[: _TRAILER.size]
    if not stream.eof or len(trailer) < _TRAILER.size:
        msg = f"{path} is damaged: its gzip content ends too early. Copy or download it again."
        raise ImageError(msg)
    if trailer != member_trailer(isal_zlib.crc32(content), len(content)):
        raise _damaged(path)
    return _Member(content, stream.unused_data[_TRAILER.size :])


def stream_start(stored: bytes) -> int | None:
    """The byte after the gzip header; None where it is none, or goes on beyond `stored`."""
    if len(stored) < _FIXED.size:
        return None
    magic, method, flags, *_ = _FIXED.unpack_from(stored)
    if magic != MAGIC or method != _DEFLATE or flags & _RESERVED:
        return None
    place = _FIXED.size
    if flags & _EXTRA:
        place += 2 + int.from_bytes(stored[place : place + 2], "little")
    for flag in (_NAME, _COMMENT):
        if flags & flag:
            place = stored.find(b"\0", place) + 1
            if place == 0:
                return None
    if flags & _HEADER_CHECK:
        place += 2
    return place if place <= len(stored) else None


def _parsed(content: bytes) -> SlabIndex | None:
    if len(content) < _INDEX.size + 2 * _PIECE.size or (len(content) - _INDEX.size) % _PIECE.size:
        return None
    version, slices, offset = _INDEX.unpack_from(content)
    if version != _VERSION or slices == 0:
        return None
    pieces: Sequence[tuple[int, int]] = list(_PIECE.iter_unpack(content[_INDEX.size :]))
    return SlabIndex(slices, offset, tuple(Piece(*piece) for piece in pieces))


def _damaged(path: Path) -> ImageError:
    return ImageError(f"{path} is damaged: its gzip content fails its own check. Copy or download it again.")
