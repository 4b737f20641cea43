"""Deflate read into runs of equal bytes, compiled: a mask of 79 million voxels in a few milliseconds.

What repeats the byte before is one addition, however long it is, and what repeats a row copies its runs. Only
well-formed streams are read, and just those that zlib reads; whatever is odd is left to the reader that says
what is wrong.
"""

from typing import NamedTuple

import numpy as np

from wirsung.imaging.arrays import Voxels
from wirsung.imaging.compiled import compiled
from wirsung.imaging.run_kernels import Integers

END = 256
_WIDEST = 15
_MOST_LITERALS, _MOST_DISTANCES = 286, 30
_AHEAD = 48
"""Bits looked at together; the longest token has as many."""
_BAD, _GOOD, _LONGER = 0, 1, 2
"""What became of a token: refused, written, or taken from the last run, which became longer."""


class Alphabet(NamedTuple):
    """The constants of RFC 1951, section 3.2.5 and 3.2.7."""

    length_base: Integers
    length_bits: Integers
    distance_base: Integers
    distance_bits: Integers
    order: Integers
    """In which the lengths of the code length code come."""


def alphabet() -> Alphabet:
    """The constants, to be given to `inflate_to_runs`."""
    length_bits = [0] * 8 + [bits for bits in range(1, 6) for _ in range(4)]
    lengths = [3 + sum(1 << bits for bits in length_bits[:place]) for place in range(28)]
    distance_bits = [0, 0] + [bits for bits in range(14) for _ in range(2)]
    distances = [1 + sum(1 << bits for bits in distance_bits[:place]) for place in range(30)]
    order = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
    numbers = ([*lengths, 258], [*length_bits, 0], distances, distance_bits, order)
    return Alphabet(*(np.array(item, dtype=np.int64) for item in numbers))


class _Reading(NamedTuple):
    """Where reading and writing are."""

    stored: Voxels
    bits: Integers
    """Bits waiting, their number, and the next byte of `stored`."""
    runs: Integers
    """Last + 1 and value of each run."""
    done: Integers
    """Runs written, and bytes that they stand for."""


@compiled
def inflate_to_runs(
    stored: Voxels, start: int, size: int, most_runs: int, constants: Alphabet
) -> tuple[Integers, int]:
    """Inflate raw deflate from byte `start` on.

    Args:
        stored: Bytes.
        start: Of the stream.
        size: Bytes that it must inflate to.
        most_runs: Where there are more, it is given up.
        constants: From `alphabet`.

    Returns:
        Last + 1 and value of each run, and the byte after the stream; -1 where it can't be read so.
    """
    runs = np.empty((most_runs, 2), dtype=np.int64)
    now = _Reading(stored, np.array([0, 0, start]), runs, np.zeros(2, dtype=np.int64))
    last = 0
    while last == 0:
        last = _bits(now, 1)
        kind = _bits(now, 2)
        if kind == 0:
            good = _stored_block(now, size)
        elif kind < 3:
            good = _block(now, size, kind == 2, constants)
        else:
            good = False
        if not good:
            return runs[:0], -1
    after = now.bits[2] - now.bits[1] // 8
    if now.done[1] != size or after > stored.size:
        return runs[:0], -1
    return runs[: now.done[0]], after


@compiled
def _bits(now: _Reading, count: int) -> int:
    """The next bits as a number; zeros beyond the end, which is noticed afterwards."""
    bits = now.bits
    while bits[1] < count:
        if bits[2] < now.stored.size:
            bits[0] |= np.int64(now.stored[bits[2]]) << bits[1]
        bits[2] += 1
        bits[1] += 8
    value = bits[0] & ((1 << count) - 1)
    bits[0] >>= count
    bits[1] -= count
    return int(value)


@compiled
def _symbol(now: _Reading, table: Integers, width: int) -> int:
    """The next symbol of a Huffman code; -1 for none."""
    bits = now.bits
    while bits[1] < width:
        if bits[2] < now.stored.size:
            bits[0] |= np.int64(now.stored[bits[2]]) << bits[1]
        bits[2] += 1
        bits[1] += 8
    entry = table[bits[0] & ((1 << width) - 1)]
    if entry < 0 or bits[2] > now.stored.size + 8:
        return -1
    bits[0] >>= entry & 15
    bits[1] -= entry & 15
    return int(entry >> 4)


@compiled
def _append(now: _Reading, value: int, length: int) -> bool:
    """Add a run, or make the last one longer; false where there are too many."""
    runs, done = now.runs, now.done
    count = done[0]
    done[1] += length
    if count and runs[count - 1, 1] == value:
        runs[count - 1, 0] = done[1]
        return True
    if count == len(runs):
        return False
    runs[count, 0] = done[1]
    runs[count, 1] = value
    done[0] += 1
    return True


@compiled
def _repeat(now: _Reading, distance: int, length: int) -> int:
    """Add what stands `distance` bytes before, which may reach into what is being added."""
    runs, done = now.runs, now.done
    place = done[1] - distance
    if place < 0:
        return _BAD
    run = done[0] - 1
    while run > 0 and runs[run - 1, 0] > place:
        run -= 1
    if run == done[0] - 1:  # within the last run, so that it only becomes longer
        done[1] += length
        runs[run, 0] = done[1]
        return _LONGER
    while length > 0:
        part = min(runs[run, 0] - place, length)
        if not _append(now, runs[run, 1], part):
            return _BAD
        place += part
        length -= part
        run += 1
    return _GOOD


@compiled
def _stored_block(now: _Reading, size: int) -> bool:
    _bits(now, now.bits[1] & 7)
    length = _bits(now, 16)
    if length ^ _bits(now, 16) != 0xFFFF:
        return False
    good = bool(now.done[1] + length <= size)
    while good and length > 0:
        good = _append(now, _bits(now, 8), 1)
        length -= 1
    return good


@compiled
def _block(now: _Reading, size: int, is_dynamic: bool, constants: Alphabet) -> bool:
    lengths = np.zeros(320, dtype=np.int64)
    if is_dynamic:
        literals, distances = _code_lengths(now, lengths, constants.order)
        if literals == 0:
            return False
    else:
        literals, distances = 288, 32
        lengths[:144], lengths[144:256], lengths[256:280], lengths[280:288], lengths[288:] = 8, 9, 7, 8, 5
    table, width = _table(lengths[:literals])
    far_table, far_width = _table(lengths[literals : literals + distances])
    if width < 1 or far_width < 0 or lengths[END] == 0:
        return False
    while True:
        _look_ahead(now)
        ahead, place, done = now.bits[0], _place(now), now.done[1]
        symbol = _symbol(now, table, width)
        if symbol == END:
            return True
        became = _token(now, symbol, far_table, far_width, constants) if done < size else _BAD
        if became == _BAD:
            return False
        if became == _LONGER:
            _read_again(now, ahead, _place(now) - place, size, now.done[1] - done)


@compiled
def _place(now: _Reading) -> int:
    """The next bit of the stream."""
    return int(8 * now.bits[2] - now.bits[1])


@compiled
def _look_ahead(now: _Reading) -> None:
    """Have as many bits waiting as the longest token has, where there are so many."""
    bits, stored = now.bits, now.stored
    while bits[1] < _AHEAD and bits[2] < stored.size:
        bits[0] |= np.int64(stored[bits[2]]) << bits[1]
        bits[2] += 1
        bits[1] += 8


@compiled
def _read_again(now: _Reading, ahead: int, step: int, size: int, length: int) -> None:
    """Make the last run longer for each time that the token just read comes again: most of a mask.

    Args:
        now: After that token.
        ahead: Its bits, and more.
        step: How many it has.
        size: Bytes that the whole stream inflates to.
        length: Bytes that it stands for, all from within the last run.
    """
    bits, times = now.bits, _AHEAD // step
    token, wanted = ahead & ((np.int64(1) << step) - 1), np.int64(0)
    for _ in range(times):
        wanted = wanted << step | token
    mask = (np.int64(1) << times * step) - 1
    repeats, most = 0, (size - now.done[1]) // length - times
    while repeats <= most:
        _look_ahead(now)
        if bits[1] < _AHEAD or bits[0] & mask != wanted:
            break
        bits[0] >>= times * step
        bits[1] -= times * step
        repeats += times
    now.done[1] += length * repeats
    now.runs[now.done[0] - 1, 0] = now.done[1]


@compiled
def _token(now: _Reading, symbol: int, table: Integers, width: int, constants: Alphabet) -> int:
    """A literal, or a length with the distance that follows; -1 is neither."""
    if symbol < END:
        return _GOOD if symbol >= 0 and _append(now, symbol, 1) else _BAD
    code = symbol - END - 1
    if width == 0 or code >= constants.length_base.size:
        return _BAD
    length = constants.length_base[code] + _bits(now, constants.length_bits[code])
    far = _symbol(now, table, width)
    if far < 0 or far >= constants.distance_base.size:
        return _BAD
    distance = constants.distance_base[far] + _bits(now, constants.distance_bits[far])
    return _repeat(now, distance, length)


@compiled
def _code_lengths(now: _Reading, lengths: Integers, order: Integers) -> tuple[int, int]:
    """Read how long the codes of a dynamic block are; how many literals and distances, 0 where damaged."""
    literals, distances, sent = _bits(now, 5) + 257, _bits(now, 5) + 1, _bits(now, 4) + 4
    meta = np.zeros(19, dtype=np.int64)
    for place in range(sent):
        meta[order[place]] = _bits(now, 3)
    table, width = _table(meta)
    # Of the code of lengths, zlib takes not even a single symbol of one bit.
    if literals > _MOST_LITERALS or distances > _MOST_DISTANCES or width < 1 or table.min() < 0:
        return 0, 0
    place, total = 0, literals + distances
    while place < total:
        symbol = _symbol(now, table, width)
        if symbol < 0 or (symbol == 16 and place == 0):
            return 0, 0
        value, count = symbol, 1
        if symbol == 16:
            value, count = lengths[place - 1], 3 + _bits(now, 2)
        elif symbol > 16:
            value, count = 0, 3 + _bits(now, 3) if symbol == 17 else 11 + _bits(now, 7)
        if place + count > total:
            return 0, 0
        lengths[place : place + count] = value
        place += count
    return literals, distances


@compiled
def _table(lengths: Integers) -> tuple[Integers, int]:
    """By the next bits, a symbol times 16 and its length, -1 for none; their number, -1 for what is no code.

    As zlib has it, the code must use up all bits, unless it is one symbol of one bit, or empty.
    """
    counts = np.zeros(_WIDEST + 2, dtype=np.int64)
    for length in lengths:
        counts[length] += 1
    counts[0] = 0
    width = lengths.max()
    firsts = np.zeros(_WIDEST + 2, dtype=np.int64)
    for length in range(1, width + 1):
        firsts[length + 1] = (firsts[length] + counts[length]) << 1
    table = np.full(1 << width, -1, dtype=np.int64)
    used = firsts[width + 1] >> 1
    if width and used != 1 << width and not (width == 1 and used == 1):
        return table, -1
    for symbol in range(lengths.size):
        length = lengths[symbol]
        if length:
            mirrored = _mirrored(firsts[length], length)
            firsts[length] += 1
            table[mirrored :: 1 << length] = symbol << 4 | length
    return table, width


@compiled
def _mirrored(code: int, length: int) -> int:
    """The code with its first bit lowest, as the stream has it."""
    mirrored = 0
    for _ in range(length):
        mirrored = mirrored << 1 | code & 1
        code >>= 1
    return mirrored
