"""Vessels as tubes and as masks."""

import numpy as np
import pytest
from scipy.ndimage import label

from wirsung.phantom.body import build_body
from wirsung.phantom.grid import Grid
from wirsung.phantom.patient import draw_patient
from wirsung.phantom.vessels import CONFLUENCE, vessels


@pytest.fixture(scope="module")
def tubes():
    return vessels(draw_patient(np.random.default_rng(2)))


def test_the_aorta_is_15_to_25_mm_wide_at_the_kidneys():
    for seed in range(20):
        aorta = vessels(draw_patient(np.random.default_rng(seed))).named["aorta"][0]
        assert 15 < 2 * np.interp(0, -aorta.points[:, 2], aorta.radii) < 25


def test_arteries_leave_the_front_of_the_aorta(tubes):
    aorta = tubes.named["aorta"][0]
    for name in ("celiac_artery", "superior_mesenteric_artery"):
        start = tubes.named[name][0].points[0]
        nearest = int(np.argmin(np.linalg.norm(aorta.points - start, axis=1)))
        assert np.linalg.norm(aorta.points[nearest] - start) < aorta.radii[nearest]
        assert tubes.named[name][0].points[-1][1] > aorta.points[nearest][1] + aorta.radii[nearest]


def test_three_veins_meet_behind_the_neck(tubes):
    for vein in tubes.named["veins"]:
        assert np.linalg.norm(vein.points - CONFLUENCE, axis=1).min() < 1e-6


def test_borders_of_the_regions_are_ordered(tubes):
    assert tubes.aorta_left_mm < tubes.superior_mesenteric_vein_left_mm < CONFLUENCE[0]


def test_the_artery_is_round_and_as_wide_as_its_tube():
    patient = draw_patient(np.random.default_rng(2))
    body = build_body(patient, Grid.centred((90, 90, 40), (0.7, 0.7, 1.0), 0.0, (0, 20, -35)))
    tube = vessels(patient).named["superior_mesenteric_artery"][0]
    areas = []
    for k in range(8, 32):
        pieces, count = label(body.masks["superior_mesenteric_artery"][..., k])
        assert count == 1
        areas.append(np.count_nonzero(pieces) * 0.49)
    assert 1.5 * tube.radii.min() < np.sqrt(4 * np.median(areas) / np.pi) < 2.4 * tube.radii.max()
