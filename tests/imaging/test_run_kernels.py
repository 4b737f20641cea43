"""The compiled loops, held against numpy."""

import zlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wirsung.imaging.run_encoding import token_table
from wirsung.imaging.run_kernels import count_codes, crc_of_runs, find_runs, flat, look_up, runs_of_members

ROWS = st.sampled_from([np.uint8, np.uint16]).flatmap(
    lambda kind: arrays(kind, st.integers(0, 200), elements=st.sampled_from([0, 0, 0, 0, 1, 2, 200]))
)


@given(ROWS)
def test_runs_are_those_between_changes(row):
    changes = np.flatnonzero(np.diff(row.astype(int), prepend=-1, append=-1))
    expected = [(first, stop, row[first]) for first, stop in pairwise(changes)]
    assert [tuple(run) for run in find_runs(flat(row))] == [run for run in expected if run[2]]


def test_more_runs_than_there_was_room_for_are_found():
    row = np.tile(np.array([1, 2], dtype=np.uint8), 5000)
    runs = find_runs(flat(row))
    assert np.array_equal(runs[:, 0], np.arange(10_000))
    assert np.array_equal(runs[:, 2], row)


@given(ROWS)
def test_counting_leaves_out_the_background(row):
    counts = np.zeros(201, dtype=np.int64)
    count_codes(flat(row), counts)
    assert np.array_equal(counts[1:], np.bincount(row, minlength=201)[1:])
    assert counts[0] == 0


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@given(row=ROWS)
def test_looking_up_is_indexing(kind, row):
    table = (np.arange(201) * 5 % 256).astype(kind)
    values = np.zeros(row.size, dtype=kind)
    look_up(flat(row), table, values)
    assert np.array_equal(values, table[row])


@given(ROWS, st.sets(st.sampled_from([1, 2, 200])))
def test_runs_of_members_are_those_of_the_mask(row, members):
    is_member = np.isin(np.arange(256), list(members))
    mask = is_member[row].astype(np.uint8)
    expected = find_runs(flat(mask))[:, :2]
    assert np.array_equal(runs_of_members(find_runs(flat(row)), is_member), expected)


@given(arrays(np.bool_, st.integers(1, 2000)), st.binary(max_size=9))
def test_the_crc_of_runs_is_that_of_their_bytes(mask, before):
    runs = find_runs(flat(mask.view(np.uint8)))
    register = np.int64(zlib.crc32(before) ^ 0xFFFFFFFF)
    found = int(crc_of_runs(register, runs, mask.size, token_table())) ^ 0xFFFFFFFF
    assert found == zlib.crc32(before + mask.tobytes())
