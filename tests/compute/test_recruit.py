import mmap
import os
import pickle
import sys
import time

import pytest
from misbehaving import act

from wirsung.compute.outcome import Outcome
from wirsung.compute.recruit import Entry, Recruit, resident_bytes
from wirsung.compute.worker import READY


def entry(case, task):
    return Entry(case, pickle.dumps(task))


@pytest.fixture
def recruit():
    recruit = Recruit(pickle.dumps(act), 1, entry("a", "3"))
    yield recruit
    recruit.discard()


def test_a_worker_says_that_it_is_ready_and_then_answers_case_by_case(recruit):
    assert recruit.pipe.recv_bytes() == READY
    recruit.begin()
    answer = pickle.loads(recruit.pipe.recv_bytes())
    assert (answer.case, answer.status, answer.value) == ("a", "done", 9)
    assert recruit.finish().case == "a"
    assert recruit.give(entry("b", "fail"))
    assert pickle.loads(recruit.pipe.recv_bytes()).status == "failed"
    recruit.finish()
    recruit.dismiss()
    assert recruit.discard(grace_s=30) == 0


def test_a_dead_worker_takes_no_case(recruit):
    recruit.pipe.recv_bytes()
    recruit.finish()
    recruit.dismiss()
    recruit.join(30)
    assert not recruit.is_alive()
    assert not recruit.give(entry("b", "3"))


def test_a_task_that_can_not_be_unpacked_fails_alone(recruit):
    recruit.pipe.recv_bytes()
    recruit.give(Entry("torn", b"no pickle"))
    answer = pickle.loads(recruit.pipe.recv_bytes())
    assert isinstance(answer, Outcome)
    assert (answer.case, answer.status) == ("torn", "failed")


def test_a_worker_at_work_ends_by_the_signal_and_says_so(recruit):
    recruit.pipe.recv_bytes()
    recruit.give(entry("b", "hang"))
    assert recruit.busy_s(time.monotonic() + 5) == 0.0  # it has not begun: nobody called `begin`
    assert recruit.discard() == -9


def test_a_worker_without_a_case_can_not_finish_one(recruit):
    recruit.finish()
    with pytest.raises(RuntimeError, match="without a case"):
        recruit.finish()


@pytest.mark.skipif(sys.platform != "linux", reason="memory is only watched on Linux")
def test_memory_of_a_process_grows_by_what_it_touches():
    before, size = resident_bytes(os.getpid()), 100 * 2**20
    # Not from the heap, which may hold free memory that the process has already.
    with mmap.mmap(-1, size) as hoard:
        hoard[:: mmap.PAGESIZE] = bytes(size // mmap.PAGESIZE)
        assert resident_bytes(os.getpid()) - before == pytest.approx(size, rel=0.2)
    assert resident_bytes(2**22 + 1) == 0
