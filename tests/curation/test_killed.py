"""Whoever is killed, a run, a worker or a node: what is there in the end is what would have been."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from wirsung.curation.case import curate_case
from wirsung.curation.outputs import staged
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings

WIRSUNG = [sys.executable, "-m", "wirsung"]
KEY = "00" * 32 + "\n"
ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Two tiny phantoms as DICOM, with masks."""
    return phantoms(tmp_path_factory.mktemp("raw") / "raw", 2)


@pytest.fixture(scope="module")
def undisturbed(raw, tmp_path_factory):
    """What a run that nobody disturbs leaves, by path, and the seconds that it took."""
    out = place(tmp_path_factory.mktemp("undisturbed"))
    began = time.monotonic()
    run_to_end(raw, out, "--workers", "2")
    return whole(out), time.monotonic() - began


def phantoms(folder, cases):
    command = [*WIRSUNG, "phantom", folder, "--cases", str(cases), "--format", "dicom", "--seed", "3"]
    subprocess.run(command, check=True, env=ALONE, capture_output=True)
    return folder


def place(folder):
    """A place for a dataset, with the same key as all others here, so that pseudonyms are the same."""
    (folder / "out.key").write_text(KEY)
    return folder / "out"


def run_to_end(raw, out, *options):
    command = [*WIRSUNG, "curate", raw, out, *options]
    found = subprocess.run(command, check=False, env=ALONE, capture_output=True, text=True, cwd=out.parent)
    assert found.returncode == 0, found.stdout + found.stderr
    return out


def whole(out):
    """The bytes of each file of the dataset, of its verdicts and of its pictures.

    When a run began is no part of what it made: it stands in provenance.jsonl and in the cases' records.
    Nor is how many workers it had, which curate.toml keeps, nor how long it took, which pace.json keeps.
    """
    found = {}
    for root in (out, out.with_name("out.curation")):
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.name not in ("curate.toml", "lock", "pace.json"):
                found[str(path.relative_to(out.parent))] = content(path)
    return found


def content(path):
    if path.name == "provenance.jsonl" or path.parent.name == ".curation":
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.suffix == ".jsonl" else []
        rows = rows or [json.loads(path.read_text())]
        return sorted(json.dumps({**row, "run": ""}, sort_keys=True) for row in rows)
    return path.read_bytes()


def differences(found, expected):
    names = set(found) | set(expected)
    return sorted(name for name in names if found.get(name) != expected.get(name))


def kill_after(raw, out, seconds):
    """Start a curation of two workers and kill it and all its processes; whether it had not ended before."""
    command = [*WIRSUNG, "curate", raw, out, "--workers", "2"]
    run = subprocess.Popen(
        command, env=ALONE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        run.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        return True
    return False


def inodes(out):
    """What tells a file from one that was written anew, for each case that is done."""
    records = sorted((out / ".curation").glob("*.json"))
    images = [(out / "ImageTr" / path.stem / "ct.nii.gz") for path in records]
    return {
        path.parent.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in images if path.exists()
    }


def killed_and_resumed(raw, folder, moments):
    """Kill a run again and again, and then let it end; how often a run was killed at work."""
    out, kills = place(folder), 0
    for seconds in moments:
        before = inodes(out)
        kills += kill_after(raw, out, seconds)
        assert before.items() <= inodes(out).items(), "what was done was made anew"
    before = inodes(out)
    run_to_end(raw, out, "--workers", "2")
    assert before.items() <= inodes(out).items(), "what was done was made anew"
    return out, kills


def half_written(out):
    return [path for root in (out, out.with_name("out.curation")) for path in root.rglob(".partial-*")]


def test_a_run_that_is_killed_at_five_random_moments_ends_as_if_nobody_had_disturbed_it(
    raw, undisturbed, tmp_path
):
    expected, took_s = undisturbed
    moments = [random.Random(number).uniform(0.3, 0.9) * took_s for number in range(5)]
    out, kills = killed_and_resumed(raw, tmp_path, moments)
    assert kills > 0
    assert differences(whole(out), expected) == []
    assert half_written(out) == []


@pytest.mark.slow
def test_runs_that_are_killed_at_fifty_random_moments_end_as_if_nobody_had_disturbed_them(
    raw, undisturbed, tmp_path
):
    """Ten datasets, each killed five times: a dataset that is done has nothing left to be killed at."""
    expected, took_s = undisturbed
    draw, kills = random.Random(), 0
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        out, hits = killed_and_resumed(raw, folder, [draw.uniform(0.1, 1) * took_s for _ in range(5)])
        kills += hits
        assert differences(whole(out), expected) == []
        assert half_written(out) == []
    assert kills >= 25


def test_what_a_killed_run_left_half_written_is_gone_after_the_next(cohort, tmp_path):
    out = tmp_path / "out"
    cohort.case("a")
    curate(CurateSettings(cohort.root, out))
    places = [out, out / ".curation", out / "ImageTr", out / "LabelTr", tmp_path / "out.curation"]
    for place in [*places, tmp_path / "out.curation/pictures"]:
        (place / ".partial-1234-file").write_text("half a fi")
    (out / "ImageTr/.partial-b").mkdir()
    curate(CurateSettings(cohort.root, out))
    assert half_written(out) == []


def test_what_a_killed_worker_left_of_a_case_does_not_become_part_of_it(tmp_path):
    """Its second try, by another worker of the same run, finds the folders of the first."""
    for folder in ("ImageTr/.partial-a", "LabelTr/.partial-a/segmentations"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / ".partial-1234-half.nii.gz").write_text("half a fi")
        (tmp_path / folder / "older.nii.gz").write_text("older")
    with staged(tmp_path, "a", "train") as staging:
        (staging.image_folder / "ct.nii.gz").write_text("whole")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "ImageTr/a/ct.nii.gz"]


@pytest.mark.slow
def test_a_dask_worker_that_is_killed_at_work_costs_nothing(start_dask, tmp_path):
    """A scheduler and three workers; the command runs elsewhere and gives its paths relative to there."""
    raw = phantoms(tmp_path / "raw", 6)
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    expected = whole(run_to_end(raw, place(tmp_path / "here")))
    out = place(tmp_path / "there")
    with start_dask(tmp_path) as (address, processes), ThreadPoolExecutor(1) as pool:
        victim = pool.submit(kill_at_work, processes[2], out)
        run_to_end(Path("../raw"), out, "--cluster", address)
        assert victim.result(), "the worker was never seen at work"
        assert [process.poll() is None for process in processes] == [True, True, False, True]
    assert differences(whole(out), expected) == []
    assert half_written(out) == []


def kill_at_work(process, out):
    """Kill the process once it has a file of the dataset open; whether it was ever seen so."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            with suppress(OSError):
                if out in link.readlink().parents:
                    process.kill()
                    return True
        time.sleep(0.001)
    return False


def test_a_cluster_makes_the_same_dataset_as_this_process(cohort, tmp_path, monkeypatch):
    """Of NIfTI files and masks, by two processes, with relative paths; and a bad case fails there too."""
    for number in range(3):
        cohort.case(f"case-{number}", seed=number)
    (cohort.root / "case-2/ct.nii.gz").write_bytes(b"no image")
    made = {}
    for name, cluster in (("here", None), ("there", "local:2")):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        outcomes = curate(CurateSettings(Path("../src"), Path("out"), cluster=cluster))
        statuses = [(item.case, item.status, item.message) for item in outcomes]
        made[name] = statuses, whole(tmp_path / name / "out")
    assert [status for _, status, _ in made["there"][0]] == ["done", "done", "failed"]
    assert made["there"][0] == made["here"][0]
    assert differences(made["there"][1], made["here"][1]) == []


def test_a_case_that_kills_its_worker_is_tried_once_more_and_then_fails_alone(cohort, monkeypatch):
    """Curating by two workers, of which one meets a case that ends it; the others are in the dataset."""
    for number in range(4):
        cohort.case(f"case-{number}", seed=number)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    import deadly

    monkeypatch.setattr("wirsung.curation.run.curate_case", deadly.curate_case)
    monkeypatch.setenv("DEADLY_CASE", "case-1")
    monkeypatch.setenv("DEADLY_NOTE", str(cohort.root.parent / "note"))
    out = cohort.root.parent / "out"
    found = {item.case: item for item in curate(CurateSettings(cohort.root, out, workers=2))}
    assert found.pop("case-1").message.startswith("quarantined: twice its worker was killed")
    assert (cohort.root.parent / "note").read_text() == "case-1\n" * 2
    assert {item.status for item in found.values()} == {"done"}
    assert sorted(path.name for path in (out / "ImageTr").iterdir()) == ["case-0", "case-2", "case-3"]
    assert half_written(out) == []
    monkeypatch.setattr("wirsung.curation.run.curate_case", curate_case)
    again = curate(CurateSettings(cohort.root, out, workers=2))
    assert [item.status for item in again] == ["skipped", "done", "skipped", "skipped"]
