"""Resampling of label maps: to the last voxel what nnU-Net's own functions make, ties included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from wirsung.models.label_resampling import resample_labels
from wirsung.models.plans import Resampling
from wirsung.models.resampling import coarse_axis

GRIDS = [
    ((12, 30, 26), (25, 22, 31), (5.0, 0.8, 0.9), (2.5, 1.1, 0.75)),
    ((28, 11, 26), (20, 30, 31), (0.8, 5.0, 0.8), (1.1, 1.8, 0.7)),
    ((28, 26, 11), (20, 31, 30), (0.8, 0.8, 5.0), (1.1, 0.7, 1.8)),
    ((20, 21, 22), (25, 22, 31), (2.0, 1.5, 1.5), (1.6, 1.43, 1.06)),
    ((20, 21, 12), (25, 22, 12), (1.0, 1.0, 4.0), (0.8, 0.95, 4.0)),
    ((20, 20, 20), (10, 40, 20), (1.0, 1.0, 1.0), (2.0, 0.5, 1.0)),
]


def _blobs(shape, seed=2):
    random = np.random.default_rng(seed)
    return (ndimage.gaussian_filter(random.normal(size=shape), 2) * 40).astype(np.int16) % 5


def _noise(shape, seed=3):
    return np.random.default_rng(seed).integers(-1, 9, shape).astype(np.int16)


@pytest.mark.parametrize("made", [_blobs, _noise])
@pytest.mark.parametrize(("old", "new", "old_mm", "new_mm"), GRIDS)
def test_labels_equal_nnunets(made, old, new, old_mm, new_mm):
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape

    labels = made(old)
    expected = resample_data_or_seg_to_shape(
        labels[None], new, old_mm, new_mm, is_seg=True, order=1, order_z=0, force_separate_z=None
    )[0]
    coarse = coarse_axis(old_mm, new_mm, Resampling(1, None))
    np.testing.assert_array_equal(resample_labels(labels, new, coarse=coarse), expected)


@given(
    arrays(np.int16, st.tuples(*[st.integers(1, 5)] * 3), elements=st.integers(-1, 3)),
    st.tuples(*[st.integers(1, 9)] * 3),
)
def test_any_labels_equal_those_of_the_reference(labels, shape):
    from batchgenerators.augmentations.utils import resize_segmentation

    expected = resize_segmentation(labels, shape, order=1)
    np.testing.assert_array_equal(resample_labels(labels, shape), expected)


def test_a_tie_of_labels_goes_to_the_nearest_voxel():
    from batchgenerators.augmentations.utils import resize_segmentation

    labels = np.zeros((4, 4, 4), np.int16)
    labels[2:] = 3
    labels[:, :2] = 1
    for shape in ((8, 8, 8), (2, 2, 2), (4, 3, 6), (12, 4, 2)):
        expected = resize_segmentation(labels, shape, order=1)
        np.testing.assert_array_equal(resample_labels(labels, shape), expected)


def test_a_tie_that_the_nearest_voxel_has_no_part_in_goes_to_the_smallest_label():
    labels = np.array([3, 1, 1, 1, 2, 2, 2, 3], np.int16).reshape(2, 2, 2)
    assert resample_labels(labels, (1, 1, 1)).item() == 1


def test_order_0_takes_the_nearest_voxel():
    labels = _noise((4, 6, 5))
    expected = labels[np.ix_([1, 3], [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], range(5))]
    np.testing.assert_array_equal(resample_labels(labels, (2, 12, 5), order=0), expected)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64])
def test_the_type_and_an_unchanged_shape_stay(kind):
    labels = np.ones((3, 4, 5), kind)
    assert resample_labels(labels, (3, 4, 5)) is labels
    made = resample_labels(labels, (2, 5, 7))
    assert made.dtype == kind
    assert (made == 1).all()
