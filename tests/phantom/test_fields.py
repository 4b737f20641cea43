"""Smooth fields have the promised variance and length."""

import numpy as np
import pytest

from wirsung.phantom.fields import SmoothField

SHAPE, SPACING_MM, LENGTH_MM = (12, 20, 16), (2.0, 1.0, 3.0), 6.0


def _many(count=400):
    return np.stack(
        [SmoothField(SHAPE, SPACING_MM, LENGTH_MM, np.random.default_rng(n)).whole() for n in range(count)]
    )


def test_every_voxel_has_mean_0_and_standard_deviation_1():
    found = _many()
    # A standard deviation over 400 draws errs by 1 / sqrt(800) = 0.035; the largest of 3840 is looked at.
    assert abs(found.std(axis=0) - 1).max() < 0.16
    assert abs(found.mean(axis=0)).max() < 0.25


def test_the_correlation_falls_as_a_gaussian_of_the_length():
    found = _many()
    for steps in (2, 4, 8):
        apart_mm = steps * SPACING_MM[1]
        correlation = np.mean(found[:, :, :-steps] * found[:, :, steps:])
        # Two Gaussian weightings of sigma L overlap by exp(-d^2 / 4 L^2).
        assert correlation == pytest.approx(np.exp(-(apart_mm**2) / (4 * LENGTH_MM**2)), abs=0.05)


def test_planes_make_up_the_whole():
    field = SmoothField(SHAPE, SPACING_MM, LENGTH_MM, np.random.default_rng(3))
    np.testing.assert_allclose(np.stack([field.plane(i) for i in range(12)]), field.whole(), atol=1e-5)
