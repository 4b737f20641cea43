"""Sub-tissues divide what they may, and nothing else."""

import numpy as np
import pytest

from wirsung.phantom.appearance import Scene
from wirsung.phantom.body import build_body
from wirsung.phantom.grid import Grid
from wirsung.phantom.patient import draw_patient
from wirsung.phantom.randomised.contrast import draw_look
from wirsung.phantom.randomised.subtissues import CLUTTER, DIVIDED, FIRST_PART, PARTS, divided
from wirsung.phantom.tissues import Tissue

FAT_MM = 15.0


@pytest.fixture(scope="module")
def scene():
    grid = Grid.centred((90, 70, 24), (4.5, 4.5, 6.0))
    return Scene(build_body(draw_patient(np.random.default_rng(0)), grid).tissue, grid.spacing_mm)


def _divide(scene, seed):
    rng = np.random.default_rng(seed)
    _, look = draw_look(None, rng)
    return divided(scene, look, FAT_MM, rng)


@pytest.mark.parametrize("seed", range(4))
def test_only_fat_muscle_and_bowel_change(scene, seed):
    codes, _ = _divide(scene, seed)
    may = np.isin(scene.tissue, DIVIDED)
    np.testing.assert_array_equal(codes[~may], scene.tissue[~may])
    last = FIRST_PART + PARTS * len(DIVIDED)
    assert (((codes >= FIRST_PART) & (codes < last)) | np.isin(codes, CLUTTER))[may].all()


def test_each_part_is_of_the_tissue_it_divides(scene):
    codes, _ = _divide(scene, 1)
    for number, tissue in enumerate(DIVIDED):
        first = FIRST_PART + PARTS * number
        inside = (codes >= first) & (codes < first + PARTS)
        assert (scene.tissue[inside] == tissue).all()
    fat = codes[scene.tissue == Tissue.FAT]
    assert set(range(FIRST_PART, FIRST_PART + PARTS)) <= set(fat.tolist())


def test_clutter_lies_in_fat_deep_in_the_belly_only(scene):
    shares = []
    for seed in range(6):
        codes, _ = _divide(scene, seed)
        clutter = np.isin(codes, CLUTTER)
        assert (scene.tissue[clutter] == Tissue.FAT).all()
        shares.append(clutter.sum() / (scene.tissue == Tissue.FAT).sum())
        # Within 37 mm along a line to the air there is none.
        edge = np.argwhere(clutter)
        for i, j, k in edge[:: max(len(edge) // 20, 1)]:
            assert (scene.tissue[max(i - 7, 0) : i + 8, j, k] != Tissue.AIR).all()
    assert min(shares) >= 0
    assert 0.01 < max(shares) < 0.5


def test_every_code_in_use_has_a_brightness(scene):
    for seed in range(6):
        codes, look = _divide(scene, seed)
        used = np.unique(codes)
        assert np.isfinite(look.means[used]).all()
        assert np.isfinite(look.spread[used]).all()


def test_a_scene_without_fat_is_left_alone():
    block = Scene(np.full((12, 12, 6), Tissue.LIVER, dtype=np.uint8), (4.0, 4.0, 5.0))
    codes, _ = _divide(block, 0)
    np.testing.assert_array_equal(codes, block.tissue)
