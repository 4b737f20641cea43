import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirsung.datasets.manifest import ManifestRow, write_manifest
from wirsung.datasets.splits import Split, SplitSettings, read_split, split, split_rows
from wirsung.errors import ConfigError, ManifestError

# Each patient has one centre and one to three cases; tumour flags may be unknown.
_PATIENTS = st.lists(
    st.tuples(
        st.sampled_from(["north", "south", None]),
        st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=3),
    ),
    min_size=2,
    max_size=30,
)


def _rows(patients):
    return [
        ManifestRow(f"case-{number}-{index}", f"p{number}", centre=centre, tumour=tumour)
        for number, (centre, flags) in enumerate(patients)
        for index, tumour in enumerate(flags)
    ]


@settings(deadline=None)
@given(patients=_PATIENTS, folds=st.integers(2, 5), seed=st.integers(0, 2**40), hold_out=st.booleans())
def test_no_patient_is_on_two_sides_and_every_case_is_there_once(patients, folds, seed, hold_out):
    rows = _rows(patients)
    centres = ["north"] if hold_out and any(row.centre == "north" for row in rows) else []
    learners = {row.patient for row in rows if row.centre not in centres}
    if len(learners) < folds:
        with pytest.raises(ConfigError, match=f"{folds} folds can't be made of {len(learners)} patients"):
            split_rows(rows, test_centres=centres, folds=folds, seed=seed)
        return
    made = split_rows(rows, test_centres=centres, folds=folds, seed=seed)
    patient = {row.case: row.patient for row in rows}
    placed = [*made.test, *(case for fold in made.folds for case in fold.validation)]
    assert sorted(placed) == sorted(patient)
    for fold in made.folds:
        sides = [{patient[case] for case in side} for side in (made.test, fold.train, fold.validation)]
        assert not sides[0] & sides[1]
        assert not sides[0] & sides[2]
        assert not sides[1] & sides[2]
        assert set(fold.train) | set(fold.validation) | set(made.test) == set(patient)
        assert fold.validation


@settings(deadline=None)
@given(patients=_PATIENTS, seed=st.integers(0, 1000), order=st.randoms())
def test_a_split_depends_on_the_cases_and_the_seed_but_not_on_their_order(patients, seed, order):
    rows = _rows(patients)
    shuffled = rows.copy()
    order.shuffle(shuffled)
    assert split_rows(rows, folds=2, seed=seed) == split_rows(shuffled, folds=2, seed=seed)


@settings(deadline=None)
@given(patients=_PATIENTS, folds=st.integers(2, 5))
def test_folds_differ_by_at_most_one_patient_and_one_patient_with_a_tumour(patients, folds):
    rows = _rows(patients)
    if len(patients) < folds:
        return
    made = split_rows(rows, folds=folds)
    patient = {row.case: row.patient for row in rows}
    positive = {row.patient for row in rows if row.tumour}
    sides = [{patient[case] for case in fold.validation} for fold in made.folds]
    sizes, tumours = [len(side) for side in sides], [len(side & positive) for side in sides]
    assert max(sizes) - min(sizes) <= 1
    assert max(tumours) - min(tumours) <= 1


def test_another_seed_makes_other_folds():
    rows = _rows([("north", [False])] * 20)
    assert split_rows(rows, seed=0).folds != split_rows(rows, seed=1).folds


def test_held_out_centres_and_the_releases_own_test_cases_are_the_test_set():
    rows = [ManifestRow(f"c{n}", f"p{n}", centre=f"centre-{n % 3}") for n in range(9)]
    rows.append(ManifestRow("c9", "p9", centre="centre-1", subset="test"))
    made = split_rows(rows, test_centres=["centre-0"], folds=2)
    assert made.test == ("c0", "c3", "c6", "c9")
    assert made.test_centres == ("centre-0",)


def test_an_unknown_centre_is_refused_with_the_known_ones():
    rows = [ManifestRow(f"c{n}", f"p{n}", centre=f"site{n}") for n in range(3)]
    with pytest.raises(ConfigError, match=r"No case is of centre 'Basel'\. Known are site0, site1, site2\."):
        split_rows(rows, test_centres=["Basel"], folds=2)


def test_a_centre_is_refused_where_none_is_known():
    with pytest.raises(ConfigError, match="None is known"):
        split_rows([ManifestRow("a", "a"), ManifestRow("b", "b")], test_centres=["x"], folds=2)


def test_a_patient_of_a_held_out_and_another_centre_is_named():
    rows = [
        ManifestRow("a", "p7", centre="x"),
        ManifestRow("b", "p7", centre="y"),
        ManifestRow("c", "p8", centre="y"),
    ]
    with pytest.raises(
        ManifestError, match="Patient p7 would be on two sides: case a is for the test, case b"
    ):
        split_rows(rows, test_centres=["x"], folds=2)


def test_one_fold_is_refused():
    with pytest.raises(ConfigError, match="at least 2 folds"):
        split_rows([ManifestRow("a", "a"), ManifestRow("b", "b")], folds=1)


def test_split_writes_what_read_split_reads(tmp_path):
    rows = [ManifestRow(f"c{n}", f"p{n}", centre=f"centre-{n % 2}") for n in range(6)]
    for row in rows:
        (tmp_path / "ImageTr" / row.case).mkdir(parents=True)
    write_manifest(tmp_path, rows)
    made = split(SplitSettings(tmp_path, test_centre=("centre-1",), folds=3, seed=5))
    assert isinstance(made, Split)
    assert read_split(tmp_path) == made
    written = json.loads((tmp_path / "splits.json").read_text())
    assert written["schema"] == 1
    assert written["seed"] == 5
    assert written["test"] == ["c1", "c3", "c5"]
    assert sorted(written["folds"][0]) == ["train", "validation"]
    not_catalogued = "Not looked for: scans that are there twice. Run wirsung catalog first, then this again."
    assert made.lines() == ["3 folds of 1, 1, 1 cases; 3 test cases (centres centre-1).", not_catalogued]


def test_without_a_manifest_each_case_is_a_patient(tmp_path):
    for number in range(4):
        (tmp_path / "ImageTr" / f"PanTS_0000000{number}").mkdir(parents=True)
    (tmp_path / "ImageTe" / "PanTS_00009001").mkdir(parents=True)
    made = split(SplitSettings(tmp_path, folds=4))
    assert made.test == ("PanTS_00009001",)
    assert [len(fold.validation) for fold in made.folds] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"schema": 1}', '{"schema": 1, "seed": 0, "test_centres": "x"}']
)
def test_a_damaged_split_is_refused(tmp_path, content):
    (tmp_path / "splits.json").write_text(content)
    with pytest.raises(ManifestError, match="is damaged"):
        read_split(tmp_path)


def test_a_split_of_another_schema_is_refused(tmp_path):
    content = {"schema": 2, "seed": 0, "test_centres": [], "test": [], "folds": []}
    (tmp_path / "splits.json").write_text(json.dumps(content))
    with pytest.raises(ManifestError, match="schema 2"):
        read_split(tmp_path)


def test_a_missing_split_says_how_to_make_one(tmp_path):
    with pytest.raises(ManifestError, match="wirsung split"):
        read_split(tmp_path)


def test_subsets_lie_within_each_other_and_keep_tumours_in_proportion():
    rows = [ManifestRow(f"c{n:03}", f"p{n:03}", tumour=n % 5 == 0) for n in range(100)]
    made = split_rows(rows, subsets=[40, 10, 100])
    assert list(made.subsets) == [10, 40, 100]
    parts = [set(part) for part in made.subsets.values()]
    assert parts[0] < parts[1] < parts[2]
    assert [len(part) for part in parts] == [10, 40, 100]
    flags = {row.case: row.tumour for row in rows}
    assert [sum(flags[case] for case in part) for part in parts] == [2, 8, 20]


def test_a_subset_never_divides_a_patient():
    rows = [ManifestRow(f"c{n}", f"p{n // 3}") for n in range(30)]
    (part,) = split_rows(rows, subsets=[10]).subsets.values()
    assert len(part) == 9
    assert len({int(case[1:]) // 3 for case in part}) == 3


def test_a_subset_holds_no_test_case():
    rows = [ManifestRow(f"c{n}", f"p{n}", subset="test" if n < 5 else "train") for n in range(20)]
    made = split_rows(rows, subsets=[15])
    assert not set(made.subsets[15]) & set(made.test)


@pytest.mark.parametrize("size", [0, 16])
def test_a_subset_that_can_not_be_is_refused(size):
    rows = [ManifestRow(f"c{n}", f"p{n}") for n in range(15)]
    with pytest.raises(ConfigError, match=rf"A subset of {size} can't be made of 15 cases"):
        split_rows(rows, subsets=[size])


def test_folds_hold_every_phase_in_proportion():
    phases = ["venous"] * 40 + ["arterial"] * 20 + ["delayed"] * 5
    rows = [ManifestRow(f"c{n}", f"p{n}", phase=phase) for n, phase in enumerate(phases)]
    of = {row.case: row.phase for row in rows}
    for fold in split_rows(rows, stratify=["phase"]).folds:
        assert Counter(of[case] for case in fold.validation) == {"venous": 8, "arterial": 4, "delayed": 1}


def test_subsets_are_read_as_they_were_written(tmp_path):
    (tmp_path / "ImageTr").mkdir()
    for n in range(6):
        (tmp_path / "ImageTr" / f"c{n}").mkdir()
    made = split(SplitSettings(tmp_path, folds=2, subsets=(2, 4)))
    assert read_split(tmp_path) == made
    not_catalogued = "Not looked for: scans that are there twice. Run wirsung catalog first, then this again."
    assert made.lines()[1:] == ["Subset of 2: 2 cases.", "Subset of 4: 4 cases.", not_catalogued]
