import json

import pytest

from wirsung.datasets.contents import contents_of
from wirsung.datasets.exports.plan import cohort_of, numbered_folder, told_classes
from wirsung.datasets.exports.settings import ExportSettings
from wirsung.datasets.layout import Dataset
from wirsung.errors import ConfigError


@pytest.fixture
def cohort(tmp_path):
    def make(root, **settings):
        found = ExportSettings("nnunet", root, tmp_path / "out", **settings)
        return cohort_of(contents_of(root), Dataset.open(root), found), found

    return make


def test_the_split_says_who_is_tested_before_the_folders_do(small_dataset, cohort):
    root = small_dataset(cases=8)
    (root / "ImageTr/small-07").rename((root / "ImageTe").mkdir() or root / "ImageTe/small-07")
    found, _ = cohort(root)
    assert [case.id for case in found.cases if found.is_test(case)] == ["small-07"]
    (root / "ImageTe/small-07").rename(root / "ImageTr/small-07")
    content = {"schema": 1, "seed": 0, "test_centres": [], "test": ["small-00"], "folds": []}
    (root / "splits.json").write_text(json.dumps(content))
    found, _ = cohort(root)
    assert [case.id for case in found.cases if found.is_test(case)] == ["small-00"]


def test_several_modalities_want_a_choice(small_dataset, cohort):
    root = small_dataset(cases=2)
    (root / "ImageTr/small-01/ct.nii.gz").rename(root / "ImageTr/small-01/t1.nii.gz")
    with pytest.raises(
        ConfigError, match="The dataset holds ct and t1. Choose one with --modality".replace(".", r"\.")
    ):
        _ = cohort(root)[0].modality
    found, _ = cohort(root, modality="t1")
    assert found.modality == "t1"
    assert [case.id for case in found.cases] == ["small-01"]
    with pytest.raises(ConfigError, match="has no case of modality t2"):
        cohort(root, modality="t2")


def test_a_folder_is_numbered_and_named(small_dataset, cohort, tmp_path):
    found, settings = cohort(small_dataset(cases=1, name="My set 2"), id=7)
    assert numbered_folder(settings, found, "Dataset", 3) == tmp_path / "out" / "Dataset007_Myset2"
    assert numbered_folder(settings, found, "Task", 2) == tmp_path / "out" / "Task07_Myset2"


def test_a_folder_that_is_numbered_already_is_taken_as_it_is(small_dataset, cohort, tmp_path):
    found, _ = cohort(small_dataset(cases=1))
    settings = ExportSettings("nnunet", tmp_path, tmp_path / "Dataset123_Own")
    assert numbered_folder(settings, found, "Dataset", 3) == settings.out


@pytest.mark.parametrize("wrong", [{"id": 0}, {"id": 1000}, {"name": "(-)"}])
def test_a_number_or_name_that_nnunet_refuses_is_refused(small_dataset, cohort, wrong):
    found, settings = cohort(small_dataset(cases=1), **wrong)
    with pytest.raises(ConfigError, match="Choose another --id or --name"):
        numbered_folder(settings, found, "Dataset", 3)


def test_what_a_scheme_loses_is_told(small_dataset, cohort):
    root = small_dataset(cases=1)
    found, _ = cohort(root, scheme="demo-7")
    told = " ".join(told_classes(found))
    assert "3 of demo-7" in told
    assert "nobody drew them: spleen, kidney_left, kidney_right, aorta." in told
    assert "not those of demo-7" in told
    assert "Of pancreas the label maps hold what is in no part of it" in told
    assert len(told_classes(cohort(root, scheme="pancreas")[0])) == 1
