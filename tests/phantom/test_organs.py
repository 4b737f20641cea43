"""The solid organs."""

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion

from wirsung.phantom.tissues import Tissue


def test_the_liver_holds_its_veins(bodies):
    for body in bodies:
        vessel = body.tissue == Tissue.LIVER_VESSEL
        assert 40 < np.count_nonzero(vessel) < 0.08 * np.count_nonzero(body.masks["liver"])


def test_the_cortex_of_a_kidney_surrounds_its_medulla(bodies):
    for body in bodies[:4]:
        for side in ("LEFT", "RIGHT"):
            medulla = body.tissue == Tissue[f"KIDNEY_{side}_MEDULLA"]
            whole = body.masks[f"kidney_{side.lower()}"]
            assert not (medulla & ~binary_erosion(whole)).any()
            assert 0.1 < medulla.sum() / whole.sum() < 0.5


def test_a_femur_has_its_head_in_the_socket(bodies):
    for body in bodies[:4]:
        for side in ("left", "right"):
            femur = body.masks[f"femur_{side}"]
            top = np.argwhere(femur)[:, 2].max()
            head = femur.copy()
            head[..., : top - 8] = False
            around = body.tissue[binary_dilation(head, iterations=3) & ~femur]
            assert np.isin(around, [Tissue.CORTICAL_BONE, Tissue.MARROW]).mean() > 0.15


def test_the_gall_bladder_touches_the_liver(bodies):
    for body in bodies:
        assert (binary_dilation(body.masks["gall_bladder"], iterations=2) & body.masks["liver"]).any()
