import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.datasets.manifest import ManifestRow
from wirsung.datasets.split_sides import (
    drawn_for_test,
    groups_of,
    joined_patients,
    official_rows,
    settle_leaks,
)
from wirsung.datasets.splits import split_rows
from wirsung.errors import ConfigError, ManifestError


def rows(**subsets):
    return [ManifestRow(case, f"p-{case}", subset=subset) for case, subset in subsets.items()]


def test_pants_is_divided_by_its_range_of_ids_wherever_its_cases_lie():
    found = official_rows(
        [ManifestRow(f"PanTS_{n:08}", "p", subset="train") for n in range(1, 9902)], "pants"
    )
    tested = [row.case for row in found if row.subset == "test"]
    assert len(tested) == 901
    assert (tested[0], tested[-1]) == ("PanTS_00009001", "PanTS_00009901")
    assert official_rows(rows(PanTS_00000007="test"), "pants")[0].subset == "train"


@pytest.mark.parametrize("case", ["pancreas_001", "PanTS_00009902", "PanTS_00000000", "PanTS_9001"])
def test_an_id_that_is_none_of_pants_has_no_official_side(case):
    with pytest.raises(ConfigError, match=f"Case {case} has no id of PanTS"):
        official_rows(rows(**{case: "train"}), "pants")


def test_folders_without_a_test_tell_no_official_split():
    assert [row.subset for row in official_rows(rows(a="train", b="test"), "subset")] == ["train", "test"]
    with pytest.raises(ConfigError, match="No case lies in ImageTe/"):
        official_rows(rows(a="train"), "subset")


def test_a_copy_of_a_test_scan_is_refused_by_name():
    with pytest.raises(ManifestError, match=r"1 scans of the test are there once more .*\(t and a\)"):
        settle_leaks(rows(a="train", b="train", t="test"), [("a", "t"), ("a", "b")], (), "refuse")


def test_a_copy_of_a_test_scan_is_left_out_with_all_its_own_copies():
    found, pairs, out = settle_leaks(
        rows(a="train", b="train", c="train", t="test"), [("a", "t"), ("a", "b")], (), "drop"
    )
    assert [row.case for row in found] == ["c", "t"]
    assert (pairs, out) == ((("a", "b"),), ("a", "b"))


def test_a_copy_of_a_test_scan_may_be_kept_and_is_then_not_joined():
    found, pairs, out = settle_leaks(
        rows(a="train", b="train", t="test"), [("a", "t"), ("a", "b")], (), "keep"
    )
    assert len(found) == 3
    assert (pairs, out) == ((("a", "b"),), ())


def test_a_held_out_centre_is_a_test_too():
    found = [ManifestRow("a", "p", centre="x"), ManifestRow("b", "q", centre="y")]
    with pytest.raises(ManifestError, match="b and a"):
        settle_leaks(found, [("a", "b")], ("y",), "refuse")


def test_patients_are_joined_along_chains():
    found = joined_patients(rows(a="train", b="train", c="train", d="train"), [("d", "b"), ("c", "d")])
    assert [row.patient for row in found] == ["p-a", "p-b", "p-b", "p-b"]
    assert groups_of(rows(a="train", b="train", c="train", d="train"), [("d", "b"), ("c", "d")]) == (
        ("b", "c", "d"),
    )


def test_two_scans_of_one_patient_that_are_one_make_no_group():
    found = [ManifestRow("a", "p"), ManifestRow("b", "p")]
    assert groups_of(found, [("a", "b")]) == ()


@given(
    count=st.integers(4, 30),
    pairs=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=10),
    fraction=st.sampled_from([0.0, 0.2, 0.5]),
    seed=st.integers(0, 99),
)
def test_no_two_copies_of_a_scan_are_on_two_sides(count, pairs, fraction, seed):
    made = [ManifestRow(f"c{n:02}", f"p{n // 2:02}", tumour=n % 3 == 0) for n in range(count)]
    same = [(f"c{a % count:02}", f"c{b % count:02}") for a, b in pairs if a % count != b % count]
    joined = joined_patients(made, same)
    if len({row.patient for row in joined}) < 5:
        return
    found = split_rows(drawn_for_test(joined, fraction, seed, ["tumour"]), folds=2, seed=seed)
    side = dict.fromkeys(found.test, "test")
    side |= {case: number for number, fold in enumerate(found.folds) for case in fold.validation}
    assert sorted(side) == [row.case for row in made]
    assert all(side[one] == side[other] for one, other in same)
    by_patient = {}
    for row in made:
        by_patient.setdefault(row.patient, set()).add(side[row.case])
    assert all(len(sides) == 1 for sides in by_patient.values())


def test_a_drawn_test_holds_every_stratum_in_proportion():
    made = [ManifestRow(f"c{n:03}", f"p{n:03}", tumour=n % 5 == 0) for n in range(100)]
    tested = [row for row in drawn_for_test(made, 0.2, 0, ["tumour"]) if row.subset == "test"]
    assert (len(tested), sum(row.tumour for row in tested)) == (20, 4)
    assert tested != [row for row in drawn_for_test(made, 0.2, 1, ["tumour"]) if row.subset == "test"]


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 0.01])
def test_a_fraction_that_draws_nobody_or_everybody_is_refused(fraction):
    with pytest.raises(ConfigError, match="is nobody or everybody"):
        drawn_for_test(rows(a="train", b="train", c="train"), fraction, 0, ["tumour"])
