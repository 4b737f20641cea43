"""Reading training cases."""

import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.layout import Dataset
from wirsung.errors import GeometryError
from wirsung.imaging.nifti import read_mask, write_nifti
from wirsung.imaging.volume import Volume
from wirsung.training.classes import choose_classes
from wirsung.training.reading import read_case, state_of


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAL"])
def test_a_case_reads_the_same_in_any_orientation(tmp_path, patient, codes):
    patient(tmp_path, "p0", 3)
    patient(tmp_path, "p1", 3, codes=codes)
    one, other = Dataset.open(tmp_path).cases
    classes = choose_classes(scheme("demo-7"), (one, other))
    first, second = read_case(one, classes), read_case(other, classes)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.spacing_mm == pytest.approx((5.0, 4.0, 4.0))
    assert first.image.shape == (1, 24, 28, 32)


def test_masks_on_another_grid_are_refused(tmp_path, patient):
    patient(tmp_path, "p0", 0, organs={"liver": ((9, 14, 14), (7, 9, 8), 110)})
    path = tmp_path / "LabelTr" / "p0" / "segmentations" / "liver.nii.gz"
    mask = read_mask(path)
    write_nifti(path, Volume(mask.voxels, mask.affine @ np.diag([1.1, 1, 1, 1])))
    cases = Dataset.open(tmp_path).cases
    with pytest.raises(GeometryError, match="p0"):
        read_case(cases[0], choose_classes(scheme("demo-7"), cases))


def test_the_state_changes_with_a_mask(tmp_path, patient):
    patient(tmp_path, "p0", 0)
    case = Dataset.open(tmp_path).cases[0]
    before = state_of(case)
    assert state_of(case) == before
    (tmp_path / "LabelTr" / "p0" / "segmentations" / "liver.nii.gz").unlink()
    assert state_of(case) != before


def test_a_label_map_is_read_in_the_scheme_that_is_learnt(imported):
    case = Dataset.open(imported("msd-pancreas")).case("pancreas_001")
    arrays = read_case(case, choose_classes(scheme("pants-2"), [case], {case.id: {*case.structure_names()}}))
    # (z, y, x) of an RPS volume: the file's first voxels lie along its own first axis, from left to right.
    assert sorted(arrays.labels[arrays.labels > 0].tolist()) == [1, 2]
    assert arrays.labels.shape == arrays.image.shape[1:] == (4, 4, 4)


def test_the_state_changes_with_a_label_map(imported):
    case = Dataset.open(imported("msd-pancreas")).case("pancreas_001")
    before = state_of(case)
    assert state_of(case) == before
    path = case.label_map_path.resolve()
    write_nifti(path, Volume(np.ones((4, 4, 4), np.uint8), np.eye(4)))
    assert state_of(case) != before
