"""Deformed adults are other adults, and still whole."""

import numpy as np
import pytest
from scipy.ndimage import label

from wirsung.phantom.body import build_body
from wirsung.phantom.frame import Pose
from wirsung.phantom.grid import Grid
from wirsung.phantom.patient import draw_patient
from wirsung.phantom.randomised.anatomy import BEND_MM, FAT_MM, SCALES, varied
from wirsung.phantom.tumour import TumourPlan

GRID = Grid.centred((96, 80, 80), (4.5, 4.5, 5.0), centre_ras_mm=(0.0, 0.0, -60.0))
VOLUMES_ML = {
    "pancreas": (15, 200),
    "liver": (500, 3500),
    "spleen": (40, 800),
    "kidney_left": (40, 550),
    "kidney_right": (40, 550),
}
"""Wider than any cohort of adults, but an organ still."""


def _varied(seed, tumour=None):
    return varied(draw_patient(np.random.default_rng(seed), tumour=tumour), np.random.default_rng([7, seed]))


@pytest.fixture(scope="module")
def bodies():
    return [build_body(_varied(seed), GRID) for seed in range(8)]


@pytest.mark.parametrize("seed", range(12))
def test_the_deformation_never_folds(seed):
    pose = Pose(_varied(seed))
    points = np.random.default_rng(2).uniform((-170, -120, -300), (170, 120, 170), (2000, 3))
    columns = [
        (pose.to_standard(points + 0.01 * axis) - pose.to_standard(points)) / 0.01 for axis in np.eye(3)
    ]
    determinants = np.linalg.det(np.stack(columns, axis=-1))
    assert determinants.min() > 0.1
    assert determinants.max() < 6


@pytest.mark.parametrize("seed", range(12))
def test_the_way_to_the_patient_and_back_is_the_identity(seed):
    pose = Pose(_varied(seed))
    points = np.random.default_rng(1).uniform((-150, -100, -200), (150, 100, 150), (300, 3))
    assert pose.to_standard(pose.to_patient(points)) == pytest.approx(points, abs=1e-3)


def test_every_organ_stays_an_organ(bodies):
    for body in bodies:
        for name, (low, high) in VOLUMES_ML.items():
            assert low < body.truth.volume_ml[name] < high, name


def test_every_organ_stays_in_one_piece(bodies):
    for body in bodies:
        for name in VOLUMES_ML:
            pieces, _ = label(body.masks[name], structure=np.ones((3, 3, 3)))
            sizes = np.bincount(pieces.ravel())[1:]
            assert sizes.max() / sizes.sum() > 0.95, name


def test_organs_lie_on_their_own_side(bodies):
    for body in bodies:
        along_x = {
            name: np.mean(np.argwhere(body.masks[name]) @ body.grid.affine[0, :3]) + body.grid.affine[0, 3]
            for name in VOLUMES_ML
        }
        assert along_x["spleen"] < along_x["pancreas"] < along_x["liver"]
        assert along_x["kidney_left"] < along_x["kidney_right"]


def test_sizes_vary_more_than_in_ordinary_patients(bodies):
    ordinary = [build_body(draw_patient(np.random.default_rng(seed)), GRID) for seed in range(8)]
    for name in ("pancreas", "spleen", "kidney_left"):
        spreads = [
            np.std(np.log([body.truth.volume_ml[name] for body in some])) for some in (bodies, ordinary)
        ]
        assert spreads[0] > 1.5 * spreads[1], name


def test_sex_age_and_tumour_stay_and_draws_keep_their_ranges():
    plan = TumourPlan("head", 30.0)
    for seed in range(30):
        before = draw_patient(np.random.default_rng(seed), tumour=plan)
        after = varied(before, np.random.default_rng(seed))
        assert (after.sex, after.age_years, after.tumour) == (before.sex, before.age_years, before.tumour)
        scale = np.array(after.size) / before.size
        assert (scale >= SCALES[0]).all()
        assert (scale <= SCALES[1]).all()
        assert FAT_MM[0] <= after.subcutaneous_fat_mm <= FAT_MM[1]
        assert BEND_MM[0] <= after.bend_mm <= BEND_MM[1]
    assert _varied(3) == _varied(3)
    assert _varied(3) != _varied(4)
