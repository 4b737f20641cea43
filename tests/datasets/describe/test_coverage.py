from dataclasses import replace

from wirsung.datasets.contents import contents_of
from wirsung.datasets.describe.coverage import Coverage, coverage, mostly_annotated


def test_present_empty_and_not_annotated_are_told_apart(contents):
    found = coverage(contents)
    assert found == {
        "liver": Coverage(15, 0, 0),
        "pancreas": Coverage(15, 0, 0),
        "pancreatic_lesion": Coverage(5, 10, 0),
        # dataset.toml calls it annotated and no case has a mask of it: somebody looked.
        "spleen": Coverage(0, 15, 0),
    }
    # In official order, the lesion last.
    assert list(found) == ["liver", "pancreas", "spleen", "pancreatic_lesion"]


def test_a_case_with_a_list_of_its_own_has_just_what_it_lists(small_dataset):
    root = small_dataset(cases=2, annotated=("spleen",))
    (root / "LabelTr" / "small-01" / "drawn.json").write_text('{"schema": 1, "annotated": []}')
    assert coverage(contents_of(root))["spleen"] == Coverage(0, 1, 1)


def test_what_some_cases_lack_is_not_annotated_there(small_dataset):
    root = small_dataset(cases=2)
    (root / "manifest.parquet").unlink()
    (root / "LabelTr" / "small-00" / "segmentations" / "liver.nii.gz").unlink()
    found = coverage(contents_of(root))
    assert (found["liver"].not_annotated, found["pancreas"].not_annotated) == (1, 0)


def test_without_measurements_a_mask_counts_as_present(contents):
    assert coverage(replace(contents, structures=None))["pancreatic_lesion"] == Coverage(15, 0, 0)


def test_of_a_table_alone_nothing_is_told(contents):
    assert coverage(replace(contents, dataset=None)) == {}


def test_a_structure_counts_as_annotated_from_half_of_the_cases_on():
    found = {"a": Coverage(1, 0, 1), "b": Coverage(1, 0, 2), "c": Coverage(0, 3, 0)}
    assert mostly_annotated(found) == {"a", "c"}
    assert found["b"].fraction == 1 / 3
