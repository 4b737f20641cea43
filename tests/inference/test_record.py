"""What is known of the cases in OUT: one line a case, and nothing that a kill could take away."""

import json
import os
import shutil

import pytest

from wirsung.errors import ConfigError
from wirsung.imaging.nifti import write_nifti
from wirsung.inference.case import Predicted, Written, size_and_time
from wirsung.inference.record import LEDGER_FILE, PREDICTIONS_FILE, Known, Record, remove_leftovers
from wirsung.inference.run import predict
from wirsung.inference.settings import PredictSettings


def written(out, case, key="k"):
    """A case whose file is there."""
    from wirsung.compute.file_state import sha256_of_file

    path = out / f"{case}.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(case.encode())
    row = {"key": key, "sha256": {path.name: sha256_of_file(path)}, "duration_s": 1.0, "seconds": {}}
    return Written(Predicted(key, 1.0), row, {path.name: size_and_time(path)})


def ledger_lines(out):
    return [json.loads(line) for line in (out / LEDGER_FILE).read_text().splitlines()]


def told_cases(out):
    return list(json.loads((out / PREDICTIONS_FILE).read_text())["cases"])


def test_a_case_costs_one_line_and_the_table_is_made_at_the_end(tmp_path):
    with Record.opened(tmp_path, {"scheme": "pants-28"}) as record:
        for number in range(40):
            case = f"case-{number:02}"
            record.finish(case, written(tmp_path, case))
        assert len(ledger_lines(tmp_path)) == 40
        # What it held after the first case: nobody may wait for a table of 26,000 rows at every case.
        assert told_cases(tmp_path) == ["case-00"]
    content = json.loads((tmp_path / PREDICTIONS_FILE).read_text())
    assert list(content["cases"]) == [f"case-{number:02}" for number in range(40)]
    assert (content["schema"], content["scheme"]) == (1, "pants-28")
    assert set(content["cases"]["case-00"]) == {"key", "sha256", "duration_s", "seconds"}


def test_what_a_killed_run_had_done_is_known_to_the_next(tmp_path):
    out, killed = tmp_path / "out", tmp_path / "killed"
    with Record.opened(out, {}) as record:
        for case in ("a", "b", "c"):
            record.finish(case, written(out, case))
        shutil.copytree(out, killed)
    assert told_cases(killed) == ["a"]
    assert list(Known.of(killed).rows) == ["a", "b", "c"]
    with Record.opened(killed, {}):
        pass
    assert told_cases(killed) == ["a", "b", "c"]


@pytest.mark.parametrize("lost", [1, 20, 60])
def test_a_torn_last_line_costs_its_case_alone(tmp_path, lost):
    with Record.opened(tmp_path, {}) as record:
        for case in ("a", "b", "c"):
            record.finish(case, written(tmp_path, case))
        torn = (tmp_path / LEDGER_FILE).read_bytes()[:-lost]
    (tmp_path / LEDGER_FILE).write_bytes(torn)
    (tmp_path / PREDICTIONS_FILE).unlink()
    rows = Known.of(tmp_path).rows
    assert list(rows) == (["a", "b", "c"] if lost == 1 else ["a", "b"])


def test_a_second_run_is_refused_while_the_first_one_writes(tmp_path):
    with (
        Record.opened(tmp_path, {}),
        pytest.raises(ConfigError, match="another run"),
        Record.opened(tmp_path, {}),
    ):
        pass
    with Record.opened(tmp_path, {}):
        pass


def test_half_files_of_a_killed_run_go_and_those_of_others_stay(tmp_path):
    ours = [
        ".partial-ab12_x9z-one.nii.gz",
        ".partial-ab12_x9z-one_lesion.nii.gz",
        ".partial-ab12_x9z-predictions.json",
    ]
    others = [
        ".partial-ab12_x9z-scores.parquet",
        ".partial-mine.nii.gz",
        "partial-ab12_x9z-one.nii.gz",
        "one.nii.gz",
    ]
    for name in (*ours, *others):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


def test_a_file_is_known_by_size_and_time_and_where_these_differ_by_its_bytes(tmp_path):
    made = written(tmp_path, "a")
    path = tmp_path / "a.nii.gz"
    with Record.opened(tmp_path, {}) as record:
        record.finish("a", made)
        assert record.known.whole_files("a", [path]) == made.states
        os.utime(path, ns=(1, 1))
        assert record.known.whole_files("a", [path]) == {path.name: [1, 1]}
        path.write_bytes(b"b")
        assert record.known.whole_files("a", [path]) is None
        path.unlink()
        assert record.known.whole_files("a", [path]) is None
        assert record.known.whole_files("b", [path]) is None


def test_a_failure_takes_the_place_of_what_an_earlier_model_made(tmp_path):
    from wirsung.compute.outcome import Outcome

    with Record.opened(tmp_path, {}) as record:
        record.finish("a", written(tmp_path, "a"))
        record.fail(Outcome("a", "failed", "a.nii.gz is no image."), "other key")
    content = json.loads((tmp_path / PREDICTIONS_FILE).read_text())
    assert content["cases"] == {}
    assert content["failed"] == {"a": {"message": "a.nii.gz is no image.", "quarantined": False}}
    assert Known.of(tmp_path).quarantine("a", "other key") == ""


def test_copied_predictions_are_known_by_their_bytes_once_and_then_by_their_time(tmp_path, model, make_scan):
    for seed, name in enumerate(("one", "two")):
        write_nifti(tmp_path / "images" / f"{name}.nii.gz", make_scan((20, 18, 16), seed=seed)[0])
    predict(PredictSettings(tmp_path / "images", tmp_path / "out", model=model, device="cpu"))
    shutil.copytree(tmp_path / "out", tmp_path / "copy", copy_function=shutil.copyfile)
    settings = PredictSettings(tmp_path / "images", tmp_path / "copy", model=model, device="cpu")
    assert [item.status for item in predict(settings)] == ["skipped", "skipped"]
    lines = [(line["case"], line["status"]) for line in ledger_lines(tmp_path / "copy")]
    assert lines == [("one", "done"), ("two", "done"), ("one", "skipped"), ("two", "skipped")]
    assert [item.status for item in predict(settings)] == ["skipped", "skipped"]
    assert len(ledger_lines(tmp_path / "copy")) == 4
