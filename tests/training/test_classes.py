"""What a network learns."""

import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.layout import Dataset
from wirsung.errors import LabelError
from wirsung.training.classes import choose_classes


def _cases(root):
    return Dataset.open(root).cases


def test_classes_without_a_mask_anywhere_are_not_learnt(shared_dataset):
    chosen = choose_classes(scheme("demo-7"), _cases(shared_dataset))
    assert chosen.labels == {"background": 0, "liver": 1, "spleen": 2, "pancreas": 3}
    np.testing.assert_array_equal(chosen.indices(np.array([0, 1, 2, 3, 6, 7])), [0, 1, 2, 0, 3, 0])
    assert not chosen.name_sides


def test_sides_are_noticed(tmp_path, patient):
    patient(tmp_path, "p0", 0, organs={"kidney_left": ((9, 9, 9), (4, 4, 4), 150)})
    assert choose_classes(scheme("demo-7"), _cases(tmp_path)).name_sides


def test_a_case_without_masks_is_named(tmp_path, patient):
    patient(tmp_path, "p0", 0)
    patient(tmp_path, "p1", 1, organs={})
    with pytest.raises(LabelError, match="p1: no masks"):
        choose_classes(scheme("demo-7"), _cases(tmp_path))


def test_a_case_that_lacks_a_mask_that_others_have_is_named(tmp_path, patient):
    patient(tmp_path, "p0", 0)
    patient(tmp_path, "p1", 1, organs={"liver": ((9, 14, 14), (7, 9, 8), 110)})
    with pytest.raises(LabelError, match="p1: no mask of pancreas, which others have"):
        choose_classes(scheme("demo-7"), _cases(tmp_path))


def test_a_scheme_that_fits_no_mask_is_refused(tmp_path, patient):
    patient(tmp_path, "p0", 0, organs={"liver": ((9, 14, 14), (7, 9, 8), 110)})
    with pytest.raises(LabelError, match="Choose another --scheme"):
        choose_classes(scheme("msd-pancreas"), _cases(tmp_path))
