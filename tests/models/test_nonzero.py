"""The nonzero region, against nnU-Net's and scipy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wirsung.models.nonzero import box_of, nonzero_region


@given(arrays(np.int8, st.tuples(st.integers(1, 2), *[st.integers(1, 6)] * 3), elements=st.integers(0, 1)))
def test_the_region_of_any_image_is_nnunets(image):
    from nnunetv2.preprocessing.cropping.cropping import create_nonzero_mask

    region = nonzero_region(image)
    expected = create_nonzero_mask(image)
    np.testing.assert_array_equal(np.ones(image.shape[1:], bool) if region is None else region, expected)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_the_region_of_a_winding_image_is_nnunets(share):
    from nnunetv2.preprocessing.cropping.cropping import crop_to_nonzero

    image = (np.random.default_rng(6).random((1, 30, 31, 32)) < share).astype(np.int16)
    image[:, :3] = image[:, :, :, -5:] = 0
    _, outside, box = crop_to_nonzero(image)
    region = nonzero_region(image)
    assert [list(bounds) for bounds in box_of(region)] == box
    np.testing.assert_array_equal(region[3:, :, :-5], outside[0] == 0)


def test_a_winding_corridor_of_zeros_is_followed_to_its_end():
    """A corridor that turns at every wall."""
    image = np.ones((1, 3, 41, 200), np.int16)
    image[0, 1, ::2] = 0
    image[0, 1, 1::4, -1] = image[0, 1, 3::4, 0] = 0
    image[0, 1, 20, 100] = 5
    image[0, 1, 40, 100:] = image[0, 1, 39] = 1
    region = nonzero_region(image)
    assert not (region & (image[0] == 0)).sum()
    assert region[1, 20, 100]


def test_more_runs_than_fit_at_first_are_kept():
    image = np.zeros((1, 2, 2, 9001), np.int16)
    image[0, :, :, 1::2] = 1
    image[0, 0, 0] = 0
    region = nonzero_region(image)
    np.testing.assert_array_equal(region, image[0] != 0)


def test_an_image_without_zeros_on_its_faces_is_whole():
    image = np.ones((1, 4, 5, 6))
    image[0, 1:3, 1:4, 1:5] = 0
    assert nonzero_region(image) is None


def test_an_image_of_nothing_has_no_region_but_a_box():
    region = nonzero_region(np.zeros((2, 3, 4, 5)))
    assert not region.any()
    assert box_of(region) == ((0, 3), (0, 4), (0, 5))
