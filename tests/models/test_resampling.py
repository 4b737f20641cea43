"""The matrices and shapes of resampling, against scipy and nnU-Net's own functions."""

import numpy as np
import pytest
from scipy import ndimage

from wirsung.models.plans import Resampling
from wirsung.models.resampling import (
    axis_matrix,
    coarse_axis,
    nearest_index,
    resampled_shape,
)


@pytest.mark.parametrize(("old", "new"), [(1, 4), (4, 1), (2, 3), (7, 7), (40, 13), (13, 40), (3, 300)])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_axis_matrix_equals_scipy_zoom(old, new, order):
    signal = np.random.default_rng(1).normal(size=old)
    expected = ndimage.zoom(signal, new / old, order=order, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(axis_matrix(old, new, order) @ signal, expected, atol=1e-12)


def test_the_coarse_axis_is_nnunets():
    from nnunetv2.preprocessing.resampling.default_resampling import determine_do_sep_z_and_axis

    random = np.random.default_rng(3)
    for _ in range(200):
        old = tuple(float(value) for value in random.choice([0.7, 0.8, 1.5, 3.0, 5.0], 3))
        new = tuple(float(value) for value in random.choice([0.7, 0.8, 1.5, 3.0, 5.0], 3))
        for force in (None, True, False):
            _, expected = determine_do_sep_z_and_axis(force, old, new)
            assert coarse_axis(old, new, Resampling(3, force)) == expected


def test_the_resampled_shape_rounds_half_to_even_as_nnunet():
    from nnunetv2.preprocessing.resampling.default_resampling import compute_new_shape

    for old_mm, new_mm in (((5.0, 0.5, 1.0), (2.0, 1.0, 2.0)), ((1.5, 1.5, 1.5), (4.0, 3.9, 1.0))):
        expected = compute_new_shape((25, 33, 41), old_mm, new_mm)
        assert resampled_shape((25, 33, 41), old_mm, new_mm) == tuple(expected)


def test_nearest_index_equals_map_coordinates():
    for old, new in ((4, 9), (9, 4), (5, 5), (1, 3)):
        centres = (np.arange(new) + 0.5) * old / new - 0.5
        expected = ndimage.map_coordinates(np.arange(old), centres[None], order=0, mode="nearest")
        np.testing.assert_array_equal(nearest_index(old, new), expected)
