"""The numbers of a normalisation, against nnU-Net's own classes."""

import numpy as np
import pytest

from wirsung.models.normalisation import Intensity, Normalisation
from wirsung.models.scaling import Scaling, scaling_of

STATISTICS = Intensity(100.0, 40.0, -50.0, 250.0)


def _image(masked=False):
    random = np.random.default_rng(4)
    image = random.normal(80, 120, (9, 10, 11)).round().astype(np.int16)
    inside = random.random(image.shape) > 0.4 * masked
    return np.where(inside, image, 0), inside


def _theirs(scheme, image, inside, masked):
    from nnunetv2.preprocessing.normalization import default_normalization_schemes as schemes

    table = {
        "mean": STATISTICS.mean,
        "std": STATISTICS.std,
        "percentile_00_5": STATISTICS.percentile_00_5,
        "percentile_99_5": STATISTICS.percentile_99_5,
    }
    made = getattr(schemes, scheme)(use_mask_for_norm=masked, intensityproperties=table)
    return made.run(image.astype(np.float32), np.where(inside, 0, -1))


@pytest.mark.parametrize(
    ("scheme", "masked"),
    [
        ("CTNormalization", False),
        ("ZScoreNormalization", False),
        ("ZScoreNormalization", True),
        ("RescaleTo01Normalization", False),
        ("NoNormalization", False),
    ],
)
def test_each_scheme_equals_nnunets(scheme, masked):
    image, inside = _image(masked)
    mask = inside if masked else None
    scaling = scaling_of(image, Normalisation(scheme, masked, STATISTICS), mask)
    values = image.astype(np.float32)
    scaling.apply(values, mask)
    np.testing.assert_allclose(values, _theirs(scheme, image, inside, masked), atol=1e-5)


def test_a_constant_channel_is_normalised_to_zero():
    channel = np.full((3, 3, 3), 7, np.float32)
    scaling_of(channel, Normalisation("ZScoreNormalization", False, STATISTICS)).apply(channel)
    assert (channel == 0).all()
    scaling_of(channel, Normalisation("RescaleTo01Normalization", False, STATISTICS)).apply(channel)
    assert (channel == 0).all()


def test_a_small_spread_about_a_large_mean_is_found():
    channel = np.array([1e6 - 1, 1e6 + 1], np.float32).reshape(2, 1, 1)
    found = scaling_of(channel, Normalisation("ZScoreNormalization", False, STATISTICS))
    assert found == Scaling(None, 1e6, 1.0)


def test_a_mask_of_nothing_leaves_everything():
    channel, nothing = np.ones((2, 2, 2), np.float32), np.zeros((2, 2, 2), bool)
    scaling_of(channel, Normalisation("ZScoreNormalization", True, STATISTICS), nothing).apply(
        channel, nothing
    )
    assert (channel == 1).all()
