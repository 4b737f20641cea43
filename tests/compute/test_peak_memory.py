"""The peak, against memory that the test itself takes and gives back."""

import mmap
import sys

import pytest

from wirsung.compute.peak_memory import forget_peak, peak_bytes, told_bytes

TAKEN = 64 * 2**20
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a process and forgets")


def take():
    # Not from the heap, which may hold free memory that the process has already.
    with mmap.mmap(-1, TAKEN) as taken:
        taken[:: mmap.PAGESIZE] = bytes(TAKEN // mmap.PAGESIZE)


@on_linux
def test_the_peak_holds_what_was_given_back_until_it_is_forgotten():
    assert forget_peak()
    before = peak_bytes()
    take()
    assert peak_bytes() - before >= 0.9 * TAKEN
    assert forget_peak()
    assert peak_bytes() - before <= 0.5 * TAKEN


@on_linux
def test_no_moment_lies_above_the_peak_and_unknown_keys_tell_nothing():
    assert 0 < told_bytes("VmRSS") <= peak_bytes() * 1.01
    assert told_bytes("VmNothing") is None


def test_everywhere_a_peak_is_a_number_of_bytes():
    assert peak_bytes() >= 0
