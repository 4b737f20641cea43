"""MR: the bias field is the one told, and the noise is Rician."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rice

from wirsung.phantom.appearance import Scene
from wirsung.phantom.centres import centre
from wirsung.phantom.materials import draw_signals
from wirsung.phantom.mr import bias_field, draw_bias, mr_image
from wirsung.phantom.settings import PhantomSettings
from wirsung.phantom.tissues import Tissue

CENTRE = centre(PhantomSettings(Path("cohort"), modality="t1"), 0)
SHAPE = (30, 40, 36)


def _uniform(tissue, bias, *, seed=0, **changes):
    scene = Scene(np.full(SHAPE, tissue, dtype=np.uint8), (4.0, 4.0, 4.0))
    signals = draw_signals("t1", None, np.random.default_rng(0))
    return mr_image(scene, signals, bias, replace(CENTRE, **changes), np.random.default_rng(seed)), signals


def test_without_noise_the_image_over_the_signal_is_the_bias_field():
    bias = draw_bias(np.random.default_rng(4))
    images = [_uniform(Tissue.LIVER, bias, seed=seed, noise_fraction=0.0)[0] for seed in range(30)]
    _, signals = _uniform(Tissue.LIVER, bias)
    ratio = np.mean(images, axis=0)[2:-2, 2:-2, 2:-2] / signals["liver"]
    # Texture of 3 % averages down to 0.6 % over 30 images.
    np.testing.assert_allclose(ratio / bias_field(bias, SHAPE)[2:-2, 2:-2, 2:-2], 1, atol=0.03)


def test_the_bias_field_is_the_exponential_of_its_polynomial_at_the_corners():
    bias = {"1 0 0": 0.1, "0 2 0": -0.2, "1 0 1": 0.05}
    field = bias_field(bias, (5, 7, 9))
    assert field.shape == (5, 7, 9)
    assert field[2, 3, 4] == pytest.approx(1)
    assert field[4, 6, 8] == pytest.approx(np.exp(0.1 - 0.2 + 0.05))
    assert field[0, 0, 8] == pytest.approx(np.exp(-0.1 - 0.2 - 0.05))


def test_drawn_fields_are_smooth_and_of_a_coils_strength():
    for seed in range(20):
        field = bias_field(draw_bias(np.random.default_rng(seed)), (20, 20, 20))
        assert 0.2 < field.min() < 1 < field.max() < 5
        assert max(abs(np.diff(np.log(field), axis=axis)).max() for axis in range(3)) < 0.25


def test_noise_in_air_is_rayleigh_and_in_tissue_rician():
    kernel = (0.3, 0.3, 0.3)
    fraction = 0.05
    air, signals = _uniform(Tissue.AIR, {}, noise_fraction=fraction, kernel_voxels=kernel)
    sigma = fraction * max(signals.values())
    inner = air[3:-3, 3:-3, 3:-3]
    assert inner.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.02)
    assert inner.std() == pytest.approx(sigma * np.sqrt(2 - np.pi / 2), rel=0.03)
    gas, _ = _uniform(Tissue.COLON_GAS, {}, noise_fraction=fraction, kernel_voxels=kernel)
    expected = rice(signals["gas"] / sigma, scale=sigma)
    assert gas[3:-3, 3:-3, 3:-3].mean() == pytest.approx(expected.mean(), rel=0.02)
    assert air.dtype == np.int16
    assert air.min() >= 0


def test_the_same_seed_gives_the_same_image():
    bias = draw_bias(np.random.default_rng(1))
    assert np.array_equal(_uniform(Tissue.SPLEEN, bias)[0], _uniform(Tissue.SPLEEN, bias)[0])
    assert not np.array_equal(_uniform(Tissue.SPLEEN, bias)[0], _uniform(Tissue.SPLEEN, bias, seed=1)[0])
