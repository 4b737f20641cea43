import pytest

from wirsung.datasets.layout import Dataset
from wirsung.datasets.manifest import manifest_rows
from wirsung.datasets.splits import SplitSettings, split
from wirsung.errors import ConfigError, ManifestError
from wirsung.training.experiments.definition import Arm, CaseSet, DataSource, Experiment
from wirsung.training.experiments.sets import Cohorts, content_of, make_view, tumours_of


def cases(count, prefix="c"):
    return [
        (f"{prefix}{number:02}", f"p{number:02}", f"centre-{number % 3 + 1}", number % 2 == 0)
        for number in range(count)
    ]


def experiment(sets, data=("a",), *, real=False):
    source = DataSource() if real else DataSource(phantom={})
    return Experiment("e", "E", "", "", 1, (), dict.fromkeys(data, source), sets, {}, (), ())


@pytest.fixture
def cohort(make_dataset, tmp_path):
    """Twelve cases of three centres; the last centre tests."""
    root = make_dataset("a", cases(12))
    split(SplitSettings(root, test_centre=("centre-3",), folds=2))

    def opened(**sets):
        return Cohorts(
            experiment({name: CaseSet("a", **rule) for name, rule in sets.items()}), tmp_path / "data"
        )

    return opened


def ids(members):
    return [member.case.id for member in members]


def test_sides_follow_the_split(cohort):
    found = cohort(learn={}, test={"side": "test"}, every={"side": "all"})
    assert ids(found.members("test", 0)) == ["c02", "c05", "c08", "c11"]
    assert len(found.members("learn", 0)) == 8
    assert len(found.members("every", 0)) == 12


def test_centres_are_kept_or_left_out(cohort):
    found = cohort(one={"centres": ("centre-1",)}, rest={"side": "all", "without": ("centre-1",)})
    assert ids(found.members("one", 0)) == ["c00", "c03", "c06", "c09"]
    assert len(found.members("rest", 0)) == 8


def test_subsets_of_a_seed_lie_within_each_other_and_keep_the_share_of_tumours(cohort):
    found = cohort(few={"subset": 2}, more={"subset": 6})
    drawn = set()
    for seed in range(5):
        few, more = (ids(found.members(name, seed)) for name in ("few", "more"))
        assert set(few) < set(more)
        assert tumours_of(found.members("more", seed)) == 3
        drawn.add(tuple(few))
    assert len(drawn) > 1


def test_a_subset_larger_than_what_is_there_is_an_error(cohort):
    with pytest.raises(ConfigError, match=r"sets.big is to be a subset of 9 cases, but only 8"):
        cohort(big={"subset": 9}).members("big", 0)


def test_an_unknown_centre_is_an_error(cohort):
    with pytest.raises(ConfigError, match=r"sets.odd: no case of a is of centre 'centre-4'. Did you mean"):
        cohort(odd={"centres": ("centre-4",)}).members("odd", 0)


def test_an_empty_set_is_an_error(cohort):
    with pytest.raises(ConfigError, match=r"sets.none has no case"):
        cohort(none={"side": "test", "without": ("centre-3",)}).members("none", 0)


def test_what_is_tested_is_not_learnt_from(cohort):
    found = cohort(every={"side": "all"}, test={"side": "test"})
    with pytest.raises(ConfigError, match=r"Case c02 of a would be learnt from and tested"):
        found.learnt(Arm("A", ("every",), ("test",)), 0)


def test_a_patient_who_is_tested_in_one_dataset_is_learnt_from_in_none(make_dataset, tmp_path):
    for name, centre in (("a", "centre-3"), ("b", "centre-1")):
        split(SplitSettings(make_dataset(name, cases(12, name)), test_centre=(centre,), folds=2))
    sets = {"one": CaseSet("a"), "two": CaseSet("b"), "test": CaseSet("a", "test")}
    found = Cohorts(experiment(sets, ("a", "b"), real=True), tmp_path / "data")
    learnt = found.learnt(Arm("A", ("one", "two"), ("test",)), 0)
    assert {member.row.patient for member in learnt} == {"p01", "p04", "p07", "p10"}
    assert len(learnt) == 8


def test_without_a_split_the_release_tells_the_sides(make_dataset, tmp_path):
    make_dataset("a", cases(3))
    found = Cohorts(experiment({"learn": CaseSet("a")}), tmp_path / "data")
    assert len(found.members("learn", 0)) == 3


def test_a_view_is_a_dataset_by_links(cohort, tmp_path):
    members = cohort(one={"centres": ("centre-1",)}).members("one", 0)
    root = make_view(tmp_path / "view", members, tmp_path / "data")
    dataset = Dataset.open(root)
    assert [case.id for case in dataset.cases] == ["c00", "c03", "c06", "c09"]
    assert dataset.case("c00").structure_names() == ("pancreas",)
    assert [row.centre for row in manifest_rows(dataset)] == ["centre-1"] * 4
    assert (root / "ImageTr" / "c00").is_symlink()


def test_a_view_that_is_there_is_kept_and_another_takes_its_place(cohort, tmp_path):
    found = cohort(one={"centres": ("centre-1",)}, test={"side": "test"})
    root = make_view(tmp_path / "view", found.members("one", 0), tmp_path / "data")
    (root / "mark").touch()
    make_view(root, found.members("one", 0), tmp_path / "data")
    assert (root / "mark").exists()
    make_view(root, found.members("test", 0), tmp_path / "data")
    assert not (root / "mark").exists()
    assert [case.id for case in Dataset.open(root).cases] == ["c02", "c05", "c08", "c11"]


def test_the_content_changes_with_the_images(make_dataset, tmp_path):
    root = make_dataset("a", cases(2))
    sets = {"a": CaseSet("a")}
    before = content_of(Cohorts(experiment(sets), tmp_path / "data").members("a", 0))
    assert before == content_of(Cohorts(experiment(sets), tmp_path / "data").members("a", 0))
    (root / "ImageTr" / "c01" / "ct.nii.gz").write_bytes(b"other")
    assert before != content_of(Cohorts(experiment(sets), tmp_path / "data").members("a", 0))


def test_cases_of_several_datasets_are_named_for_theirs(make_dataset, tmp_path):
    for name in ("a", "b"):
        make_dataset(name, cases(2))
    found = Cohorts(experiment({"a": CaseSet("a"), "b": CaseSet("b")}, ("a", "b")), tmp_path / "data")
    members = found.learnt(Arm("A", ("a", "b"), ()), 0)
    root = make_view(tmp_path / "view", members, tmp_path / "data")
    assert [case.id for case in Dataset.open(root).cases] == ["a-c00", "a-c01", "b-c00", "b-c01"]


def test_labels_that_are_read_in_two_ways_make_no_view(make_dataset, tmp_path):
    for name in ("a", "b"):
        make_dataset(name, cases(2))
    text = (tmp_path / "data" / "b" / "dataset.toml").read_text()
    (tmp_path / "data" / "b" / "dataset.toml").write_text(text + 'label_scheme = "panseg"\n')
    found = Cohorts(experiment({"a": CaseSet("a"), "b": CaseSet("b")}, ("a", "b")), tmp_path / "data")
    with pytest.raises(ManifestError, match="a and b read their labels in different ways"):
        make_view(tmp_path / "view", found.learnt(Arm("A", ("a", "b"), ()), 0), tmp_path / "data")


def test_tumours_are_counted_only_where_all_are_known(cohort):
    members = cohort(learn={}).members("learn", 0)
    assert tumours_of(members) == sum(bool(member.row.tumour) for member in members)
