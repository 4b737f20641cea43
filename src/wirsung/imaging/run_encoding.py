"""Masks as gzip members, encoded from runs of voxels instead of voxels.

A mask is a row of runs of 0 and 1. As deflate, a run is one literal and repeats of the byte before. One
Huffman table serves every mask; in it the longest repeat, 258 bytes, costs two zero bits, the least that
deflate allows, so an empty stretch only moves the place in the stream. The CRC is advanced run by run,
multiplied by x**(8 n) modulo its polynomial. Time follows the outline of the structures, not the volume.

Source:
    RFC 1951 (deflate), sections 3.2.5 to 3.2.7; RFC 1952 (gzip), sections 2.3 and 8.
"""

import struct
import zlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from wirsung.imaging.arrays import Voxels
from wirsung.imaging.gzip_members import member_header, member_trailer
from wirsung.imaging.run_kernels import Integers, TokenTable, encode_runs, find_runs, flat

_END, _FIRST_LENGTH, _LONGEST = 256, 257, 285
_CODE_BITS = {0: 3, 1: 3, **dict.fromkeys(range(_END, 282), 7), 282: 6, 283: 6, 284: 6, _LONGEST: 1}
"""Bits of each literal or length; all codes of these lengths are used, as strict readers ask."""
_DISTANCE_BITS = {0: 1, 1: 1}
"""Only the distance 1 is used; the distance 2 completes the code."""
_LENGTH_EXTRA_BITS = (*[0] * 8, *[1] * 4, *[2] * 4, *[3] * 4, *[4] * 4, *[5] * 4)
"""Of the length codes 257 to 284, which reach from 3 to 257."""
_META_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_META_BITS = {16: 2, 6: 2, 18: 3, 7: 3, 3: 3, 1: 3}
_META = (
    *((3, 0), (3, 0)),  # literals 0 and 1
    *((18, 127), (18, 105)),  # 254 literals that no mask holds
    *((7, 0), (16, 3), (16, 3), (16, 3), (16, 3), (7, 0)),  # 256 to 281
    *((6, 0), (6, 0), (6, 0), (1, 0)),  # 282 to 285
    *((1, 0), (1, 0)),  # distances
)
"""The code lengths above, themselves run-length encoded: symbol and extra bits."""
_META_EXTRA_BITS = {16: 2, 18: 7}
_BITS_OF_A_RUN = 3 + 13
"""At most: a literal and one repeat, not counting repeats of 258."""
_STORED = struct.Struct("<BHH")
_POLYNOMIAL = 0xEDB88320
_LEVELS = 5
"""Digits to the base 256 of the longest run."""


@dataclass(frozen=True, eq=False)
class RunEncoder:
    r"""Encodes masks of one volume of codes, each as one gzip member of a NIfTI file.

    Example:
        >>> encoder = RunEncoder.of(np.array([0, 1, 1, 2, 0], dtype=np.uint8), b"header")
        >>> zlib.decompress(encoder.member(np.array([False, True, False])), 31)
        b'header\x00\x01\x01\x00\x00'
    """

    runs: Integers
    """First voxel, last + 1, and code."""
    size: int
    """Voxels of the volume."""
    header: bytes
    """What comes before the voxels, less than 64 KiB."""

    @classmethod
    def of(cls, codes: Voxels, header: bytes) -> "RunEncoder":
        """The encoder for contiguous codes in file order, which it passes over once."""
        return cls(find_runs(flat(codes)), codes.size, header)

    def member(self, members: NDArray[np.bool_]) -> bytes:
        """The member of the mask that holds the codes for which `members` is true.

        Args:
            members: By code; false for code 0.
        """
        prefix, prefix_bits = _block_prefix()
        most_bits = prefix_bits + 2 * self.size // 258 + (2 * len(self.runs) + 1) * _BITS_OF_A_RUN + 64
        stream = np.zeros(most_bits // 32 + 2, dtype=np.uint32)
        words = prefix_bits // 32
        stream[:words] = np.frombuffer(prefix, dtype="<u4", count=words)
        waiting = int.from_bytes(prefix[4 * words :], "little")
        state = np.array([waiting, prefix_bits % 32, words, zlib.crc32(self.header) ^ 0xFFFFFFFF])
        encode_runs(self.runs, members, self.size, token_table(), state, stream)
        end, end_bits = _canonical(_CODE_BITS)[_END]
        tail = int(state[0]) | end << int(state[1])
        blocks = stream[: state[2]].astype("<u4", copy=False).tobytes()
        blocks += tail.to_bytes((int(state[1]) + end_bits + 7) // 8, "little")
        before = _STORED.pack(0, len(self.header), len(self.header) ^ 0xFFFF) + self.header
        trailer = member_trailer(int(state[3]) ^ 0xFFFFFFFF, len(self.header) + self.size)
        return b"".join((member_header(), before, blocks, trailer))


@cache
def _block_prefix() -> tuple[bytes, int]:
    """The beginning of a final dynamic block up to its first token, filled to whole words, and its bits."""
    sent = max(_META_ORDER.index(symbol) for symbol in _META_BITS) + 1
    fields = [(1, 1), (2, 2), (_LONGEST - _FIRST_LENGTH + 1, 5), (len(_DISTANCE_BITS) - 1, 5), (sent - 4, 4)]
    fields += [(_META_BITS.get(symbol, 0), 3) for symbol in _META_ORDER[:sent]]
    codes = _canonical(_META_BITS)
    for symbol, extra in _META:
        fields += [codes[symbol], (extra, _META_EXTRA_BITS.get(symbol, 0))]
    bits, count = 0, 0
    for value, width in fields:
        bits |= value << count
        count += width
    return bits.to_bytes((count + 31) // 32 * 4, "little"), count


@cache
def token_table() -> TokenTable:
    """What runs are made of, for `encode_runs` and `crc_of_runs`."""
    codes = _canonical(_CODE_BITS)
    distance, distance_bits = _canonical(_DISTANCE_BITS)[0]
    repeats = np.zeros(259, dtype=np.int64)
    widths = np.zeros(259, dtype=np.int64)
    length = 3
    for symbol, extra_bits in enumerate(_LENGTH_EXTRA_BITS, _FIRST_LENGTH):
        code, bits = codes[symbol]
        for extra in range(1 << extra_bits):
            repeats[length] = code | extra << bits | distance << (bits + extra_bits)
            widths[length] = bits + extra_bits + distance_bits
            length += 1
    literals = np.array([codes[0][0], codes[1][0]], dtype=np.int64)
    return TokenTable(literals, codes[0][1], repeats, widths, *_crc_tables())


def _canonical(widths: dict[int, int]) -> dict[int, tuple[int, int]]:
    """The canonical Huffman code of these lengths: bits in the order of the stream, and their number."""
    codes: dict[int, tuple[int, int]] = {}
    code, before = 0, 0
    for width, symbol in sorted((width, symbol) for symbol, width in widths.items()):
        code <<= width - before
        codes[symbol] = int(f"{code:0{width}b}"[::-1], 2), width
        code, before = code + 1, width
    return codes


def _crc_tables() -> tuple[Integers, Integers]:
    """The CRC register after 256**level * digit bytes: zeros, by each byte of the register; ones, added."""
    steps = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        steps = np.where(steps & 1, steps >> 1 ^ _POLYNOMIAL, steps >> 1).astype(np.uint32)
    zeros = np.zeros((_LEVELS, 256, 4, 256), dtype=np.uint32)
    ones = np.zeros((_LEVELS, 256), dtype=np.uint32)
    zeros[:, 0] = np.arange(256, dtype=np.uint32) << 8 * np.arange(4, dtype=np.uint32)[:, None]
    for level in range(_LEVELS):
        # One byte, then what 255 and one more steps of the level below come to.
        if level == 0:
            zeros[0, 1] = steps[zeros[0, 0] & 255] ^ zeros[0, 0] >> 8
            ones[0, 1] = steps[1]
        else:
            zeros[level, 1] = _after(zeros[level - 1, 255], zeros[level - 1, 1])
            ones[level, 1] = _after(ones[level - 1, 255], zeros[level - 1, 1]) ^ ones[level - 1, 1]
        for digit in range(2, 256):
            zeros[level, digit] = _after(zeros[level, digit - 1], zeros[level, 1])
            ones[level, digit] = _after(ones[level, digit - 1], zeros[level, 1]) ^ ones[level, 1]
    return zeros, ones


def _after(register: Integers, step: Integers) -> Integers:
    """The register after more zero bytes."""
    moved: Integers = step[0][register & 255]
    for byte in range(1, 4):
        moved = moved ^ step[byte][register >> 8 * byte & 255]
    return moved
