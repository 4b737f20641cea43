"""Deflate read into runs, held against zlib, which writes it."""

import random
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from wirsung.imaging.inflate_kernels import alphabet, inflate_to_runs

CONSTANTS = alphabet()
STRATEGIES = [
    zlib.Z_DEFAULT_STRATEGY,
    zlib.Z_FILTERED,
    zlib.Z_HUFFMAN_ONLY,
    zlib.Z_RLE,
    zlib.Z_FIXED,
]
RUNS = st.lists(st.tuples(st.sampled_from([0, 0, 1, 1, 7, 255]), st.integers(1, 2000)), max_size=40)


def deflated(content, level=6, strategy=zlib.Z_DEFAULT_STRATEGY, window=-15):
    stream = zlib.compressobj(level, zlib.DEFLATED, window, 8, strategy)
    return stream.compress(content) + stream.flush()


def inflated(stored, size, start=0):
    """The bytes of the runs, and the byte after the stream; None where it was given up."""
    runs, after = inflate_to_runs(np.frombuffer(stored, dtype=np.uint8), start, size, size + 1, CONSTANTS)
    if after < 0:
        return None
    assert (np.diff(runs[:, 1]) != 0).all()  # equal neighbours are one run
    lengths = np.diff(runs[:, 0], prepend=0)
    return np.repeat(runs[:, 1].astype(np.uint8), lengths).tobytes(), after


@given(RUNS, st.sampled_from(STRATEGIES), st.integers(0, 9), st.sampled_from([-9, -12, -15]))
def test_runs_are_what_zlib_deflated(runs, strategy, level, window):
    content = b"".join(bytes([value]) * length for value, length in runs)
    stored = deflated(content, level, strategy, window)
    assert inflated(stored, len(content)) == (content, len(stored))


@given(RUNS, st.integers(0, 3))
def test_runs_are_what_isal_deflated(runs, level):
    """It repeats from 258 bytes before what zlib repeats from the byte before."""
    content = b"".join(bytes([value]) * (40 * length) for value, length in runs)
    stored = isal_zlib.compress(content, level, -15)
    assert inflated(stored, len(content)) == (content, len(stored))


@pytest.mark.parametrize("distance", [1, 2, 3, 100, 258, 32768])
@pytest.mark.parametrize("repeats", [0, 1, 2, 3, 5, 50, 700])
@pytest.mark.parametrize("behind", [0, 3, 40000])
def test_a_token_again_and_again_is_what_zlib_reads(distance, repeats, behind):
    """In fixed codes; first from within zeros, then from over their beginning."""
    bits = [1, 1, 0]
    for token in [0, 1] + [0] * min(distance, 500) + [(258, distance)] * repeats + [1] + [0] * 3:
        bits += literal_bits(token) if isinstance(token, int) else repeat_bits(*token)
    bits += [0] * 7
    stored = np.packbits(bits, bitorder="little").tobytes() + bytes([85]) * behind
    stream = zlib.decompressobj(-15)
    try:
        size = len(stream.decompress(stored))
    except zlib.error:
        size = 1000
    assert inflated(stored, size) == read_by_zlib(stored, size)


def literal_bits(value):
    return [(0x30 + value) >> bit & 1 for bit in range(7, -1, -1)]


def repeat_bits(length, distance):
    assert length == 258
    bits = [0xC5 >> bit & 1 for bit in range(7, -1, -1)]
    symbol = max(n for n in range(30) if CONSTANTS.distance_base[n] <= distance)
    more, count = distance - CONSTANTS.distance_base[symbol], CONSTANTS.distance_bits[symbol]
    return bits + [symbol >> bit & 1 for bit in range(4, -1, -1)] + [more >> bit & 1 for bit in range(count)]


@given(st.binary(max_size=3000), st.sampled_from(STRATEGIES), st.integers(0, 9))
def test_noise_is_inflated_too(content, strategy, level):
    stored = deflated(content + content, level, strategy)
    assert inflated(stored, 2 * len(content)) == (content + content, len(stored))


def test_a_long_stretch_is_one_run_wherever_the_stream_begins():
    content = b"ab" + bytes(5_000_000) + b"c"
    stored = b"before" + deflated(content, 9) + b"behind"
    assert inflated(stored, len(content), start=6) == (content, len(stored) - 6)


@pytest.mark.parametrize("wrong", [-1, 1, 258, 100_000])
def test_a_stream_of_another_length_is_given_up(wrong):
    content = bytes(200_000) + bytes([1]) * 500
    stored = deflated(content)
    assert inflated(stored, len(content) + wrong) is None


def test_every_cut_is_given_up():
    content = (bytes(700) + bytes([1]) * 90) * 50 + bytes(range(200))
    stored = deflated(content)
    for count in range(len(stored)):
        assert inflated(stored[:count], len(content)) is None, count


@pytest.mark.parametrize(
    ("content", "level"),
    [
        ((bytes(900) + bytes([1]) * 70) * 30, 9),
        ((bytes(900) + bytes([1]) * 70) * 30, 1),
        (bytes(60_000), 6),
        (bytes(range(256)) + bytes(40_000), 6),
        (bytes(17) + bytes([1]) * 5 + bytes(20_000), 6),
        (bytes(random.Random(3).choices([0, 1], weights=[9, 1], k=4000)), 6),
        (bytes(random.Random(4).choices(range(40), k=900)), 6),
    ],
)
def test_of_all_turned_bits_just_those_pass_that_zlib_reads(content, level):
    stored = deflated(content, level)
    for bit in range(8 * min(len(stored), 400)):
        flipped = bytearray(stored)
        flipped[bit // 8] ^= 1 << bit % 8
        assert inflated(bytes(flipped), len(content)) == read_by_zlib(bytes(flipped), len(content)), bit


@pytest.mark.parametrize("literals", [[(1, 1)], [(1, 2), (2, 2)], [(1, 1), (2, 1), (3, 1)], []])
@pytest.mark.parametrize("end", [0, 1, 2])
@pytest.mark.parametrize("distances", [[0], [1], [2], [1, 1], [1, 2], [1, 1, 1], [1] + [0] * 30, [0, 1]])
def test_just_the_sets_of_codes_pass_that_zlib_takes(literals, end, distances):
    """Complete, incomplete and oversubscribed ones; all bits of the block that follows are tried."""
    lengths = [0] * 257
    for symbol, length in literals:
        lengths[symbol] = length
    lengths[256] = end
    beginning = dynamic_block(lengths, distances)
    for rest in range(64):
        bits = beginning + [rest >> bit & 1 for bit in range(6)] + [0] * 16
        stored = np.packbits(bits, bitorder="little").tobytes()
        for size in range(4):
            assert inflated(stored, size) == read_by_zlib(stored, size)


def read_by_zlib(stored, size):
    """As `inflated`."""
    stream = zlib.decompressobj(-15)
    try:
        content = stream.decompress(stored)
    except zlib.error:
        return None
    if not stream.eof or len(content) != size:
        return None
    return content, len(stored) - len(stream.unused_data)


def dynamic_block(literals, distances):
    """The bits of the last block's beginning; lengths 0 to 15 are sent in codes of four bits each."""
    lone = [4] * 16  # 16 symbols of four bits are complete: the code of length n is n, first bit first
    order = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
    numbers = [(1, 1), (2, 2), (len(literals) - 257, 5), (len(distances) - 1, 5), (15, 4)]
    numbers += [(lone[symbol] if symbol < 16 else 0, 3) for symbol in order]
    bits = [number >> bit & 1 for number, count in numbers for bit in range(count)]
    for length in [*literals, *distances]:
        bits += [length >> bit & 1 for bit in (3, 2, 1, 0)]
    return bits


def test_too_many_runs_are_given_up():
    content = bytes([0, 1] * 500)
    stored = np.frombuffer(deflated(content), dtype=np.uint8)
    assert inflate_to_runs(stored, 0, 1000, 1000, CONSTANTS)[1] == len(stored)
    assert inflate_to_runs(stored, 0, 1000, 999, CONSTANTS)[1] == -1


def test_a_block_of_a_kind_that_does_not_exist_is_given_up():
    assert inflated(bytes([0b111, 0, 0, 0]), 10) is None
