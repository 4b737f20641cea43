"""Masks encoded from runs, held against the voxels that zlib, a reader of its own, inflates them to."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from wirsung.imaging.run_encoding import RunEncoder

MEMBER = np.array([False, True])
HEADER = bytes(range(256)) + bytes(96)


def inflated(codes, members=MEMBER, header=HEADER):
    """By zlib, which checks CRC and length; nothing may follow."""
    stream = zlib.decompressobj(31)
    content = stream.decompress(RunEncoder.of(codes, header).member(members))
    assert stream.eof
    assert stream.unused_data == b""
    assert content[: len(header)] == header
    return np.frombuffer(content, dtype=np.uint8, offset=len(header))


def of_runs(lengths):
    """Runs of 0, 1, 0, 1, ..."""
    return np.repeat(np.arange(len(lengths), dtype=np.uint8) % 2, lengths)


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros(1, np.uint8),
        np.ones(1, np.uint8),
        np.zeros(100_003, np.uint8),
        np.ones(100_003, np.uint8),
        np.arange(10_001, dtype=np.uint8) % 2,
        np.random.default_rng(1).integers(0, 2, 50_000, dtype=np.uint8),
        of_runs([0, 5, 20_000_000, 3]),  # three digits to the base 256 and more
    ],
    ids=["one empty", "one full", "empty", "full", "alternating", "noise", "long"],
)
def test_extreme_masks_come_back(mask):
    assert np.array_equal(inflated(mask), mask)


@pytest.mark.parametrize("value", [0, 1])
def test_runs_of_every_length_come_back(value):
    lengths = [number for length in range(1, 800) for number in (length, 1)]
    mask = of_runs([0, *lengths] if value else lengths)
    assert np.array_equal(inflated(mask), mask)


@given(
    st.lists(
        st.one_of(st.integers(0, 3), st.integers(250, 265), st.integers(510, 525), st.integers(0, 70_000)),
        min_size=1,
        max_size=40,
    ).filter(any)
)
def test_any_runs_come_back(lengths):
    mask = of_runs(lengths)
    assert np.array_equal(inflated(mask), mask)


@given(
    st.integers(1, 60),
    st.sampled_from([np.uint8, np.uint16]),
    st.randoms(use_true_random=False),
    st.integers(1, 300),
)
def test_each_structure_of_a_volume_of_codes_comes_back(runs, kind, random, codes):
    codes = min(codes, np.iinfo(kind).max)
    lengths = [random.choice([1, 2, 7, 8, 9, 259, 1000]) for _ in range(runs)]
    row = np.repeat(np.array([random.randint(0, codes) for _ in lengths], dtype=kind), lengths)
    members = np.array([False, *(random.random() < 0.5 for _ in range(codes))])
    assert np.array_equal(inflated(row, members), members[row])


def test_a_run_longer_than_4_gib_has_the_right_check_and_length():
    size = (1 << 32) + 77
    member = RunEncoder(np.zeros((0, 3), dtype=np.int64), size, HEADER).member(MEMBER)
    check, length = zlib.crc32(b"\0"), 1
    expected, rest = zlib.crc32(HEADER), size
    while rest:  # by doubling, with isal's own combination
        if rest & length:
            expected = isal_zlib.crc32_combine(expected, check, length)
            rest -= length
        check, length = isal_zlib.crc32_combine(check, check, length), 2 * length
    assert int.from_bytes(member[-8:-4], "little") == expected
    assert int.from_bytes(member[-4:], "little") == (len(HEADER) + size) % (1 << 32)


def test_an_empty_volume_is_as_small_as_deflate_can_make_it():
    size = 258 * 10_000
    member = RunEncoder.of(np.zeros(size, dtype=np.uint8), HEADER).member(MEMBER)
    least = 10_000 * 2 // 8
    assert least < len(member) < least + len(HEADER) + 100


def test_no_flipped_bit_changes_a_voxel_unnoticed():
    mask = of_runs([300, 5, 900, 2, 1, 4000, 77])
    member = RunEncoder.of(mask, HEADER).member(MEMBER)
    for bit in range(8 * len(member)):
        damaged = bytearray(member)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            content = zlib.decompress(bytes(damaged), 31)
        except zlib.error:
            continue
        assert content == HEADER + mask.tobytes()
