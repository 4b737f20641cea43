"""Artefacts, each alone, on images small enough to follow."""

from dataclasses import replace

import numpy as np
import pytest

from wirsung.phantom.appearance import TABLE_CODES, Scene
from wirsung.phantom.randomised.artefacts import (
    BIAS_SD,
    NONE,
    draw_artefacts,
    in_round_view,
    marred,
    surrounded,
)
from wirsung.phantom.tissues import Tissue

SPACING_MM = (4.0, 4.0, 5.0)


def _even(value=100.0, shape=(20, 16, 6)):
    return np.full(shape, value, dtype=np.float32)


def _scene():
    """A block of muscle in air, off the back of the image."""
    tissue = np.zeros((60, 40, 4), dtype=np.uint8)
    tissue[20:40, 10:25] = Tissue.MUSCLE
    return Scene(tissue, SPACING_MM)


def test_the_ordinary_phantom_has_none():
    image = np.random.default_rng(0).uniform(0, 100, (20, 16, 6)).astype(np.float32)
    np.testing.assert_array_equal(marred(image, SPACING_MM, NONE, np.random.default_rng(1)), image)


def test_bias_is_smooth_and_multiplies():
    wrong = replace(NONE, bias_sd=0.3, coil_mm=60.0)
    one, two = (marred(_even(value), SPACING_MM, wrong, np.random.default_rng(2)) for value in (1.0, 5.0))
    np.testing.assert_allclose(two, 5 * one, rtol=1e-5)
    assert one.min() > 0
    assert one.std() > 0.02
    # Neighbours 4 mm apart under a field of length 60 mm: exp(0.3 * 4 / 60 * a few) at most.
    assert np.abs(np.log(one[1:] / one[:-1])).max() < 0.1


def test_a_ghost_is_the_body_again_where_the_shift_says():
    image = np.zeros((10, 8, 1), dtype=np.float32)
    image[1, 3, 0] = 100
    wrong = replace(NONE, ghost=0.2, ghost_shift=0.3, ghost_axis=0)
    found = marred(image, SPACING_MM, wrong, np.random.default_rng(0))
    # Shifted by 3 with weight 0.2, and by 6 with a quarter of it; the energy of the body goes there.
    assert found[4, 3, 0] == pytest.approx(20)
    assert found[7, 3, 0] == pytest.approx(5)
    assert found[1, 3, 0] == pytest.approx(75)
    assert np.count_nonzero(found) == 3


def test_streaks_fade_with_the_distance_from_their_source():
    wrong = replace(NONE, streak=50.0, streak_from=(0.5, 0.5))
    found = marred(_even(0.0, (81, 81, 30)), SPACING_MM, wrong, np.random.default_rng(0))
    i, j = np.ogrid[:81, :81]
    apart_mm = np.hypot((i - 40.5) * 4, (j - 40.5) * 4)
    near, far = found[apart_mm < 20].std(), found[(apart_mm > 150) & (apart_mm < 160)].std()
    # 1 / (1 + r / 60): about 0.85 against 0.28, times 50, less what interpolation between rays takes.
    assert 25 < near < 45
    assert 2.4 < near / far < 3.8


def test_a_round_view_shows_nothing_outside_the_circle():
    found = in_round_view(_even(1.0, (41, 41, 2)), 1.0)
    assert found[..., 0].sum() == pytest.approx(np.pi * 20**2, rel=0.02)  # 20 voxels from middle to edge
    np.testing.assert_array_equal(in_round_view(_even(), 1.5), _even())


def test_arms_and_table_cover_air_only():
    scene = _scene()
    wrong = replace(NONE, arms_mm=30.0, table=True)
    found = surrounded(scene.tissue, scene, wrong, table=True)
    body = scene.tissue != Tissue.AIR
    np.testing.assert_array_equal(found[body], scene.tissue[body])
    assert (found[:18] == Tissue.CORTICAL_BONE).any()
    assert (found[42:] == Tissue.CORTICAL_BONE).any()
    assert np.isin(found, TABLE_CODES).any()


def test_a_scan_that_shows_no_table_has_none():
    scene = _scene()
    assert surrounded(scene.tissue, scene, NONE, table=False) is scene.tissue
    assert not np.isin(
        surrounded(scene.tissue, scene, replace(NONE, table=False), table=True), TABLE_CODES
    ).any()


def test_an_image_without_a_body_gets_no_arms():
    scene = Scene(np.zeros((6, 6, 2), dtype=np.uint8), SPACING_MM)
    assert not surrounded(scene.tissue, scene, replace(NONE, arms_mm=30.0), table=False).any()


def test_each_artefact_is_there_as_often_as_said():
    rng = np.random.default_rng(0)
    drawn = [draw_artefacts(rng) for _ in range(400)]
    shares = [
        np.mean([item.ghost > 0 for item in drawn]),
        np.mean([item.streak > 0 for item in drawn]),
        np.mean([item.arms_mm > 0 for item in drawn]),
        np.mean([item.table for item in drawn]),
        np.mean([item.round_view > 0 for item in drawn]),
    ]
    assert shares == pytest.approx([0.25, 0.25, 0.25, 0.6, 0.15], abs=0.07)
    assert all(0 <= item.bias_sd <= BIAS_SD for item in drawn)
