"""Protocols across modalities and centres, against what a reader can count by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirsung.datasets.manifest import ManifestRow, write_manifest
from wirsung.datasets.split_check import check_split
from wirsung.datasets.split_protocols import by_centre, of_modalities
from wirsung.datasets.splits import Split, SplitSettings, read_split, split, split_rows
from wirsung.errors import ConfigError, ManifestError


def cohort():
    """CTs of six patients; of six others T1 and T2 of p7 to p10, T1 of p11, T2 of p12; three centres."""
    rows = [ManifestRow(f"ct-{n}", f"p{n}", centre="abc"[n % 3], modality="ct") for n in range(1, 7)]
    rows += [ManifestRow(f"t1-{n}", f"p{n}", centre="abc"[n % 3], modality="t1") for n in (7, 8, 9, 10, 11)]
    rows += [ManifestRow(f"t2-{n}", f"p{n}", centre="abc"[n % 3], modality="t2") for n in (7, 8, 9, 10, 12)]
    return rows


def a_dataset(root, rows):
    for row in rows:
        folder = root / ("ImageTe" if row.subset == "test" else "ImageTr") / row.case
        folder.mkdir(parents=True)
        (folder / f"{row.modality}.nii.gz").touch()
    write_manifest(root, rows)
    return root


def learnt(made):
    return sorted(case for fold in made.folds for case in fold.validation)


@pytest.fixture
def dataset(tmp_path):
    return a_dataset(tmp_path / "dataset", cohort())


def test_ct_to_mri_learns_from_all_ct_and_tests_on_all_mri(dataset):
    made = split(SplitSettings(dataset, train_modality=("ct",), test_modality=("t1", "t2"), folds=2))
    assert learnt(made) == [f"ct-{n}" for n in range(1, 7)]
    assert made.test == tuple(sorted(row.case for row in cohort() if row.modality != "ct"))
    assert made.left_out == ()
    assert read_split(dataset) == made
    assert made.lines()[1:3] == ["Learnt from: ct.", "Tested on: t1, t2."]


def test_t1_to_t2_tests_every_patient_with_t2_and_never_learns_from_their_t1(dataset):
    made = split(SplitSettings(dataset, test_modality=("t2",), folds=2))
    assert made.test == ("t2-10", "t2-12", "t2-7", "t2-8", "t2-9")
    # The T1 of p7 to p10 are of test patients; p11 has no T2.
    assert made.left_out == ("t1-10", "t1-7", "t1-8", "t1-9")
    assert learnt(made) == [f"ct-{n}" for n in range(1, 7)] + ["t1-11"]
    assert "4 cases are on no side, for their modality" in " ".join(made.lines())


def test_a_drawn_test_is_the_same_patients_whatever_is_learnt_from(dataset):
    """So that the rows of a table of modality against modality are paired."""
    tests = set()
    for modality in ("ct", "t1", "t2"):
        made = split(SplitSettings(dataset, test_fraction=0.5, train_modality=(modality,), folds=2, seed=3))
        assert all(case.startswith(modality) for case in learnt(made))
        tests.add(made.test)
    assert len(tests) == 1
    joint = split(SplitSettings(dataset, test_fraction=0.5, folds=2, seed=3))
    assert {joint.test} == tests
    patient = {row.case: row.patient for row in cohort()}
    assert len({patient[case] for case in joint.test}) == 6


def test_a_drawn_test_can_be_of_one_modality(dataset):
    made = split(
        SplitSettings(dataset, test_fraction=0.5, train_modality=("t1",), test_modality=("t2",), folds=2)
    )
    patient = {row.case: row.patient for row in cohort()}
    assert all(case.startswith("t2") for case in made.test)
    assert not {patient[case] for case in made.test} & {patient[case] for case in learnt(made)}
    every = [*made.test, *learnt(made), *made.left_out]
    assert sorted(every) == sorted(patient)


def test_a_held_out_centre_can_be_tested_on_one_modality(dataset):
    made = split(SplitSettings(dataset, test_centre=("a",), test_modality=("t1",), folds=2))
    # Centre a has p3, p6 (CT), p9 (both) and p12 (T2).
    assert made.test == ("t1-9",)
    assert made.left_out == ("ct-3", "ct-6", "t2-12", "t2-9")


def test_the_check_knows_what_was_left_out(dataset):
    made = split(
        SplitSettings(dataset, train_modality=("t1",), test_modality=("t2",), test_fraction=0.5, folds=2)
    )
    outcomes = check_split(made, cohort(), None).outcomes
    assert {item.status for item in outcomes} == {"done"}


def test_a_patient_whose_scans_a_release_puts_on_two_sides_is_still_refused(tmp_path):
    rows = [ManifestRow("a", "p1", modality="t1"), ManifestRow("b", "p1", modality="t2", subset="test")]
    rows += [ManifestRow(f"c{n}", f"q{n}", modality="t1") for n in range(3)]
    root = a_dataset(tmp_path, rows)
    with pytest.raises(ManifestError, match="Patient p1 would be on two sides"):
        split(SplitSettings(root, train_modality=("t1",), test_modality=("t2",), folds=2))


def test_nobody_left_to_learn_from_says_what_to_do():
    rows = [ManifestRow(f"{m}-{n}", f"p{n}", modality=m) for n in range(4) for m in ("t1", "t2")]
    with pytest.raises(ConfigError, match=r"No patient with a scan of t1 is left.*--test-fraction 0\.2"):
        of_modalities(rows, (), ["t1"], ["t2"])
    with pytest.raises(ConfigError, match="No patient with a scan is left"):
        of_modalities(rows, (), [], ["t1", "t2"])


def test_a_test_without_the_modality_is_refused():
    rows = [ManifestRow("a", "p", modality="ct", subset="test"), ManifestRow("b", "q", modality="t1")]
    with pytest.raises(ConfigError, match="No test patient has a scan of t1"):
        of_modalities(rows, (), [], ["t1"])


def test_a_modality_without_a_case_is_refused_with_those_that_are_there(dataset):
    with pytest.raises(ConfigError, match=r"No case is of modality 'mr'\. .*ct, t1, t2"):
        split(SplitSettings(dataset, train_modality=("mr",)))


def test_without_modalities_nothing_changes():
    rows = cohort()
    assert of_modalities(rows, (), [], []) == (tuple(rows), ())
    only_tests = [ManifestRow("a", "p", subset="test")]
    assert of_modalities(only_tests, (), [], []) == (tuple(only_tests), ())


PATIENTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sets(st.sampled_from(["ct", "t1", "t2"]), min_size=1)),
    min_size=3,
    max_size=25,
)
SOME = st.sets(st.sampled_from(["ct", "t1", "t2"]))


@settings(deadline=None)
@given(patients=PATIENTS, learn=SOME, test=SOME)
def test_no_patient_is_learnt_from_and_tested_with_another_modality(patients, learn, test):
    rows = [
        ManifestRow(f"{modality}-{n}", f"p{n}", centre=centre, modality=modality)
        for n, (centre, modalities) in enumerate(patients)
        for modality in modalities
    ]
    try:
        kept, left_out = of_modalities(rows, (), sorted(learn), sorted(test))
    except ConfigError:
        return
    made = split_rows(kept, folds=2) if len({r.patient for r in kept if r.subset != "test"}) > 1 else None
    if made is None:
        return
    of = {row.case: row for row in rows}
    assert sorted([*made.test, *learnt(made), *left_out]) == sorted(of)
    assert not {of[case].patient for case in made.test} & {of[case].patient for case in learnt(made)}
    assert {of[case].modality for case in learnt(made)} <= (learn or {"ct", "t1", "t2"})
    assert {of[case].modality for case in made.test} <= test
    assert bool(made.test) == bool(test)


def test_each_centre_is_left_out_in_turn(dataset):
    made = split(SplitSettings(dataset, folds="centre"))
    assert made.fold_centres == ("a", "b", "c")
    centre = {row.case: row.centre for row in cohort()}
    for name, fold in zip(made.fold_centres, made.folds, strict=True):
        assert {centre[case] for case in fold.validation} == {name}
        assert name not in {centre[case] for case in fold.train}
        assert sorted([*fold.train, *fold.validation]) == sorted(centre)
    # a: p3, p6, p9 twice, p12; b: p1, p4, p7 and p10 twice; c: p2, p5, p8 twice, p11.
    assert made.lines()[0] == "3 folds of 5 (a), 6 (b), 5 (c) cases; 0 test cases."
    assert read_split(dataset) == made


def test_centres_are_left_out_beside_a_centre_that_is_tested_on(dataset):
    made = split(SplitSettings(dataset, folds="centre", test_centre=("b",)))
    assert isinstance(made, Split)
    assert made.fold_centres == ("a", "c")
    assert len(made.test) == 6


def test_a_case_of_no_centre_can_not_be_left_out():
    rows = [ManifestRow(f"c{n}", f"p{n}") for n in range(5)] + [ManifestRow("d", "q", centre="x")]
    with pytest.raises(ManifestError, match="The centre of c0, c1, c2 and 2 more is not known"):
        split_rows(rows, folds="centre")


def test_a_patient_of_two_centres_can_not_be_left_out():
    rows = [ManifestRow("a", "p", centre="x"), ManifestRow("b", "p", centre="y")]
    with pytest.raises(ManifestError, match="Patient p has scans of the centres x and y"):
        by_centre(rows)


def test_one_centre_can_not_be_left_out():
    with pytest.raises(ConfigError, match="of one centre, x,"):
        by_centre([ManifestRow("a", "p", centre="x"), ManifestRow("b", "q", centre="x")])
