import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirsung.compute.cases import stream_cases
from wirsung.compute.ledger import Ledger, read_ledger
from wirsung.errors import StorageError

LAST = "Ärztin\n\U0001f642"
WRITER = """
import sys
from pathlib import Path
from wirsung.compute.ledger import Ledger
with Ledger.open(Path(sys.argv[1])) as ledger:
    for number in range(int(sys.argv[3])):
        case = f"{sys.argv[2]}-{number}"
        ledger.record(case, "f" * 64, "done", 1.5)
        print(case, flush=True)
"""


def writing(path, name, count):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)], stdout=subprocess.PIPE, text=True
    )


def test_a_case_is_done_with_its_fingerprint_only(tmp_path):
    path = tmp_path / "deep" / "ledger.jsonl"
    with Ledger.open(path) as ledger:
        ledger.record("a", "one", "done", 2.0004)
        ledger.record("b", "one", "failed")
        ledger.record("c", "one", "skipped")
    with Ledger.open(path) as ledger:
        assert ledger.is_done("a", "one")
        assert not ledger.is_done("a", "two")
        assert not ledger.is_done("b", "one")
        assert ledger.is_done("c", "one")
        assert not ledger.is_done("d", "one")
        assert ledger.line("a").duration_s == 2.0
        assert len(ledger) == 3


def test_facts_come_back_as_they_were_recorded(tmp_path):
    path = tmp_path / "ledger.jsonl"
    facts = {"sha256": {"a.nii.gz": "ff"}, "seconds": {"network": 1.25}, "note": LAST}
    with Ledger.open(path) as ledger:
        ledger.record("a", "one", "done", facts=facts)
        ledger.record("b", "one", "done")
    with Ledger.open(path) as ledger:
        assert ledger.line("a").facts == facts
        assert ledger.line("b").facts == {}
        assert [line.case for line in ledger.lines()] == ["a", "b"]
    assert "facts" not in json.loads(path.read_text().splitlines()[1])
    assert read_ledger(path)["a"].facts == facts


def test_a_line_whose_facts_are_no_table_is_damaged(tmp_path):
    path = tmp_path / "ledger.jsonl"
    line = {"schema": 1, "case": "a", "fingerprint": "f", "status": "done", "duration_s": 0.0, "facts": [1]}
    path.write_text(json.dumps(line) + "\n")
    with Ledger.open(path) as ledger:
        assert (len(ledger), ledger.damaged_lines) == (0, 1)


def test_reading_a_ledger_makes_none(tmp_path):
    assert read_ledger(tmp_path / "none.jsonl") == {}
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError):
        read_ledger(tmp_path)


def test_a_ledger_that_is_held_is_held_by_one_run_and_free_when_that_is_gone(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Ledger.open(path) as first, Ledger.open(path) as second:
        assert first.hold()
        assert not second.hold()
    with Ledger.open(path) as third:
        assert third.hold()


def test_threads_may_share_a_ledger(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Ledger.open(path) as ledger, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: ledger.record(f"case-{number}", "f", "done"), range(64)))
    assert set(read_ledger(path)) == {f"case-{number}" for number in range(64)}


def test_the_last_line_of_a_case_counts(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Ledger.open(path) as ledger:
        ledger.record("a", "one", "failed")
        ledger.record("a", "one", "done")
        ledger.record("b", "one", "done")
        ledger.record("b", "one", "failed")
        in_memory = [ledger.is_done(case, "one") for case in "ab"]
    with Ledger.open(path) as ledger:
        assert [ledger.is_done(case, "one") for case in "ab"] == in_memory == [True, False]


def test_lines_are_only_ever_added(tmp_path):
    path = tmp_path / "ledger.jsonl"
    contents = [b""]
    for number in range(5):
        with Ledger.open(path) as ledger:
            ledger.record(f"case-{number % 2}", str(number), "done")
        contents.append(path.read_bytes())
        assert contents[-1].startswith(contents[-2])
    tables = [json.loads(line) for line in contents[-1].splitlines()]
    assert [table["fingerprint"] for table in tables] == list("01234")
    assert {table["schema"] for table in tables} == {1}


def test_killed_at_any_byte_of_the_last_line_nothing_but_that_line_is_lost(tmp_path):
    path = tmp_path / "whole.jsonl"
    with Ledger.open(path) as ledger:
        ledger.record("a", "f", "done", 0.125)
        ledger.record("b", "f", "done", 0.125)
        before_last = path.stat().st_size
        ledger.record(LAST, "f", "done", 0.125)
    content = path.read_bytes()
    assert content[:before_last].count(b"\n") == 2
    for end in range(before_last, len(content) + 1):
        torn = tmp_path / "torn.jsonl"
        torn.write_bytes(content[:end])
        with Ledger.open(torn) as ledger:
            assert ledger.is_done("a", "f")
            assert ledger.is_done("b", "f")
            is_whole = end >= len(content) - 1  # without its newline it is whole all the same
            assert ledger.is_done(LAST, "f") == is_whole
            ledger.record("next", "f", "done")
        with Ledger.open(torn) as ledger:
            assert [ledger.is_done(case, "f") for case in ("a", "b", "next")] == [True] * 3
            assert ledger.damaged_lines == (before_last < end < len(content) - 1)


CASES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LINES = st.lists(
    st.tuples(CASES, st.text("0123456789abcdef"), st.sampled_from(["done", "skipped", "failed"]))
)


@settings(max_examples=30, deadline=None)
@given(LINES)
def test_what_was_recorded_is_read_back_whatever_the_names(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    with Ledger.open(path) as ledger:
        for line in lines:
            ledger.record(*line)
    with Ledger.open(path) as ledger:
        last = {case: (fingerprint, status) for case, fingerprint, status in lines}
        read = {case: ledger.line(case) for case in last}
        assert {case: (line.fingerprint, line.status) for case, line in read.items()} == last
        assert len(ledger) == len(last)


@pytest.mark.parametrize(
    "damage",
    [
        b"\0" * 200,
        b"[]",
        b"7",
        b'{"schema": 1}',
        b'{"schema": 9, "case": "x"}',
        b"\xff\xfe",
        b'{"case": "x"}',
    ],
)
def test_a_damaged_line_between_others_is_passed_over(tmp_path, damage):
    path = tmp_path / "ledger.jsonl"
    with Ledger.open(path) as ledger:
        ledger.record("a", "f", "done")
        with path.open("ab") as file:
            file.write(damage + b"\n")
        ledger.record("b", "f", "done")
    with Ledger.open(path) as ledger:
        assert ledger.is_done("a", "f")
        assert ledger.is_done("b", "f")
        assert (len(ledger), ledger.damaged_lines) == (2, 1)


def test_what_record_has_said_survives_a_kill(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with writing(path, "case", 100_000) as process:
        promised = [process.stdout.readline().strip() for _ in range(20)]
        process.kill()
        promised += process.stdout.read().split("\n")[:-1]
    with Ledger.open(path) as ledger:
        assert all(ledger.is_done(case, "f" * 64) for case in promised)
        assert len(ledger) - len(promised) in (0, 1)


def test_two_runs_may_share_a_ledger(tmp_path):
    path = tmp_path / "ledger.jsonl"
    writers = [writing(path, name, 60) for name in ("left", "right")]
    assert [writer.communicate() and writer.returncode for writer in writers] == [0, 0]
    with Ledger.open(path) as ledger:
        assert (len(ledger), ledger.damaged_lines) == (120, 0)


def test_a_run_goes_on_where_the_ledger_ends(tmp_path):
    tasks = {name: number for number, name in enumerate("abcdef")}
    calls = []

    def work(number):
        calls.append(number)
        return number

    def run(fingerprint, most):
        with Ledger.open(tmp_path / "ledger.jsonl") as ledger:
            left = ledger.unfinished(tasks.items(), lambda _case, _task: fingerprint)
            outcomes = stream_cases(work, left, workers=1, description="work")
            for outcome in ledger.following(outcomes, lambda _case: fingerprint):
                if outcome.case == most:
                    return

    run("one", "c")
    run("one", None)
    assert calls == [0, 1, 2, 3, 4, 5]
    run("one", None)
    assert len(calls) == 6
    run("two", None)
    assert len(calls) == 12


def test_a_ledger_that_can_not_be_written_is_a_storage_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="can't be written"):
        Ledger.open(tmp_path / "file" / "ledger.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_said_and_the_case_is_not_done(tmp_path):
    with Ledger.open(tmp_path / "ledger.jsonl") as ledger:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, ledger._descriptor)
        os.close(full)
        with pytest.raises(StorageError, match="the disk is full"):
            ledger.record("a", "f", "done")
        assert not ledger.is_done("a", "f")
