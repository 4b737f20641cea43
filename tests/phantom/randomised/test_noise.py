"""Noise has the strength and the grain that are asked for."""

import numpy as np
import pytest

from wirsung.phantom.randomised.noise import COARSENESS_VOXELS, STRENGTH, Noise, draw_noise, grain, with_noise

SHAPE = (40, 40, 40)


@pytest.mark.parametrize("sigma", [(0.0, 0.0, 0.0), (0.9, 0.5, 0.0)])
def test_the_standard_deviation_is_the_strength_however_coarse(sigma):
    found = grain(SHAPE, Noise(20.0, sigma), np.random.default_rng(0))
    # 64,000 voxels, some of them neighbours that agree: the error is well below two per cent.
    assert found.std() == pytest.approx(20.0, rel=0.02)
    assert abs(found.mean()) < 1


def test_neighbours_agree_along_the_coarse_axis_only():
    found = grain(SHAPE, Noise(1.0, (0.8, 0.0, 0.0)), np.random.default_rng(0))
    along_i = np.mean(found[1:] * found[:-1])
    along_k = np.mean(found[:, :, 1:] * found[:, :, :-1])
    # Two Gaussian weightings of sigma s one voxel apart overlap by exp(-1 / 4 s^2) = 0.677.
    assert along_i == pytest.approx(np.exp(-1 / (4 * 0.8**2)), abs=0.03)
    assert abs(along_k) < 0.02


def test_the_magnitude_of_pure_noise_is_rayleigh():
    nothing = np.zeros(SHAPE, dtype=np.float32)
    found = with_noise(nothing, Noise(10.0, (0.0, 0.0, 0.0)), np.random.default_rng(0), magnitude=True)
    assert found.mean() == pytest.approx(10 * np.sqrt(np.pi / 2), rel=0.01)
    assert found.min() >= 0


def test_noise_of_strength_nought_changes_nothing():
    image = np.random.default_rng(1).uniform(0, 100, (5, 6, 7)).astype(np.float32)
    for magnitude in (False, True):
        found = with_noise(image, Noise(0.0, (0.5, 0.5, 0.5)), np.random.default_rng(0), magnitude=magnitude)
        np.testing.assert_allclose(found, image, rtol=1e-6)


def test_draws_stay_in_their_ranges():
    rng = np.random.default_rng(0)
    drawn = [draw_noise(rng) for _ in range(200)]
    assert all(STRENGTH[0] <= item.strength <= STRENGTH[1] for item in drawn)
    assert all(
        COARSENESS_VOXELS[0] <= sigma <= COARSENESS_VOXELS[1] for item in drawn for sigma in item.sigma_voxels
    )
    # Log-uniform: half of them below the geometric middle.
    below = np.mean([item.strength < np.sqrt(STRENGTH[0] * STRENGTH[1]) for item in drawn])
    assert 0.38 < below < 0.62
