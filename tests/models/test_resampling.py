"""Resampling against skimage, scipy and nnU-Net's own functions."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.transform import resize

from wirsung.models.plans import Resampling
from wirsung.models.resampling import (
    axis_matrix,
    coarse_axis,
    nearest_index,
    resample,
    resampled_shape,
)

SHAPES = [((20, 31, 17), (33, 24, 17)), ((12, 9, 14), (7, 18, 40)), ((5, 6, 7), (1, 12, 3))]


@pytest.mark.parametrize(("old", "new"), SHAPES)
@pytest.mark.parametrize("order", [1, 3])
def test_resampling_equals_skimage_resize(old, new, order):
    image = np.random.default_rng(0).normal(size=(2, *old)).astype(np.float32)
    made = resample(torch.from_numpy(image), new, order=order).numpy()
    for channel, result in zip(image, made, strict=True):
        expected = resize(channel.astype(float), new, order, mode="edge", anti_aliasing=False)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize(("old", "new"), [(1, 4), (4, 1), (2, 3), (7, 7), (40, 13), (13, 40), (3, 300)])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_axis_matrix_equals_scipy_zoom(old, new, order):
    signal = np.random.default_rng(1).normal(size=old)
    expected = ndimage.zoom(signal, new / old, order=order, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(axis_matrix(old, new, order) @ signal, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "old_mm", "new_mm"),
    [
        ((12, 30, 26), (25, 22, 31), (5.0, 0.8, 0.9), (2.5, 1.1, 0.75)),
        ((28, 11, 26), (20, 30, 31), (0.8, 5.0, 0.8), (1.1, 1.8, 0.7)),
        ((20, 21, 22), (25, 22, 31), (2.0, 1.5, 1.5), (1.6, 1.43, 1.06)),
        ((20, 21, 12), (25, 22, 12), (1.0, 1.0, 4.0), (0.8, 0.95, 4.0)),
    ],
)
def test_image_and_logits_equal_nnunets(old, new, old_mm, new_mm):
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape

    random = np.random.default_rng(2)
    image = random.normal(size=(2, *old)).astype(np.float32)
    coarse = coarse_axis(old_mm, new_mm, Resampling(3, None))
    for order in (3, 1):
        expected = resample_data_or_seg_to_shape(
            image, new, old_mm, new_mm, is_seg=False, order=order, order_z=0, force_separate_z=None
        )
        made = resample(torch.from_numpy(image), new, order=order, coarse=coarse).numpy()
        np.testing.assert_allclose(made, expected, atol=1e-4)


def test_resampling_to_the_same_shape_changes_nothing():
    image = torch.randn(1, 4, 5, 6)
    assert resample(image, (4, 5, 6), order=3) is image


def test_a_constant_stays_constant_and_bounds_hold():
    constant = torch.full((1, 5, 6, 7), 3.5)
    assert torch.allclose(resample(constant, (9, 4, 20), order=3), torch.tensor(3.5))
    image = (torch.rand(1, 9, 9, 9) > 0.5).float()
    made = resample(image, (20, 15, 12), order=3)
    assert made.min() >= 0
    assert made.max() <= 1


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
