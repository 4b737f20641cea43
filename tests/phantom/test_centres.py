"""Centres differ from one another, and do not change with the number of them."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wirsung.phantom.centres import centre, draw_phase, image_grid
from wirsung.phantom.settings import PhantomSettings

DEFAULT = PhantomSettings(Path("cohort"))
SIZES = {"tiny": 96 * 80 * 72, "small": 192 * 160 * 112, "full": 512 * 512 * 300}


@pytest.mark.parametrize("preset", SIZES)
def test_every_centre_has_voxels_of_the_presets_class_and_covers_the_body(preset):
    settings = replace(DEFAULT, preset=preset)
    for index in range(20):
        place = centre(settings, index)
        assert 0.7 < np.prod(place.shape) / SIZES[preset] < 1.4
        width, depth, height = np.array(place.shape) * place.spacing_mm
        assert 380 < width < 450
        assert depth > 315
        assert height == pytest.approx(400, abs=8)


def test_neighbouring_centres_look_different_and_a_seed_gives_its_own():
    places = [centre(DEFAULT, index) for index in range(4)]
    assert [place.name for place in places] == ["centre-1", "centre-2", "centre-3", "centre-4"]
    assert [place.number for place in places] == [1, 2, 3, 4]
    noises = sorted(place.noise_hu for place in places)
    assert min(np.diff(noises)) > 1
    assert len({place.kernel_voxels for place in places}) == 4
    assert len({place.manufacturer for place in places}) == 4
    assert centre(DEFAULT, 2) == places[2]
    assert centre(replace(DEFAULT, seed=1), 2) != places[2]


def test_the_grid_lies_in_the_order_of_a_dicom_series_around_the_abdomen():
    place = centre(DEFAULT, 0)
    grid = image_grid(DEFAULT, place)
    i, j, k = place.spacing_mm
    np.testing.assert_allclose(grid.affine[:3, :3], np.diag([-i, -j, k]))  # L, P, S
    corners = grid.affine @ np.array([[0, 0, 0, 1], [*(np.array(grid.shape) - 1), 1]]).T
    np.testing.assert_allclose(corners[:2].sum(axis=1), 0, atol=1e-9)
    assert corners[2, 1] == pytest.approx(115)


def test_an_oblique_grid_keeps_its_spacing_and_right_angles():
    settings = replace(DEFAULT, oblique_deg=20.0)
    place = centre(settings, 0)
    matrix = image_grid(settings, place).affine[:3, :3] / place.spacing_mm
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(3), atol=1e-12)
    assert matrix[2, 2] == pytest.approx(np.cos(np.deg2rad(20)))


def test_phases_are_mostly_venous_or_what_is_asked_for_and_never_contrast_in_mr():
    rng = np.random.default_rng(0)
    drawn = Counter(draw_phase(DEFAULT, centre(DEFAULT, 0), rng) for _ in range(400))
    assert drawn["venous"] / 400 == pytest.approx(0.8, abs=0.08)
    wanted = replace(DEFAULT, phases=("arterial", "delayed"))
    drawn = Counter(draw_phase(wanted, centre(wanted, 0), rng) for _ in range(400))
    assert set(drawn) == {"arterial", "delayed"}
    assert drawn["arterial"] / 400 == pytest.approx(0.5, abs=0.1)
    assert draw_phase(replace(DEFAULT, modality="t1"), centre(DEFAULT, 0), rng) == "non-contrast"
