"""Where the body lies in a prepared CT."""

import itertools

import numpy as np
import torch

from wirsung.inference.body import body_of
from wirsung.models.normalisation import BY_ITSELF, Intensity, Normalisation

CT = Normalisation("CTNormalization", False, Intensity(100.0, 80.0, -100.0, 300.0))
LUNG = Normalisation("CTNormalization", False, Intensity(-600.0, 200.0, -980.0, 200.0))


def _prepared():
    """A body of 40 HU, 20 x 30 x 20 voxels, a line and noise around it; clipped and normalised."""
    random = np.random.default_rng(0)
    hu = np.full((40, 64, 48), -1000.0)
    hu[(random.random(hu.shape) < 0.01)] = 200
    hu[8:28, 12:42, 10:30] = 40 + random.normal(0, 30, (20, 30, 20))
    hu[:, 60, 20:22] = 100
    return torch.from_numpy((np.clip(hu, -100, 300) - 100) / 80).float()[None]


def test_tiles_that_hold_some_of_the_body_are_those_that_touch_it():
    body = body_of(_prepared(), [CT])
    patch = (6, 6, 6)
    for start in itertools.product(range(0, 35, 3), range(0, 59, 3), range(0, 43, 3)):
        holds = all(
            at < stop and at + 6 > first
            for at, first, stop in zip(start, (8, 12, 10), (28, 42, 30), strict=True)
        )
        far = any(
            at >= stop + 8 or at + 6 <= first - 8
            for at, first, stop in zip(start, (8, 12, 10), (28, 42, 30), strict=True)
        )
        if holds:
            assert body.touches(start, patch)
        elif far:
            assert not body.touches(start, patch)


def test_tiles_may_begin_before_the_image_and_end_after_it():
    body = body_of(_prepared(), [CT])
    assert body.touches((-30, -30, -30), (100, 120, 110))
    assert not body.touches((-30, -30, -30), (32, 32, 32))


def test_where_the_training_foreground_is_as_dark_as_air_nothing_is_left_out():
    assert body_of(_prepared(), [LUNG]) is None


def test_an_mri_has_no_body_by_intensity_and_a_ct_beside_it_has():
    prepared = _prepared()
    assert body_of(prepared, [BY_ITSELF]) is None
    two = torch.cat((torch.randn_like(prepared), prepared))
    assert np.array_equal(body_of(two, [BY_ITSELF, CT]).blocks, body_of(prepared, [CT]).blocks)


def test_without_tissue_nothing_is_left_out():
    assert body_of(torch.full((1, 8, 8, 8), -2.5), [CT]) is None
