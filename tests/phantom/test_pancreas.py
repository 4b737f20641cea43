"""The pancreas in its regions."""

import numpy as np

from wirsung.phantom.frame import Frame
from wirsung.phantom.vessels import vessels


def test_regions_follow_the_borders_of_the_annotation_standard(bodies):
    for body in bodies[:6]:
        at = Frame(body.patient, body.grid).whole(0.0)
        tubes = vessels(body.patient)
        vein, aorta = tubes.superior_mesenteric_vein_left_mm, tubes.aorta_left_mm
        assert at.x[body.masks["pancreas_head"]].min() >= vein
        assert at.x[body.masks["pancreas_body"]].max() < vein
        assert at.x[body.masks["pancreas_body"]].min() >= aorta
        assert at.x[body.masks["pancreas_tail"]].max() < aorta


def test_the_head_lies_right_of_the_vein_in_the_patient_too(bodies):
    for body in bodies:
        head = np.argwhere(body.masks["pancreas_head"])[:, 0]
        veins = body.masks["veins"]
        low = np.argwhere(veins)[:, 2].min()
        mesenteric = np.argwhere(veins[..., low : low + 8])[:, 0]
        assert head.mean() > mesenteric.mean()
        assert head.min() >= mesenteric.min() - 4


def test_the_tail_ends_near_the_spleen(bodies):
    for body in bodies:
        tail, spleen = np.argwhere(body.masks["pancreas_tail"]), np.argwhere(body.masks["spleen"])
        nearest = min(np.linalg.norm(spleen - point, axis=1).min() for point in tail[::7])
        assert nearest * 4 < 30
