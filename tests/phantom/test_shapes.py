"""Shapes against what geometry says of them."""

from dataclasses import replace

import numpy as np
import pytest

from wirsung.phantom.canvas import Canvas
from wirsung.phantom.frame import Frame
from wirsung.phantom.grid import Grid
from wirsung.phantom.patient import draw_patient
from wirsung.phantom.shapes import curve, ellipsoid, smooth_maximum, smooth_minimum
from wirsung.phantom.tissues import Tissue


@pytest.fixture
def still():
    """A patient whose anatomy is the standard one."""
    drawn = draw_patient(np.random.default_rng(0))
    nothing = (0.0, 0.0, 0.0)
    return replace(drawn, size=(1.0, 1.0, 1.0), rotation_deg=nothing, shift_mm=nothing, deformation_mm=0.0)


def _volume_ml(patient, solid, spacing, step_mm):
    shape = tuple(int(120 / s) for s in spacing)
    canvas = Canvas(Frame(patient, Grid.centred(shape, spacing)))
    canvas.paint(solid, Tissue.LIVER, step_mm=step_mm)
    return np.count_nonzero(canvas.tissue) * np.prod(spacing) / 1000


@pytest.mark.parametrize("step_mm", [0.0, 3.0])
@pytest.mark.parametrize("rotation", [(0, 0, 0), (20, -35, 70)])
def test_an_ellipsoid_has_its_volume(still, rotation, step_mm):
    solid = ellipsoid((3, -4, 5), (40, 20, 12), rotation)
    assert _volume_ml(still, solid, (1.0, 1.3, 1.6), step_mm) == pytest.approx(4 / 3 * np.pi * 9.6, rel=0.015)


def test_a_straight_tube_is_a_cylinder_with_round_ends(still):
    solid = curve([(-30, -8, 4), (30, 9, -7)], [8, 8])
    length = np.linalg.norm([60, 17, 11])
    expected = (np.pi * 64 * length + 4 / 3 * np.pi * 512) / 1000
    assert _volume_ml(still, solid, (1.0, 1.0, 1.0), 0.0) == pytest.approx(expected, rel=0.015)


def test_a_curve_passes_through_its_points():
    tube = curve([(0, 0, 0), (10, 5, 0), (30, 5, 10)], [1, 2, 3], 0.5)
    for point in ((0, 0, 0), (10, 5, 0), (30, 5, 10)):
        assert np.linalg.norm(tube.points - point, axis=1).min() < 0.3
    assert (tube.radii[0], tube.radii[-1]) == (1, 3)


def test_an_ellipsoid_lies_in_its_box():
    solid = ellipsoid((1, 2, 3), (30, 10, 5), (10, 50, -20))
    points = np.random.default_rng(0).uniform(-40, 40, (20000, 3)).astype(np.float32)
    inside = points[solid.function(*points.T) < 0]
    assert (inside >= solid.lower).all()
    assert (inside <= solid.upper).all()
    assert inside.max(axis=0) == pytest.approx(solid.upper, abs=2.5)


def test_blending_only_adds_near_the_seam():
    a, b = np.array([-3.0, 1.0, 9.0]), np.array([5.0, 1.0, 1.0])
    assert smooth_minimum(a, b, 4.0).tolist() == [-3.0, 0.0, 1.0]
    assert smooth_maximum(a, b, 4.0).tolist() == [5.0, 2.0, 9.0]
