"""The trunk around the organs."""

import numpy as np
from scipy.ndimage import binary_fill_holes

from wirsung.phantom.tissues import Tissue


def _level(body, z_mm):
    return round((z_mm - body.grid.affine[2, 3]) / body.grid.spacing_mm[2])


def test_the_trunk_has_the_size_of_an_adult(bodies):
    for body in bodies:
        inside = body.tissue[..., _level(body, 0)] > 0
        wide, deep = (np.ptp(np.nonzero(inside)[axis]) * 4.0 for axis in (0, 1))
        assert 260 < wide < 400
        assert 190 < deep < 310
        assert (binary_fill_holes(inside) == inside).all()


def test_skin_fat_and_muscle_follow_each_other_from_the_flank(bodies):
    for body in bodies:
        level = body.tissue[:, :, _level(body, -20)]
        j = level.shape[1] // 2
        ray = level[:, j][level[:, j] > 0][::-1]
        kinds = [Tissue(int(code)) for code in ray[np.concatenate([[True], np.diff(ray.astype(int)) != 0])]]
        assert kinds.index(Tissue.FAT) < kinds.index(Tissue.MUSCLE)


def test_the_spine_lies_in_the_middle_behind_the_aorta(bodies):
    for body in bodies:
        k = _level(body, 10)
        canal = np.argwhere(body.tissue[..., k] == Tissue.SPINAL_CANAL).mean(axis=0)
        aorta = np.argwhere(body.tissue[..., k] == Tissue.AORTA).mean(axis=0)
        assert canal[1] < aorta[1]
        assert abs(canal[0] * 4 + body.grid.affine[0, 3]) < 25


def test_lungs_lie_above_the_liver_and_on_their_sides(bodies):
    for body in bodies:
        right, left = (np.argwhere(body.masks[f"lung_{side}"]) for side in ("right", "left"))
        assert right[:, 0].mean() > left[:, 0].mean()
        top_of_liver = np.argwhere(body.masks["liver"])[:, 2].max()
        assert right[:, 2].max() > top_of_liver
        assert left[:, 2].min() < top_of_liver, "the recess behind the organs reaches down"


def test_bones_have_a_cortex_and_a_marrow(bodies):
    for body in bodies[:3]:
        for code in (Tissue.CORTICAL_BONE, Tissue.MARROW, Tissue.DISC, Tissue.HEART):
            assert np.count_nonzero(body.tissue == code) > 200
