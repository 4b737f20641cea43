import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from misbehaving import act, process_id, square

from wirsung.compute.cases import Limits
from wirsung.compute.supervision import supervise
from wirsung.errors import WirsungError


def run(tasks, workers=2, **options):
    """The outcomes by case."""
    return {item.case: item for item in supervise(act, tasks.items(), workers=workers, **options)}


def children_of(pid):
    """The processes that `pid` started, without the tracker that multiprocessing keeps."""
    found = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True
    )
    lines = [line.split(None, 1) for line in found.stdout.splitlines()]
    return [int(number) for number, command in lines if "spawn_main" in command]


def wait_until(condition, patience_s=30):
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_a_killed_worker_takes_only_its_case_and_no_other_case_is_done_twice(tmp_path):
    notes = [tmp_path / f"case-{number}" for number in range(12)]
    tasks = {path.name: f"note:{path}" for path in notes}
    tasks["killer"] = f"note-and-kill:{tmp_path / 'killer'}"
    found = run({"killer": tasks.pop("killer"), **tasks})
    assert {found[path.name].status for path in notes} == {"done"}
    assert [len(path.read_text().split()) for path in notes] == [1] * len(notes)
    assert found["killer"].status == "failed"
    assert "quarantined: twice its worker was killed" in found["killer"].message
    assert len((tmp_path / "killer").read_text().split()) == 2


def test_a_case_that_loses_its_worker_once_is_done_at_its_second_try(tmp_path):
    found = run({"unlucky": f"die-once:{tmp_path / 'notes'}", "other": "3"})
    assert found["unlucky"].status == "done"
    assert found["unlucky"].value == "alive"
    assert len((tmp_path / "notes").read_text().split()) == 2


def test_the_second_try_after_a_kill_comes_last_and_has_the_machine_to_itself(tmp_path):
    killed = tmp_path / "notes"
    tasks = {"killed": f"die-once:{killed}", **{str(n): f"note:{tmp_path / str(n)}" for n in range(6)}}
    order = [item.case for item in supervise(act, tasks.items(), workers=2)]
    assert order[-1] == "killed"


def test_workers_without_a_case_go_home_so_that_a_killed_case_has_their_memory_too(tmp_path):
    tasks = {"killed": f"die-once-and-wait-to-be-alone:{tmp_path / 'killed'}"}
    tasks |= {f"other-{number}": f"nap-noted:{tmp_path / 'others'}" for number in range(4)}
    assert run(tasks, workers=3)["killed"].value == "alone"


def test_a_case_can_ask_whether_it_lost_its_worker_before(tmp_path):
    found = run(
        {"a": "is-second-try", "b": f"die-once-and-tell:{tmp_path / 'notes'}", "c": "is-second-try"},
        workers=1,
        places=[{"PLACE": "here"}],
    )
    assert [found[case].value for case in "abc"] == [False, (True, "here"), False]


def test_each_worker_has_a_place_of_its_own_and_who_replaces_it_takes_it(tmp_path):
    seen = tmp_path / "seen"
    tasks = {
        "waits": f"wait-for:{seen}",
        "dies": "segfault",
        "other": "place",
        "again": "place",
        "ends": f"note:{seen}",
    }
    found = run(tasks, workers=2, places=[{"PLACE": "0"}, {"PLACE": "1"}])
    # One worker waits until the end, so that whatever else is done is done in the other's place.
    assert found["other"].value == found["again"].value == "1"
    assert found["dies"].is_quarantined
    assert not found["waits"].is_quarantined


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("exit:3", "twice its worker ended with exit code 3"),
        ("exit:0", "twice its worker ended with exit code 0"),
        ("segfault", "twice its worker was ended by SIGSEGV"),
    ],
)
def test_the_message_says_how_the_worker_ended(deed, said):
    assert said in run({"bad": deed}, workers=1)["bad"].message


def test_two_different_ends_are_both_told(tmp_path):
    found = run({"bad": f"kill-then-exit:{tmp_path / 'was-here'}"}, workers=1)
    assert "first its worker was killed, most likely for want of memory, then its worker ended with" in (
        found["bad"].message
    )


def test_a_hung_case_is_ended_tried_again_and_quarantined_while_others_go_on():
    found = run({"hung": "hang", "a": "2", "b": "3"}, limits=Limits(timeout_s=0.3))
    assert found["hung"].status == "failed"
    assert "quarantined: twice it took longer than 0.3 s" in found["hung"].message
    assert found["hung"].duration_s >= 0.3
    assert (found["a"].value, found["b"].value) == (4, 9)


def test_the_time_that_a_worker_takes_to_start_is_not_counted_against_its_case():
    """No process starts Python and imports anything in 20 ms."""
    assert run({"quick": "5"}, workers=1, limits=Limits(timeout_s=0.02))["quick"].value == 25


@pytest.mark.skipif(sys.platform != "linux", reason="memory is only watched on Linux")
def test_a_case_that_swells_beyond_its_memory_is_ended_and_others_go_on():
    found = run({"swelling": "swell", "a": "2"}, limits=Limits(memory_gb=0.25))
    assert "quarantined: twice it took more than 0.25 GB of memory" in found["swelling"].message
    assert found["a"].value == 4


def test_workers_are_replaced_after_as_many_cases_as_asked():
    tasks = [(str(number), number) for number in range(7)]
    recycled = [o.value for o in supervise(process_id, tasks, workers=1, limits=Limits(recycle_after=3))]
    assert [recycled.count(pid) for pid in dict.fromkeys(recycled)] == [3, 3, 1]
    kept = {o.value for o in supervise(process_id, tasks, workers=1)}
    assert len(kept) == 1
    assert os.getpid() not in kept


def test_tasks_are_drawn_no_faster_than_workers_take_them():
    drawn = []

    def many():
        for number in range(2_000_000):
            drawn.append(number)
            yield str(number), number

    run = supervise(square, many(), workers=2)
    for heard in range(1, 30):
        next(run)
        assert len(drawn) <= heard + 2
    run.close()


def test_closing_early_ends_the_workers():
    before = set(children_of(os.getpid()))
    run = supervise(act, [("a", "1"), ("b", "hang"), ("c", "hang")], workers=2)
    assert next(run).case == "a"
    workers = set(children_of(os.getpid())) - before
    assert workers
    run.close()
    assert not workers & set(children_of(os.getpid()))


def test_all_workers_are_gone_when_the_last_case_is_done():
    before = set(children_of(os.getpid()))
    assert len(run({"a": "1", "b": "2", "c": "kill"})) == 3
    assert set(children_of(os.getpid())) == before


def test_an_error_of_the_task_list_ends_the_workers_and_is_passed_on():
    before = set(children_of(os.getpid()))

    def breaking():
        yield "a", "1"
        msg = "the folder vanished"
        raise OSError(msg)

    with pytest.raises(OSError, match="vanished"):
        list(supervise(act, breaking(), workers=1))
    assert set(children_of(os.getpid())) == before


def test_what_can_not_be_pickled_fails_alone():
    tasks = [("task", lambda: None), ("value", "unpicklable"), ("good", "2")]
    found = {item.case: item for item in supervise(act, tasks, workers=2)}
    assert found["task"].status == "failed"
    assert found["value"].status == "failed"
    assert "unforeseen" in found["value"].message
    assert found["good"].value == 4


def test_workers_that_can_not_start_are_an_error_of_the_call(tmp_path, monkeypatch, capfd):
    module = tmp_path / "vanishing.py"
    module.write_text("def work(task):\n    return task\n")
    monkeypatch.syspath_prepend(tmp_path)
    import vanishing  # type: ignore[import-not-found]

    module.unlink()
    with pytest.raises(WirsungError, match="end as they start"):
        list(supervise(vanishing.work, [("a", 1)], workers=2))
    assert "vanishing" in capfd.readouterr().err


def test_where_the_system_refuses_more_files_the_run_ends_with_an_error():
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    list(supervise(square, [("a", 1)], workers=1))  # multiprocessing's own tracker runs from here on
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        with pytest.raises(WirsungError, match=r"No worker process can be started \(Too many open files"):
            list(supervise(square, [("a", 1)], workers=1))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_each_worker_leaves_cores_to_the_others(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert run({"a": "threads"}, threads=3)["a"].value == "3"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert run({"a": "threads"}, threads=3)["a"].value == "7"


SCRIPT = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin without
sys.path.insert(0, {here!r})
from misbehaving import act
from wirsung.compute.cases import map_cases
if __name__ == "__main__":
    tasks = {{name: f"sleep-noted:{{sys.argv[1]}}/{{name}}" for name in ("a", "b", "c")}}
    map_cases(act, tasks, workers=2, description="sleep")
"""


@pytest.fixture
def sleeping_run(tmp_path):
    """A process of its own with two cases in flight; its folder; and its workers' process ids."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(here=str(Path(__file__).parent)))
    command = [sys.executable, str(script), str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            notes = tmp_path / "a", tmp_path / "b"
            wait_until(lambda: all(note.is_file() and note.read_text().endswith("\n") for note in notes))
            yield process, tmp_path, [int(note.read_text()) for note in notes]
        finally:
            process.kill()


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return False
    return state not in "ZX"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_an_interrupt_ends_the_run_and_its_workers_which_clean_up(sleeping_run):
    process, folder, workers = sleeping_run
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: every process of the group gets it
    said = process.communicate(timeout=30)[1]
    assert process.returncode != 0
    assert not any(is_alive(pid) for pid in workers)
    assert said.count("Traceback") == 1, said  # the run's own, and none of its workers'
    assert (folder / "a.left").exists()
    assert (folder / "b.left").exists()
    assert not (folder / "c").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_workers_do_not_outlive_a_run_that_is_killed(sleeping_run):
    process, _folder, workers = sleeping_run
    process.kill()
    wait_until(lambda: not any(is_alive(pid) for pid in workers))
