"""The journal: nothing twice, nothing missing, whatever is killed when."""

import json
import math
import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wirsung.errors import StorageError, WirsungError
from wirsung.training.watching.events import Epoch, Step
from wirsung.training.watching.journal import Journal, epochs_of, read_journal, steps_of

ITERATIONS = 3


class Clock:
    def __init__(self):
        self.s = 1000.0

    def __call__(self):
        self.s += 1.0
        return self.s


def step(epoch, iteration, loss=0.5):
    return Step(epoch, iteration, loss, 0.01, 0.25, ("PanTS_1", "PanTS_2"))


def epoch(number, lesion=0.125):
    return Epoch(number, 0.5, 0.75, {"pancreas": 0.5, "pancreatic_lesion": lesion}, 0.01, 60.0)


def events(epochs):
    """Of an unbroken training."""
    for number in range(epochs):
        yield from (step(number, iteration) for iteration in range(ITERATIONS))
        yield epoch(number)


def heard(path):
    return [entry.event for entry in read_journal(path)]


def test_what_was_told_is_read_again(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.resume_at(0, 0)
    told = list(events(2))
    for event in told:
        journal.add(event)
    assert heard(tmp_path / "journal.jsonl") == told
    entries = read_journal(tmp_path / "journal.jsonl")
    assert (len(steps_of(entries)), len(epochs_of(entries))) == (6, 2)


def test_every_line_is_json_and_the_first_says_its_schema(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl", Clock())
    journal.resume_at(0, 0)
    journal.add(step(0, 0, loss=math.nan))
    journal.add(epoch(0, lesion=math.nan))
    head, first, second = map(json.loads, (tmp_path / "journal.jsonl").read_text().splitlines())
    assert head == {"schema": 1, "kind": "journal"}
    assert (first["kind"], first["loss"], first["cases"]) == ("step", None, ["PanTS_1", "PanTS_2"])
    assert second["pseudo_dice"]["pancreatic_lesion"] is None
    # Times count from the first line: no clock of the machine is in it, no name of it either.
    assert (first["time_s"], second["time_s"]) == (1.0, 2.0)
    assert os.uname().nodename not in (tmp_path / "journal.jsonl").read_text()
    assert math.isnan(heard(tmp_path / "journal.jsonl")[0].loss)
    assert math.isnan(heard(tmp_path / "journal.jsonl")[1].pseudo_dice["pancreatic_lesion"])


def test_the_line_is_on_the_disk_before_the_next_step(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.resume_at(0, 0)
    for count, event in enumerate(events(1), start=1):
        journal.add(event)
        assert len(heard(tmp_path / "journal.jsonl")) == count


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    done=st.integers(0, 11),
    back=st.integers(0, 11),
    cut=st.integers(0, 200),
)
def test_a_killed_training_that_goes_on_has_the_journal_of_one_that_was_not_killed(tmp_path, done, back, cut):
    """`done` events were told, the last line was cut, and the checkpoint is `back` events older."""
    path = tmp_path / "journal.jsonl"
    path.unlink(missing_ok=True)
    told = list(events(3))
    journal = Journal(path)
    journal.resume_at(0, 0)
    for event in told[:done]:
        journal.add(event)
    lines = path.read_bytes().splitlines(keepends=True)
    if done > max(0, done - back):  # what the checkpoint knows is out; only a later line can be cut
        path.write_bytes(b"".join(lines[:-1]) + lines[-1][: cut % len(lines[-1])])
    checkpoint = max(0, done - back)
    following = told[checkpoint]
    again = Journal(path)
    if isinstance(following, Epoch):
        again.resume_at(following.epoch, ITERATIONS)
    else:
        again.resume_at(following.epoch, following.iteration)
    assert heard(path) == told[:checkpoint]
    for event in told[checkpoint:]:
        again.add(event)
    assert heard(path) == told


def test_time_goes_on_where_it_stood(tmp_path):
    path = tmp_path / "journal.jsonl"
    first = Journal(path, Clock())
    first.resume_at(0, 0)
    for event in list(events(1)):
        first.add(event)
    again = Journal(path, Clock())
    again.resume_at(0, 2)
    again.add(step(0, 2))
    assert [entry.time_s for entry in read_journal(path)] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("rest", [b'{"kind": "st', b'{"kind": "step"}', b"12", b"\x00\x00\xff", b"\xc3"])
def test_a_last_line_without_its_end_is_left_out_and_mended(tmp_path, rest):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.resume_at(0, 0)
    journal.add(step(0, 0))
    whole = path.read_bytes()
    path.write_bytes(whole + rest)
    assert heard(path) == [step(0, 0)]
    Journal(path).resume_at(0, 1)
    assert path.read_bytes() == whole


def test_a_damaged_line_within_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.resume_at(0, 0)
    for event in events(1):
        journal.add(event)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:2], "nothing\n", *lines[3:]]))
    with pytest.raises(WirsungError, match=r"journal\.jsonl, line 3: .* Delete the file"):
        read_journal(path)
    path.write_text("".join([lines[0], '{"kind": "step"}\n']))
    with pytest.raises(WirsungError, match="lacks 'epoch'"):
        read_journal(path)
    path.write_text("[]\n")
    with pytest.raises(WirsungError, match="line 1"):
        read_journal(path)


def test_a_journal_of_a_later_version_is_refused(tmp_path):
    (tmp_path / "journal.jsonl").write_text('{"schema": 2, "kind": "journal"}\n')
    with pytest.raises(WirsungError, match="schema 2, but this version reads 1"):
        read_journal(tmp_path / "journal.jsonl")


def test_no_journal_is_an_empty_one(tmp_path):
    assert read_journal(tmp_path / "journal.jsonl") == ()


def test_a_journal_that_can_not_be_written_says_so(tmp_path):
    with pytest.raises(StorageError, match="can't be written"):
        Journal(tmp_path / "missing" / "journal.jsonl").add(step(0, 0))


def test_a_loss_keeps_six_digits(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.resume_at(0, 0)
    journal.add(replace(step(0, 0), loss=1 / 3))
    assert heard(tmp_path / "journal.jsonl")[0].loss == pytest.approx(1 / 3, rel=1e-6)
