from dataclasses import replace
from pathlib import Path

import pytest

from wirsung.datasets.layout import Dataset
from wirsung.datasets.leaks import has_fingerprints
from wirsung.datasets.splits import SPLIT_FILE, read_split
from wirsung.errors import ConfigError, ManifestError
from wirsung.training.experiments.cohorts import check_paths, make_data
from wirsung.training.experiments.definition import CaseSet, DataSource, Experiment
from wirsung.training.experiments.sets import Cohorts


def experiment(**data):
    return Experiment("e", "E", "", "", 1, (), data, {}, {}, (), ())


def test_data_that_are_not_named_are_an_error():
    with pytest.raises(ConfigError, match=r"e: data.a is missing: the unpacked pants, or a dataset of it"):
        check_paths(experiment(a=DataSource(source="pants")), {})


def test_a_folder_for_data_that_are_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"the experiment has no such data. It takes a"):
        check_paths(experiment(a=DataSource()), {"a": tmp_path, "b": tmp_path})
    with pytest.raises(ConfigError, match="At this size it takes none"):
        check_paths(experiment(a=DataSource(phantom={})), {"a": tmp_path})


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="there is no such folder"):
        check_paths(experiment(a=DataSource()), {"a": tmp_path / "none"})


def test_a_folder_that_is_no_dataset_needs_a_source(tmp_path):
    (tmp_path / "raw").mkdir()
    with pytest.raises(ConfigError, match="is no dataset"):
        make_data(experiment(a=DataSource()), tmp_path / "out", {"a": tmp_path / "raw"}, 1)


@pytest.fixture
def phantoms(tmp_path):
    source = DataSource(phantom={"cases": 4, "centres": 2}, split={"test_centre": ["centre-2"], "folds": 2})
    make_data(experiment(a=source), tmp_path / "made", {}, 1)
    return tmp_path / "made" / "a"


def test_a_dataset_is_linked_and_split_apart_from_its_own_folder(phantoms, tmp_path):
    assert len(read_split(phantoms).test) == 2
    before = (phantoms / SPLIT_FILE).read_text()
    linked = DataSource(split={"test_fraction": 0.25, "folds": 2})
    for _ in range(2):
        make_data(experiment(b=linked), tmp_path / "out", {"b": phantoms}, 1)
    root = tmp_path / "out" / "b"
    assert len(Dataset.open(root).cases) == 4
    assert len(read_split(root).test) == 1
    assert (phantoms / SPLIT_FILE).read_text() == before
    assert not (root / SPLIT_FILE).is_symlink()


def test_a_case_that_can_not_be_made_is_named(phantoms, tmp_path):
    image = next(Path(phantoms / "ImageTr").iterdir()) / "ct.nii.gz"
    image.write_bytes(b"no image")
    with pytest.raises(ManifestError, match=f"catalog, case {image.parent.name}"):
        make_data(experiment(b=DataSource()), tmp_path / "out", {"b": phantoms}, 1)


def test_an_unpacked_source_is_imported_and_cases_without_labels_are_in_no_set(imported, tmp_path):
    imported("msd-pancreas")
    sets = {"learn": CaseSet("m"), "test": CaseSet("m", "test")}
    made = replace(experiment(m=DataSource(source="msd-pancreas")), sets=sets)
    make_data(made, tmp_path / "out", {"m": tmp_path / "raw"}, 1)
    dataset = Dataset.open(tmp_path / "out" / "m")
    assert dataset.description.source == "msd-pancreas"
    assert has_fingerprints(dataset.root)
    assert [case.subset for case in dataset.cases] == ["train", "test"]
    cohorts = Cohorts(made, tmp_path / "out")
    assert len(cohorts.members("learn", 0)) == 1
    with pytest.raises(ConfigError, match=r"sets.test has no case"):
        cohorts.members("test", 0)
