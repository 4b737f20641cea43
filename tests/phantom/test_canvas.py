"""Painting covers, spares and keeps within boxes."""

import numpy as np

from wirsung.phantom.canvas import Canvas, shell_rule
from wirsung.phantom.frame import Frame
from wirsung.phantom.grid import Grid
from wirsung.phantom.patient import draw_patient
from wirsung.phantom.shapes import ellipsoid
from wirsung.phantom.tissues import Tissue

GRID = Grid.centred((40, 40, 40), (2.0, 2.0, 2.0))


def _canvas():
    return Canvas(Frame(draw_patient(np.random.default_rng(0)), GRID))


def test_over_and_spare_choose_what_may_be_covered():
    canvas = _canvas()
    canvas.paint(ellipsoid((0, 0, 0), (20, 20, 20)), Tissue.FAT)
    canvas.paint(ellipsoid((10, 0, 0), (20, 20, 20)), Tissue.LIVER, over=(Tissue.FAT,))
    first = canvas.tissue.copy()
    canvas.paint(ellipsoid((0, 10, 0), (20, 20, 20)), Tissue.SPLEEN, spare=(Tissue.LIVER,))
    assert np.count_nonzero(first == Tissue.LIVER) > 1000
    assert ((first == Tissue.LIVER) == (canvas.tissue == Tissue.LIVER)).all()
    assert np.count_nonzero(canvas.tissue == Tissue.SPLEEN) > 1000


def test_boxes_hold_every_painted_voxel():
    canvas = _canvas()
    canvas.paint(ellipsoid((-8, 5, 0), (20, 10, 15)), Tissue.LIVER)
    outside = canvas.tissue.copy()
    outside[canvas.boxes[Tissue.LIVER]] = 0
    assert canvas.tissue.any()
    assert not outside.any()


def test_a_shape_outside_the_grid_paints_nothing():
    canvas = _canvas()
    canvas.paint(ellipsoid((500, 0, 0), (20, 10, 15)), Tissue.LIVER)
    assert not canvas.tissue.any()
    assert Tissue.LIVER not in canvas.boxes


def test_a_shell_surrounds_its_core():
    canvas = _canvas()
    codes = (Tissue.MARROW, Tissue.CORTICAL_BONE)
    canvas.layer(ellipsoid((0, 0, 0), (24, 24, 24)), codes, shell_rule(*codes, 6.0))
    assert canvas.tissue[20, 20, 20] == Tissue.MARROW
    core, whole = np.count_nonzero(canvas.tissue == Tissue.MARROW), np.count_nonzero(canvas.tissue)
    assert 0.32 < core / whole < 0.53  # (18 / 24) cubed is 0.42
