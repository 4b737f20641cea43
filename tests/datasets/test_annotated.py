from wirsung.datasets.annotated import annotated_structures
from wirsung.datasets.description import Description, write_description
from wirsung.datasets.foreign_labels import write_drawn
from wirsung.datasets.layout import Dataset


def _case(root, case, *masks):
    (root / "ImageTr" / case).mkdir(parents=True)
    for name in masks:
        path = root / "LabelTr" / case / "segmentations" / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_without_a_list_a_case_has_what_it_has_masks_of(tmp_path):
    _case(tmp_path, "a", "liver")
    _case(tmp_path, "b")
    assert annotated_structures(Dataset.open(tmp_path)) == {"a": {"liver"}, "b": frozenset()}


def test_what_the_dataset_calls_annotated_was_drawn_in_each_labelled_case(tmp_path):
    write_description(tmp_path, Description("x", annotated=("liver", "spleen")))
    _case(tmp_path, "a", "liver", "veins")
    _case(tmp_path, "b")
    found = annotated_structures(Dataset.open(tmp_path))
    assert found == {"a": {"liver", "spleen", "veins"}, "b": frozenset()}


def test_the_list_of_a_case_counts_before_that_of_its_dataset(tmp_path):
    write_description(tmp_path, Description("x", annotated=("liver", "spleen")))
    _case(tmp_path, "a", "liver")
    write_drawn(tmp_path / "LabelTr/a", ["liver"])
    assert annotated_structures(Dataset.open(tmp_path)) == {"a": {"liver"}}
