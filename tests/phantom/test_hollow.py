"""The hollow organs."""

import numpy as np
from scipy.ndimage import binary_dilation

from wirsung.phantom.tissues import Tissue


def _heights(body, tissue):
    return np.argwhere(body.tissue == tissue)[:, 1] * body.grid.spacing_mm[1]


def test_gas_lies_in_front_of_the_content(bodies):
    for body in bodies:
        for organ in ("STOMACH", "COLON"):
            gas, content = (_heights(body, Tissue[f"{organ}_{what}"]) for what in ("GAS", "CONTENT"))
            assert len(content) > 0
            if len(gas):
                assert gas.min() >= content.max()


def test_the_bladder_is_a_wall_around_urine(bodies):
    for body in bodies[:4]:
        urine = body.tissue == Tissue.BLADDER_URINE
        rim = binary_dilation(urine) & ~urine
        assert np.isin(body.tissue[rim], [Tissue.BLADDER_WALL, Tissue.PROSTATE, Tissue.MUSCLE]).mean() > 0.8


def test_the_colon_frames_the_small_bowel(bodies):
    for body in bodies:
        colon = np.argwhere(body.masks["colon"])
        bowel = np.argwhere(np.isin(body.tissue, [Tissue.BOWEL_WALL, Tissue.BOWEL_CONTENT]))
        assert colon[:, 0].min() < bowel[:, 0].min()
        assert colon[:, 0].max() > bowel[:, 0].max()
        assert len(bowel) * 0.064 > 150


def test_the_duodenum_embraces_the_head_of_the_pancreas(bodies):
    for body in bodies:
        head, duodenum = np.argwhere(body.masks["pancreas_head"]), np.argwhere(body.masks["duodenum"])
        middle = head.mean(axis=0)
        assert duodenum[:, 0].max() > head[:, 0].max() - 3
        assert duodenum[:, 2].max() > middle[2] > duodenum[:, 2].min()
