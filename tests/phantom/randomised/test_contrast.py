"""Looks: the ordinary one by hand, the random ones within their bounds."""

import numpy as np
import pytest

from wirsung.phantom.appearance import TABLE_CODES
from wirsung.phantom.materials import draw_hu, draw_signals, table_of
from wirsung.phantom.randomised.contrast import FULL, STYLES, draw_look, plain_look, window
from wirsung.phantom.tissues import LESION, Tissue

KIDNEYS = [Tissue.KIDNEY_LEFT_CORTEX, Tissue.KIDNEY_RIGHT_CORTEX]


def _looks(count=200, attenuation=None):
    return [draw_look(attenuation, np.random.default_rng(seed)) for seed in range(count)]


def test_the_window_maps_its_ends_to_nought_and_full():
    assert window(np.array([-160.0, 40.0, 240.0]), -160, 240).tolist() == [0.0, 500.0, 1000.0]


def test_the_ordinary_ct_in_a_window_is_the_ct_number_times_two_and_a_half():
    signals = draw_hu("venous", "hypo", np.random.default_rng(0))
    look = plain_look(signals, "ct")
    known = list(Tissue)
    np.testing.assert_allclose(look.means[known], (table_of(signals)[known] + 160) * 2.5, rtol=1e-5)
    assert look.spread[Tissue.LIVER] == pytest.approx(5 * 2.5)
    assert look.means[TABLE_CODES[0]] == pytest.approx((-20 + 160) * 2.5)
    assert look.windowed


def test_the_ordinary_mr_is_as_it_was_without_a_table():
    signals = draw_signals("t2", None, np.random.default_rng(0))
    look = plain_look(signals, "t2")
    assert look.means[Tissue.LIVER] == pytest.approx(signals["liver"])
    assert not look.means[list(TABLE_CODES)].any()
    assert not look.windowed


def test_styles_come_as_often_as_said():
    styles = [style for style, _ in _looks(400)]
    assert [styles.count(name) / 400 for name in STYLES] == pytest.approx(list(STYLES.values()), abs=0.07)


def test_what_is_one_material_looks_the_same_and_what_is_not_differs():
    for _, look in _looks(50):
        assert look.means[KIDNEYS[0]] == look.means[KIDNEYS[1]]
        assert look.means[Tissue.LIVER] != look.means[Tissue.SPLEEN]


def test_air_outside_is_dark_and_even_and_every_tissue_has_a_brightness():
    for _, look in _looks(100, "hypo"):
        assert look.means[Tissue.AIR] <= 60
        assert look.spread[Tissue.AIR] == 0
        assert np.isfinite(look.means[list(Tissue)]).all()
        assert np.isfinite(look.means[list(LESION)]).all()


def test_in_the_random_style_any_organ_may_be_the_brighter():
    looks = [look for style, look in _looks(300) if style == "random"]
    brighter = np.mean([look.means[Tissue.LIVER] > look.means[Tissue.PANCREAS_HEAD] for look in looks])
    assert 0.35 < brighter < 0.65
    values = np.array([look.means[Tissue.LIVER] for look in looks])
    assert values.min() >= 0
    assert values.max() <= FULL
    # Uniform over 0 to 1000: mean 500, standard deviation 289.
    assert values.mean() == pytest.approx(500, abs=80)
    assert values.std() == pytest.approx(289, abs=50)


def test_in_the_ct_style_bone_is_brighter_than_liver_and_liver_than_fat():
    for style, look in _looks(100):
        if style == "ct":
            order = look.means[[Tissue.CORTICAL_BONE, Tissue.LIVER, Tissue.FAT, Tissue.AIR]]
            assert (np.diff(order) < 0).all()
            assert look.windowed
