import json
from dataclasses import replace

import pytest

from wirsung.cli import main
from wirsung.datasets.catalog_tables import FingerprintRow, fingerprints_table
from wirsung.datasets.manifest import ManifestRow, write_manifest, write_table
from wirsung.datasets.split_check import check_split
from wirsung.datasets.splits import Fold, Split, read_split

ROWS = [ManifestRow(case, f"p-{case}") for case in "abcdt"]
GOOD = Split(0, (), ("t",), (Fold(("c", "d"), ("a", "b")), Fold(("a", "b"), ("c", "d"))), {1: ("a",)})


def told(made, rows=ROWS, same=()):
    return {
        item.case: item.message for item in check_split(made, rows, same).outcomes if item.status == "failed"
    }


def test_a_good_split_is_good():
    found = check_split(GOOD, ROWS, ())
    assert {item.status for item in found.outcomes} == {"done"}
    assert len(found.outcomes) == 5


BAD = {
    "a case of the dataset is in no part": (
        replace(GOOD, test=()),
        {"t": "is in no part of splits.json: make it anew"},
    ),
    "an id is in no dataset": (
        replace(GOOD, test=("t", "x")),
        {"x": "is in splits.json, but not in the dataset"},
    ),
    "a case is tested on twice": (
        replace(GOOD, test=("a", "t"), subsets={}),
        {"a": "is in the test and in fold 0"},
    ),
    "a case is learnt from and tested on": (
        replace(GOOD, folds=(Fold(("a", "c", "d"), ("a", "b")), GOOD.folds[1])),
        {"a": "is learnt from in fold 0, and tested on"},
    ),
    "a subset holds a test case": (
        replace(GOOD, subsets={2: ("a", "t")}),
        {"t": "is in the subset of 2, and in the test"},
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_told(what):
    made, expected = BAD[what]
    found = told(made)
    for case, message in expected.items():
        assert message in found[case]


def test_a_patient_and_a_scan_on_two_sides_are_told():
    rows = [replace(row, patient="p") if row.case in "at" else row for row in ROWS]
    assert told(GOOD, rows) == {"t": "is in the test and has the same patient as a, which is in fold 0"}
    assert told(GOOD, same=[("a", "b"), ("b", "c")]) == {
        "c": "is in fold 1 and has the same scan as b, which is in fold 0"
    }


def test_a_case_that_was_left_out_is_no_problem():
    made = replace(GOOD, test=(), left_out=("t",))
    assert told(made, same=[("a", "t")]) == {}


@pytest.fixture
def root(tmp_path):
    """Eight cases, two of them for the test; one is a copy of a test case, two others are of each other."""
    cases = {**dict.fromkeys("abcdef", "train"), "t": "test", "u": "test"}
    for case, subset in cases.items():
        (tmp_path / {"train": "ImageTr", "test": "ImageTe"}[subset] / case).mkdir(parents=True)
    write_manifest(tmp_path, [ManifestRow(case, case, subset=subset) for case, subset in cases.items()])
    marks = {"a": "t", "b": "c"}
    rows = [FingerprintRow(case, "", True, marks.get(case, case), case, None) for case in sorted(cases)]
    write_table(tmp_path / "fingerprints.parquet", fingerprints_table(rows))
    return tmp_path


def test_a_split_refuses_a_leak_and_says_how_to_go_on(root, capsys):
    assert main(["split", str(root), "--folds", "2"]) == 2
    assert "(t and a)" in capsys.readouterr().err
    assert not (root / "splits.json").exists()


def test_a_split_leaves_a_leak_out_records_it_and_passes_its_own_check(root, capsys):
    assert main(["split", str(root), "--folds", "2", "--leaks", "drop"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Kept together: 1 group of scans that are one, as b, c." in lines
    assert "1 case is in no fold, as the test set has their scans." in lines
    made = read_split(root)
    assert (made.left_out, made.groups, made.is_leak_checked) == (("a",), (("b", "c"),), True)
    assert main(["split", str(root), "--check"]) == 0


def test_a_split_that_keeps_a_leak_fails_the_check(root, capsys):
    assert main(["split", str(root), "--folds", "2", "--leaks", "keep"]) == 0
    before = (root / "splits.json").read_bytes()
    capsys.readouterr()
    assert main(["split", str(root), "--check"]) == 1
    assert "has the same scan as" in " ".join(capsys.readouterr().out.split())
    assert (root / "splits.json").read_bytes() == before


def test_without_a_catalog_the_check_says_what_it_did_not_look_for(root, capsys):
    main(["split", str(root), "--folds", "2", "--leaks", "keep"])
    (root / "fingerprints.parquet").unlink()
    assert main(["split", str(root), "--check"]) == 0
    assert "Not looked for: scans that are there twice" in capsys.readouterr().out


def test_a_split_from_before_is_read_and_checked(root):
    main(["split", str(root), "--folds", "2", "--leaks", "keep"])
    path = root / "splits.json"
    content = json.loads(path.read_text())
    for key in ("groups", "left_out", "official", "is_leak_checked"):
        del content[key]
    path.write_text(json.dumps(content))
    assert read_split(root).left_out == ()
    assert read_split(root).official is None
