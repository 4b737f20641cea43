"""Deflate read into runs, held against zlib, which writes it."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_what_zlib_refuses_is_given_up_or_the_runs_differ():
    content = (bytes(900) + bytes([1]) * 70) * 30
    stored = deflated(content, 9)
    for bit in range(8 * len(stored)):
        flipped = bytearray(stored)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            stream = zlib.decompressobj(-15)
            expected = stream.decompress(bytes(flipped))
            whole = stream.eof and len(expected) == len(content)
        except zlib.error:
            whole = False
        found = inflated(bytes(flipped), len(content))
        if found is not None and whole:
            assert found[0] == expected
        if whole:
            assert found is not None
        # Codes that are incomplete are read here; the checksum of the file decides.


def test_too_many_runs_are_given_up():
    content = bytes([0, 1] * 500)
    stored = np.frombuffer(deflated(content), dtype=np.uint8)
    assert inflate_to_runs(stored, 0, 1000, 1000, CONSTANTS)[1] == len(stored)
    assert inflate_to_runs(stored, 0, 1000, 999, CONSTANTS)[1] == -1


def test_a_block_of_a_kind_that_does_not_exist_is_given_up():
    assert inflated(bytes([0b111, 0, 0, 0]), 10) is None
