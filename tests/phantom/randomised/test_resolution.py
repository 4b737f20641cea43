"""Thick slices and blur, against scipy and by hand."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from wirsung.phantom.randomised.resolution import BLUR_MM, THICK_MM, Resolution, degraded, draw_resolution

SPACING_MM = (2.0, 2.0, 4.0)


def _image(shape=(12, 14, 11)):
    return np.random.default_rng(0).uniform(0, 100, shape).astype(np.float32)


def test_blur_is_a_gaussian_of_the_width_at_half_height():
    width_mm = (6.0, 5.0, 8.0)
    found = degraded(_image(), SPACING_MM, Resolution(width_mm, (0.0, 0.0, 0.0)))
    sigma = [width / 2.354820045 / step for width, step in zip(width_mm, SPACING_MM, strict=True)]
    expected = gaussian_filter(_image(), sigma, mode="nearest", truncate=3.0)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_ramp_survives_thick_slices():
    ramp = np.broadcast_to(np.arange(13, dtype=np.float32), (3, 4, 13)).copy()
    found = degraded(ramp, SPACING_MM, Resolution((0.0, 0.0, 0.0), (0.0, 0.0, 12.0)))
    np.testing.assert_allclose(found, ramp, atol=1e-5)


def test_samples_no_farther_apart_than_voxels_change_nothing():
    found = degraded(_image(), SPACING_MM, Resolution((0.0, 0.0, 0.0), (2.0, 1.0, 4.0)))
    np.testing.assert_array_equal(found, _image())


def test_a_constant_stays_a_constant():
    even = np.full((9, 9, 9), 7.0, dtype=np.float32)
    found = degraded(even, SPACING_MM, Resolution((5.0, 5.0, 9.0), (0.0, 0.0, 9.0)))
    np.testing.assert_allclose(found, even, rtol=1e-5)


def test_one_axis_has_slices_and_nothing_is_finer_or_coarser_than_said():
    rng = np.random.default_rng(0)
    axes = []
    for _ in range(300):
        drawn = draw_resolution(rng)
        (axis,) = np.flatnonzero(drawn.step_mm)
        assert BLUR_MM[0] <= min(drawn.width_mm)
        assert max(drawn.width_mm) <= THICK_MM
        assert 0.7 <= drawn.step_mm[axis] / drawn.width_mm[axis] <= 1
        axes.append(axis)
    assert np.bincount(axes) / 300 == pytest.approx([0.2, 0.2, 0.6], abs=0.08)
