"""The plane-by-plane kernel is scipy's separable filter, and its gain that of white noise."""

import numpy as np
import pytest
from scipy.ndimage import correlate1d

from wirsung.phantom.scanner import filtered, gain, taps

KERNEL = (0.4, 0.75, 0.55)


def test_the_planes_equal_scipys_separable_filter():
    volume = np.random.default_rng(0).standard_normal((7, 9, 11), dtype=np.float32)
    found = np.stack(list(filtered(lambda i: volume[i], 7, KERNEL)))
    expected = volume.astype(np.float64)
    for axis, sigma in enumerate(KERNEL):
        half = np.exp(-0.5 * (np.arange(-2, 3) / sigma) ** 2)
        expected = correlate1d(expected, half / half.sum(), axis=axis, mode="nearest")
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("planes", [1, 2, 3])
def test_few_planes_are_filtered_too(planes):
    volume = np.ones((planes, 4, 4), dtype=np.float32)
    np.testing.assert_allclose(np.stack(list(filtered(lambda i: volume[i], planes, KERNEL))), 1, atol=1e-6)


def test_each_plane_is_asked_for_once_and_in_order():
    asked = []

    def scene(i):
        asked.append(i)
        return np.zeros((2, 2), dtype=np.float32)

    list(filtered(scene, 9, KERNEL))
    assert asked == list(range(9))


def test_gain_is_what_unit_white_noise_keeps():
    rng = np.random.default_rng(1)
    found = np.stack(
        list(filtered(lambda _: rng.standard_normal((60, 60), dtype=np.float32), 40, KERNEL)),
    )
    assert found[3:-3, 3:-3, 3:-3].std() == pytest.approx(gain(KERNEL), rel=0.02)
    assert gain((0.0, 0.0, 0.0)) == 1
    # One axis with taps (1/4, 1/2, 1/4) would keep sqrt(1/16 + 1/4 + 1/16); ours, by its own taps:
    half = taps(0.6)
    assert gain((0.6, 0.0, 0.0)) == pytest.approx(np.sqrt(half[0] ** 2 + 2 * half[1] ** 2 + 2 * half[2] ** 2))
