import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from misbehaving import act, square

from wirsung.compute.cases import Limits, map_cases, one_cluster, stream_cases
from wirsung.compute.cluster import attempt_in
from wirsung.errors import ConfigError, MissingDependencyError, WirsungError

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


def test_cases_on_a_cluster_of_our_own_come_back_in_order_whatever_they_do():
    """A real scheduler and two real worker processes."""
    tasks = {"c": "4", "bad": "fail", "was": "skip", "odd": "raise:DOE", "pid": "pid", "a": "3"}
    found = map_cases(act, tasks, workers=1, description="cluster", cluster="local:2")
    assert [(o.case, o.status) for o in found] == [
        ("c", "done"),
        ("bad", "failed"),
        ("was", "skipped"),
        ("odd", "failed"),
        ("pid", "done"),
        ("a", "done"),
    ]
    assert [o.value for o in found if o.case in "ca"] == [16, 9]
    assert found[1].message == "ct.nii.gz is no image."
    assert "DOE" not in found[3].message
    assert found[4].value != os.getpid()


def test_two_maps_of_one_stage_share_their_workers_and_the_folder_in_which_it_runs(tmp_path, monkeypatch):
    (tmp_path / "note").write_text("")
    with one_cluster():
        first = map_cases(act, {"a": "pid"}, workers=1, description="one", cluster="local:1")
        monkeypatch.chdir(tmp_path)
        second = map_cases(act, {"a": "note:note"}, workers=1, description="two", cluster="local:1")
    assert (first[0].status, second[0].status) == ("done", "done")
    assert (tmp_path / "note").read_text() == f"{first[0].value}\n"


def test_a_worker_that_does_not_see_the_folder_says_so_instead_of_writing_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = attempt_in(str(tmp_path / "not mounted"), act, "a", "note:note")
    assert outcome.status == "failed"
    assert "does not see the folder in which the command runs" in outcome.message
    assert not (tmp_path / "note").exists()


@pytest.mark.slow
def test_three_workers_of_which_one_is_killed_lose_nothing(start_dask, tmp_path):
    notes = [tmp_path / f"case-{number}" for number in range(30)]
    tasks = {path.name: f"nap-noted:{path}" for path in notes}
    with start_dask(tmp_path) as (address, _), ThreadPoolExecutor(1) as pool:
        victim = pool.submit(kill_who_works_on, notes[7])
        outcomes = map_cases(act, tasks, workers=1, description="nap", cluster=address)
    assert [o.case for o in outcomes] == list(tasks)
    assert {o.status for o in outcomes} == {"done"}
    tries = [len(path.read_text().split()) for path in notes]
    assert tries == [1] * 7 + [2] + [1] * 22
    assert outcomes[7].value != victim.result()
    assert len({o.value for o in outcomes}) == 3


def kill_who_works_on(note):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if note.exists() and note.read_text().endswith("\n"):
            worker = int(note.read_text())
            os.kill(worker, signal.SIGKILL)
            return worker
        time.sleep(0.005)
    return None


@pytest.mark.slow
def test_a_case_that_kills_its_workers_costs_two_of_them_and_is_quarantined(start_dask, tmp_path):
    """A scheduler's own default is to give a task to four workers, which would take all three."""
    notes = [tmp_path / f"case-{number}" for number in range(12)]
    tasks = {"killer": f"note-and-kill:{tmp_path / 'killer'}"}
    tasks |= {path.name: f"nap-noted:{path}" for path in notes}
    with start_dask(tmp_path) as (address, processes):
        found = {o.case: o for o in map_cases(act, tasks, workers=1, description="nap", cluster=address)}
        assert sum(process.poll() is None for process in processes) == 2  # the scheduler and one worker
    assert "quarantined: twice its worker was lost" in found.pop("killer").message
    assert len((tmp_path / "killer").read_text().split()) == 2
    assert {o.status for o in found.values()} == {"done"}
    assert all(len(path.read_text().split()) == 1 for path in notes)


@pytest.mark.slow
def test_the_innocent_beside_a_killer_on_one_worker_are_done(start_dask, tmp_path):
    """Two workers of two threads: whoever dies takes a neighbour's case with it, which is not to blame."""
    tasks = {f"case-{number}": f"nap-noted:{tmp_path / f'case-{number}'}" for number in range(8)}
    tasks = {"case-a": tasks["case-0"], "killer": "kill", **tasks}
    with start_dask(tmp_path, workers=3, threads=2) as (address, _):
        found = {o.case: o for o in map_cases(act, tasks, workers=1, description="nap", cluster=address)}
    assert found.pop("killer").status == "failed"
    assert {o.status for o in found.values()} == {"done"}


@pytest.mark.slow
def test_tasks_are_drawn_no_faster_than_the_cluster_takes_them(start_dask, tmp_path):
    drawn = []

    def many():
        for number in range(2_000_000):
            drawn.append(number)
            yield str(number), number

    with start_dask(tmp_path, workers=2) as (address, _):
        run = stream_cases(square, many(), workers=1, description="many", cluster=address)
        for heard in range(1, 40):
            assert next(run).status == "done"
            assert len(drawn) <= heard + 2
        run.close()


@pytest.mark.slow
def test_a_scheduler_that_is_lost_ends_the_run_and_says_how_to_go_on(start_dask, tmp_path):
    tasks = {f"case-{number}": f"nap-noted:{tmp_path / str(number)}" for number in range(500)}
    with start_dask(tmp_path, workers=1) as (address, processes):
        run = stream_cases(act, tasks, workers=1, description="nap", cluster=address)
        assert next(run).status == "done"
        processes[0].kill()
        with pytest.raises(WirsungError, match="run again to go on"):
            list(run)


@pytest.mark.slow
def test_a_scheduler_without_workers_is_a_wrong_call(start_dask, tmp_path, monkeypatch):
    monkeypatch.setattr("wirsung.compute.schedulers._FIRST_WORKER_S", 0.5)
    with (
        start_dask(tmp_path, workers=0) as (address, _),
        pytest.raises(
            ConfigError, match=f"has no worker after 0.5 s. Start some with: dask worker {address}"
        ),
    ):
        map_cases(square, {"a": 1}, workers=1, description="none", cluster=address)


def test_limits_of_a_case_are_not_for_clusters():
    with pytest.raises(ConfigError, match="the cluster's own settings"):
        map_cases(square, {"a": 1}, workers=1, description="x", cluster="local:1", limits=Limits(timeout_s=1))


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'wirsung\[cluster\]'"):
        map_cases(square, {"a": 1}, workers=1, description="x", cluster="local:1")
