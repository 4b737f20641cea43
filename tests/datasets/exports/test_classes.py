import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.exports.classes import export_classes, is_drawn
from wirsung.datasets.layout import Dataset
from wirsung.errors import LabelError


def test_values_are_consecutive_whatever_the_scheme_has(small_dataset):
    cases = Dataset.open(small_dataset(cases=2)).cases
    found = export_classes(scheme("demo-7"), cases)
    assert found.labels == {"background": 0, "liver": 1, "pancreas": 2, "pancreatic_lesion": 3}
    assert found.left_out == ("spleen", "kidney_left", "kidney_right", "aorta")
    assert found.is_renumbered
    assert not export_classes(scheme("msd-pancreas"), cases).is_renumbered


def test_a_label_map_holds_what_was_drawn(small_dataset):
    cases = Dataset.open(small_dataset(cases=2)).cases
    labels = export_classes(scheme("demo-7"), cases).label_map(cases[0]).voxels
    assert labels.dtype == np.uint8
    # 4 x 4 x 3 and 1 voxels of liver; 3 x 2 x 2 of pancreas, of which 2 are lesion.
    assert np.bincount(labels.ravel())[1:].tolist() == [48, 10, 2]
    assert labels[7, 5, 3] == 3
    assert labels[6, 5, 3] == 2


def test_a_case_that_lacks_a_class_is_refused_and_its_class_named(small_dataset):
    root = small_dataset(cases=2)
    (root / "LabelTr/small-01/segmentations/liver.nii.gz").unlink()
    cases = Dataset.open(root).cases
    found = export_classes(scheme("demo-7"), cases)
    assert found.missing_in(cases[0]) == ()
    with pytest.raises(LabelError, match="case small-01 has no mask of liver, which others have"):
        found.label_map(cases[1])


def test_a_class_of_several_structures_needs_them_all(small_dataset):
    arteries = scheme("panorama-6").classes[2]
    assert arteries.structures == ("aorta", "celiac_artery", "superior_mesenteric_artery")
    assert is_drawn(arteries, arteries.structures)
    assert not is_drawn(arteries, arteries.structures[:2])
    assert is_drawn(arteries, ["arteries"])


def test_a_whole_may_be_drawn_by_its_parts_but_not_a_part_by_its_whole():
    whole, head = scheme("pants-28").classes[16], scheme("pants-28").classes[18]
    assert (whole.name, head.name) == ("pancreas", "pancreas_head")
    assert is_drawn(whole, ["pancreas_head"])
    assert not is_drawn(head, ["pancreas"])


def test_a_scheme_that_nobody_drew_is_refused(small_dataset):
    root = small_dataset(cases=1)
    for name in ("pancreas", "pancreatic_lesion"):
        (root / f"LabelTr/small-00/segmentations/{name}.nii.gz").unlink()
    with pytest.raises(LabelError, match=r"No case has masks that make a class of pants-2\."):
        export_classes(scheme("pants-2"), Dataset.open(root).cases)
    (root / "LabelTr").rename(root / "elsewhere")
    with pytest.raises(LabelError, match=r"No case has labels\."):
        export_classes(scheme("pants-2"), Dataset.open(root).cases)
