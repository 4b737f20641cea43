import os
import pickle
from multiprocessing import get_context

import pytest
from misbehaving import act

from wirsung.compute.worker import FAREWELL, READY, serve


@pytest.fixture
def served():
    """A worker as a plain process, and our end of its pipe."""
    context = get_context("spawn")
    pipe, far_end = context.Pipe()
    process = context.Process(target=serve, args=(far_end, pickle.dumps(act), 2), daemon=True)
    process.start()
    far_end.close()
    yield pipe, process
    pipe.close()
    process.join(30)
    process.kill()
    process.join()
    process.close()


def ask(pipe, case, task, is_again=False):
    pipe.send_bytes(pickle.dumps((case, pickle.dumps(task), is_again)))
    return pickle.loads(pipe.recv_bytes())


def test_a_worker_answers_until_it_is_sent_home(served):
    pipe, process = served
    assert pipe.recv_bytes() == READY
    assert ask(pipe, "a", "5").value == 25
    assert ask(pipe, "b", "fail").message == "ct.nii.gz is no image."
    assert ask(pipe, "c", "unpicklable").status == "failed"
    assert ask(pipe, "d", "pid").value == process.pid != os.getpid()
    assert ask(pipe, "e", "is-second-try").value is False
    assert ask(pipe, "e", "is-second-try", is_again=True).value is True
    pipe.send_bytes(FAREWELL)
    process.join(30)
    assert process.exitcode == 0


def test_a_worker_whose_supervisor_hangs_up_goes_home_without_a_word(served, capfd):
    pipe, process = served
    assert pipe.recv_bytes() == READY
    pipe.close()
    process.join(30)
    assert process.exitcode == 0
    assert capfd.readouterr().err == ""
