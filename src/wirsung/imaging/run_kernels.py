"""The loops of `code_volume` and `run_encoding`, compiled.

All take flat voxels together with `words`, the same memory as 64-bit words, so that background is passed over
eight bytes at a time. The words lack what remains at the end.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirsung.imaging.arrays import Voxels
from wirsung.imaging.compiled import compiled

Integers = NDArray[np.integer[Any]]


class Flat(NamedTuple):
    """Voxels in one row, and the same memory as words."""

    voxels: Voxels
    words: NDArray[np.uint64]


class TokenTable(NamedTuple):
    """What a run is made of, as `run_encoding` lays it out."""

    literals: Integers
    """Bits of the values 0 and 1."""
    literal_bits: int
    repeats: Integers
    """Bits of `repeat the last byte n times`, by n up to 258; n = 258 is all zeros."""
    repeat_bits: Integers
    zeros: Integers
    """CRC register after n zero bytes: level, digit of n to the base 256, byte of the register, its value."""
    ones: Integers
    """What n bytes of value 1 add to that: level, digit."""


def flat(voxels: Voxels) -> Flat:
    """A read-only row of contiguous uint8 or uint16 voxels, and its words."""
    row = voxels.reshape(-1).view()
    row.flags.writeable = False
    count = row.size * row.itemsize // 8
    return Flat(row, row[: count * 8 // row.itemsize].view(np.uint64))


@compiled
def merge(codes: Voxels, mask: Flat, successors: Integers, count: int, start: int) -> tuple[int, int]:
    """Give every voxel of the mask, from `start` on, the code that succeeds its code, or a new one.

    Returns:
        The number of codes in use, and the voxel at which the codes ran out (the last + 1 if they did not).
    """
    row, words = mask
    size, limit = row.size, successors.size
    place = start
    while place < size:
        if place & 7 == 0 and place >> 3 < words.size and words[place >> 3] == 0:
            place += 8
            continue
        if row[place]:
            code = codes[place]
            if successors[code] == 0:
                if count == limit:
                    return count, place
                successors[code] = count
                count += 1
            codes[place] = successors[code]
        place += 1
    return count, place


@compiled
def count_codes(codes: Flat, counts: Integers) -> None:
    """Add the voxels of each code but 0 to `counts`."""
    row, words = codes
    per_word = 8 // row.itemsize
    for word in range(words.size):
        if words[word] != 0:
            for place in range(word * per_word, (word + 1) * per_word):
                counts[row[place]] += 1
    for place in range(words.size * per_word, row.size):
        counts[row[place]] += 1
    counts[0] = 0


@compiled
def look_up(codes: Flat, table: Voxels, values: Voxels) -> None:
    """Replace each code by its value; code 0 stays 0, as `values` is before."""
    row, words = codes
    per_word = 8 // row.itemsize
    for word in range(words.size):
        if words[word] != 0:
            for place in range(word * per_word, (word + 1) * per_word):
                values[place] = table[row[place]]
    for place in range(words.size * per_word, row.size):
        values[place] = table[row[place]]


@compiled
def find_runs(codes: Flat) -> Integers:
    """First voxel, last + 1 and code of each run of equal codes other than 0."""
    row, words = codes
    per_word = 8 // row.itemsize
    runs = np.empty((1024, 3), dtype=np.int64)
    count, place = 0, 0
    while place < row.size:
        code = row[place]
        if code == 0:
            word = place // per_word
            if word * per_word == place and word < words.size and words[word] == 0:
                place += per_word
            else:
                place += 1
            continue
        if count == len(runs):
            longer = np.empty((2 * count, 3), dtype=np.int64)
            longer[:count] = runs
            runs = longer
        runs[count, 0] = place
        while place < row.size and row[place] == code:
            place += 1
        runs[count, 1] = place
        runs[count, 2] = code
        count += 1
    return runs[:count]


@compiled
def encode_runs(
    runs: Integers, members: Voxels, size: int, table: TokenTable, state: Integers, stream: Integers
) -> None:
    """Write the mask of all codes that are `members` as deflate tokens.

    Args:
        runs: From `find_runs`.
        members: By code, whether the mask holds it.
        size: Voxels of the whole volume.
        table: The tokens.
        state: Bits not yet in `stream`, their number, words in `stream`, CRC register; updated.
        stream: 32-bit words, zero beyond those written.
    """
    done, first, stop = 0, 0, 0
    for run in range(len(runs)):
        if members[runs[run, 2]]:
            if runs[run, 0] != stop:
                _put_run(0, first - done, table, state, stream)
                _put_run(1, stop - first, table, state, stream)
                done, first = stop, runs[run, 0]
            stop = runs[run, 1]
    _put_run(0, first - done, table, state, stream)
    _put_run(1, stop - first, table, state, stream)
    _put_run(0, size - stop, table, state, stream)


@compiled
def _put_run(value: int, length: int, table: TokenTable, state: Integers, stream: Integers) -> None:
    """One literal, then repeats of it; the longest repeat is two zero bits, so it only moves the place."""
    if length == 0:
        return
    state[3] = crc_after(state[3], value, length, table)
    _put(table.literals[value], table.literal_bits, state, stream)
    longest, rest = (length - 1) // 258, (length - 1) % 258
    bits = state[1] + 2 * longest
    if bits >= 32:
        stream[state[2]] = state[0]
        state[2] += bits >> 5
        state[0] = 0
    state[1] = bits & 31
    if rest >= 3:
        _put(table.repeats[rest], table.repeat_bits[rest], state, stream)
    else:
        for _ in range(rest):
            _put(table.literals[value], table.literal_bits, state, stream)


@compiled
def _put(bits: int, count: int, state: Integers, stream: Integers) -> None:
    """Add up to 31 bits; fewer than 32 wait in `state`."""
    state[0] |= bits << state[1]
    state[1] += count
    if state[1] >= 32:
        stream[state[2]] = state[0] & 0xFFFFFFFF
        state[0] >>= 32
        state[1] -= 32
        state[2] += 1


@compiled
def crc_after(register: np.int64, value: int, length: int, table: TokenTable) -> np.int64:
    """The CRC register after `length` bytes of `value`, digit by digit of `length` to the base 256."""
    level = 0
    while length > 0:
        digit = length & 255
        if digit:
            zeros = table.zeros[level, digit]
            register = (
                np.int64(zeros[0, register & 255])
                ^ np.int64(zeros[1, (register >> 8) & 255])
                ^ np.int64(zeros[2, (register >> 16) & 255])
                ^ np.int64(zeros[3, (register >> 24) & 255])
            )
            if value:
                register ^= np.int64(table.ones[level, digit])
        length >>= 8
        level += 1
    return register


@compiled
def crc_of_runs(register: np.int64, runs: Integers, size: int, table: TokenTable) -> np.int64:
    """The CRC register after a mask of that many voxels, from its runs."""
    stop = 0
    for run in range(len(runs)):
        register = crc_after(register, 0, runs[run, 0] - stop, table)
        register = crc_after(register, 1, runs[run, 1] - runs[run, 0], table)
        stop = runs[run, 1]
    return crc_after(register, 0, size - stop, table)


@compiled
def runs_of_members(runs: Integers, members: Voxels) -> Integers:
    """First voxel and last + 1 of each run of the mask of all codes that are `members`."""
    found = np.empty((len(runs), 2), dtype=np.int64)
    count = 0
    for run in range(len(runs)):
        if members[runs[run, 2]]:
            if count and found[count - 1, 1] == runs[run, 0]:
                found[count - 1, 1] = runs[run, 1]
            else:
                found[count, 0] = runs[run, 0]
                found[count, 1] = runs[run, 1]
                count += 1
    return found[:count].copy()


@compiled
def merge_runs(
    codes: Voxels, runs: Integers, successors: Integers, count: int, start: int
) -> tuple[int, int]:
    """As `merge`, of a mask given by its runs."""
    limit = successors.size
    for run in range(len(runs)):
        for place in range(max(start, runs[run, 0]), runs[run, 1]):
            code = codes[place]
            if successors[code] == 0:
                if count == limit:
                    return count, place
                successors[code] = count
                count += 1
            codes[place] = successors[code]
    return count, codes.size
