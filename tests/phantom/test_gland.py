"""The gland's course and its duct."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from wirsung.phantom.body import build_body
from wirsung.phantom.frame import Pose
from wirsung.phantom.gland import duct, gland
from wirsung.phantom.grid import Grid
from wirsung.phantom.patient import draw_patient
from wirsung.phantom.tumour import TumourPlan


def test_the_gland_shrinks_with_age():
    patient = draw_patient(np.random.default_rng(0))
    young, old = (gland(replace(patient, age_years=age)) for age in (35, 85))
    assert young.line.radii.sum() > 1.1 * old.line.radii.sum()
    assert (young.line.points == old.line.points).all()


def test_the_duct_stays_within_the_gland():
    patient = draw_patient(np.random.default_rng(0))
    of = gland(patient)
    course, _, _ = duct(of, patient, None, thinnest_mm=0.0)
    for point in course.points[3:]:
        assert np.linalg.norm(of.line.points - point, axis=1).min() < 8


@pytest.mark.parametrize("seed", [0, 1])
def test_a_dilated_duct_is_wide_upstream_and_narrow_downstream(seed):
    plan = TumourPlan("body", 18.0, dilated_duct=True)
    patient = draw_patient(np.random.default_rng(seed), tumour=plan)
    place = Pose(patient).to_patient(np.array([[-70.0, 6.0, 35.0], [36.0, 30.0, -10.0]]))
    widths = []
    for centre in place:
        body = build_body(patient, Grid.centred((60, 60, 60), (0.4, 0.4, 0.4), 0.0, tuple(centre)))
        mask = body.masks["pancreatic_duct"]
        assert mask.any()
        widths.append(2 * 0.4 * distance_transform_edt(mask).max())
    assert 4 <= body.truth.duct_upstream_mm <= 10
    assert 1.5 <= body.truth.duct_downstream_mm <= 3
    assert widths[0] == pytest.approx(body.truth.duct_upstream_mm, abs=1.0)
    assert widths[1] == pytest.approx(body.truth.duct_downstream_mm, abs=0.8)


def test_a_duct_without_a_tumour_is_narrow_and_drawn_at_least_a_voxel_wide(bodies):
    well = bodies[0]
    assert well.truth.duct_upstream_mm == well.truth.duct_downstream_mm
    assert 1.5 <= well.truth.duct_downstream_mm <= 3
    assert np.count_nonzero(well.masks["pancreatic_duct"]) > 20
