"""gzip members: framed as Python's gzip frames them, and refused whenever Python's gzip refuses them."""

import gzip
import io
import zlib
from pathlib import Path

import numpy as np
import pytest

from wirsung.errors import ImageError
from wirsung.imaging.gzip_members import (
    MOST_PIECES,
    Piece,
    SlabIndex,
    inflate,
    inflate_piece,
    inflate_start,
    inflates_to,
    member_header,
    member_trailer,
    read_index,
)

PATH = Path("ct.nii.gz")
CONTENT = np.random.default_rng(1).normal(0, 12, 20_000).astype(np.int16).tobytes()


def stored(content=CONTENT):
    return gzip.compress(content, 1, mtime=0)


@pytest.mark.parametrize("length", [0, 1, 1000, len(CONTENT)])
def test_a_member_is_inflated_whole(length):
    assert inflate(stored(CONTENT[:length]), length, PATH) == CONTENT[:length]


def test_a_member_of_ours_is_read_by_gzip():
    body = zlib.compressobj(6, zlib.DEFLATED, -15)
    deflated = body.compress(CONTENT) + body.flush()
    index = SlabIndex(3, 352, (Piece(1, 2), Piece(3, 4)))
    for header in (member_header(), member_header(index)):
        file = header + deflated + member_trailer(zlib.crc32(CONTENT), len(CONTENT))
        assert gzip.decompress(file) == CONTENT
        assert inflate(file, len(CONTENT), PATH) == CONTENT


def test_file_name_and_header_check_are_passed_over():
    buffer = io.BytesIO()
    with gzip.GzipFile("a name.nii", "wb", fileobj=buffer) as file:
        file.write(CONTENT)
    named = buffer.getvalue()
    end = named.index(b"\0", 10) + 1
    header = named[:3] + bytes([named[3] | 2]) + named[4:end]
    checked = header + (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little") + named[end:]
    for file_bytes in (named, checked):
        assert zlib.decompress(file_bytes, 31) == CONTENT
        assert inflate(file_bytes, len(CONTENT), PATH) == CONTENT


def test_members_after_each_other_and_zeros_at_the_end_are_one_file():
    file = stored(CONTENT[:900]) + stored(b"") + stored(CONTENT[900:]) + b"\0" * 512
    assert gzip.decompress(file) == CONTENT
    assert inflate(file, len(CONTENT), PATH) == CONTENT


def test_too_much_content_is_not_inflated():
    bomb = gzip.compress(bytes(10_000_000))
    assert len(inflate(bomb, 1000, PATH)) == 1001


def test_the_start_of_a_file_is_enough_for_its_start():
    assert inflate_start(stored()[:4000], 540, PATH) == CONTENT[:540]
    assert inflate_start(stored(CONTENT[:100]), 540, PATH) == CONTENT[:100]


@pytest.mark.parametrize("kept", [1, 9, 10, 11, 5000, -9, -8, -4, -1])
def test_a_file_cut_short_is_refused(kept):
    with pytest.raises(ImageError, match="damaged"):
        inflate(stored()[:kept], len(CONTENT), PATH)


def test_something_after_the_last_member_is_refused():
    with pytest.raises(ImageError, match=r"ct\.nii\.gz is damaged"):
        inflate(stored() + b"more", len(CONTENT), PATH)


def test_a_wrong_check_or_length_is_refused_however_large_the_file():
    content = bytes(6_000_000)
    for place in range(1, 9):
        file = bytearray(stored(content))
        file[-place] ^= 1
        with pytest.raises(ImageError, match="fails its own check"):
            inflate(bytes(file), len(content), PATH)


def test_no_flipped_bit_changes_a_voxel_unnoticed():
    rng = np.random.default_rng(2)
    whole = stored()
    for place in [*range(80), *rng.integers(80, 8 * len(whole), 400)]:
        file = bytearray(whole)
        file[place // 8] ^= 1 << place % 8
        try:
            found = inflate(bytes(file), len(CONTENT), PATH)
        except ImageError:
            continue
        # A byte too many is for the caller to refuse, who knows what the header promised.
        assert found == CONTENT or len(found) == len(CONTENT) + 1


def test_an_index_of_any_size_comes_back():
    for count in (2, 3, MOST_PIECES):
        index = SlabIndex(count, 352, tuple(Piece(7 * n, 11 * n) for n in range(count)))
        header = member_header(index)
        assert read_index(header + b"stream") == (index, len(header))


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"\x1f\x8b",
        member_header(),
        member_header(SlabIndex(0, 352, (Piece(1, 2),) * 2)),
        member_header(SlabIndex(1, 352, (Piece(1, 2),))),
        member_header(SlabIndex(1, 352, (Piece(1, 2),) * 4))[:-1],
        b"\x1f\x8b\x08\x04" + bytes(6) + b"\x08\0BC\x04\0\x01\x02\x03\x04",
        b"\x1f\x8b\x08\x04" + bytes(6) + b"\x03\0WS\x01",
    ],
)
def test_what_is_no_index_is_taken_for_none(beginning):
    assert read_index(beginning) is None


def test_an_index_is_found_behind_another_field():
    index = SlabIndex(1, 352, (Piece(1, 2), Piece(3, 4)))
    ours = member_header(index)
    other = b"BC\x02\0\x07\x08"
    length = (len(ours) - 12 + len(other)).to_bytes(2, "little")
    both = ours[:10] + length + other + ours[12:]
    assert read_index(both) == (index, len(both))


def test_a_piece_is_checked():
    stream = zlib.compressobj(1, zlib.DEFLATED, -15)
    first = stream.compress(CONTENT[:5000]) + stream.flush(zlib.Z_FULL_FLUSH)
    second = stream.compress(CONTENT[5000:]) + stream.flush(zlib.Z_FULL_FLUSH)
    piece = Piece(len(second), zlib.crc32(CONTENT[5000:]))
    count = len(CONTENT) - 5000
    assert inflate_piece(second, piece, count, PATH) == CONTENT[5000:]
    for wrong, length in ((first, count), (second[:-500], count), (second, count - 1), (second, count + 1)):
        with pytest.raises(ImageError, match="damaged"):
            inflate_piece(wrong, piece, length, PATH)
    with pytest.raises(ImageError, match="damaged"):
        inflate_piece(second, Piece(len(second), 0), count, PATH)
    with pytest.raises(ImageError, match="damaged"):
        inflate_piece(b"\xff" * 100, piece, count, PATH)


BYTES = np.random.default_rng(3).integers(0, 20, 300_000, dtype=np.uint8).tobytes()
PARTS = (memoryview(BYTES)[:352], memoryview(BYTES)[352:])


def test_a_member_of_just_these_bytes_is_told_from_any_other(tmp_path):
    path = tmp_path / "a.gz"
    whole = gzip.compress(BYTES)
    path.write_bytes(whole)
    assert inflates_to(path, PARTS)
    assert inflates_to(path, (memoryview(BYTES),))
    assert not inflates_to(path, PARTS[:1])
    assert not inflates_to(path, (*PARTS, memoryview(b"more")))
    other = bytearray(BYTES)
    other[200_000] ^= 1
    assert not inflates_to(path, (memoryview(other),))
    for stored in (
        whole[:-1],
        whole[:-9],
        whole[: len(whole) // 2],
        whole + b"\0",
        whole + whole,
        b"",
        b"no",
    ):
        path.write_bytes(stored)
        assert not inflates_to(path, PARTS)


def test_every_flipped_bit_of_stream_and_trailer_is_noticed(tmp_path):
    path = tmp_path / "a.gz"
    whole = gzip.compress(BYTES)
    rng = np.random.default_rng(4)
    for bit in (*rng.integers(80, 8 * len(whole) - 72, 150), *range(8 * len(whole) - 64, 8 * len(whole))):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << int(bit % 8)
        path.write_bytes(flipped)
        assert not inflates_to(path, PARTS), f"bit {bit}"
