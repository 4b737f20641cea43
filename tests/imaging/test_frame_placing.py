import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.imaging.frame_placing import place_of
from wirsung.imaging.orientation import ALL_CODES, reorient
from wirsung.imaging.volume import Volume

TURN = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]


def grid():
    affine = np.eye(4)
    affine[:3, :3] = TURN * [0.7, 0.9, 2.5]
    affine[:3, 3] = -40, 12.5, 300
    return Volume(np.zeros((5, 4, 3)), affine)


@given(st.sampled_from(ALL_CODES), st.integers(0, 2), st.integers(0, 2**20 - 1))
def test_a_plane_of_the_image_is_found_along_any_axes(codes, k, bits):
    image = grid()
    plane = (np.array([bits >> shift & 1 for shift in range(20)], dtype=bool)).reshape(5, 4)
    expected = np.zeros(image.shape, dtype=bool)
    expected[..., k] = plane
    affine = image.affine.copy()
    affine[:3, 3] += k * affine[:3, 2]
    turned = reorient(image.with_voxels(expected), codes)
    place = place_of(affine, (5, 4), turned)
    mask = np.zeros(turned.shape, dtype=bool)
    assert place.distance_mm < 1e-9
    assert place.put(plane, mask) == 0
    assert np.array_equal(mask, turned.voxels)


def test_a_part_of_a_plane_is_put_where_it_lies():
    image = grid()
    affine = image.affine.copy()
    affine[:3, 3] = (image.affine @ [2, 1, 1, 1])[:3]
    mask = np.zeros(image.shape, dtype=bool)
    place_of(affine, (2, 3), image).put(np.ones((2, 3), dtype=bool), mask)
    assert mask.sum() == 6
    assert mask[2:4, 1:4, 1].all()


def test_pixels_beyond_the_image_are_counted():
    image = grid()
    affine = image.affine.copy()
    affine[:3, 3] = (image.affine @ [3, 2, 2, 1])[:3]
    mask = np.zeros(image.shape, dtype=bool)
    assert place_of(affine, (5, 4), image).put(np.ones((5, 4), dtype=bool), mask) == 16
    assert mask[3:, 2:, 2].all()
    assert mask.sum() == 4


def test_the_distance_is_that_of_the_farthest_corner():
    image = Volume(np.zeros((10, 10, 3)), np.eye(4))
    plane = np.diag([1.001, 1, 1, 1])
    # From the middle of the first pixel, the farthest corner is 9.5 pixels away.
    assert place_of(plane, (10, 10), image).distance_mm == pytest.approx(0.0095)


@pytest.mark.parametrize("columns", [[2, 1], [1, 0.4]])
def test_other_pixels_are_infinitely_far(columns):
    image = Volume(np.zeros((10, 10, 3)), np.eye(4))
    plane = np.diag([*columns, 1, 1]).astype(float)
    assert place_of(plane, (4, 4), image).distance_mm == np.inf
