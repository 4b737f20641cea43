"""Measures on masks whose answer is known."""

import numpy as np
import pytest

from wirsung.phantom.grid import Grid
from wirsung.phantom.measure import contact_deg, longest_diameter_mm

GRID = Grid.centred((60, 60, 30), (0.5, 0.5, 1.0))
X, Y, Z = np.meshgrid(*GRID.axes_mm, indexing="ij")
AXIS = np.column_stack([np.zeros(9), np.zeros(9), np.linspace(-8, 8, 9)])


def test_the_longest_diameter_of_an_ellipsoid():
    mask = (X / 12) ** 2 + (Y / 6) ** 2 + (Z / 5) ** 2 < 1
    assert longest_diameter_mm(mask, GRID) == pytest.approx(24, abs=0.6)


def test_the_longest_diameter_of_little():
    mask = np.zeros(GRID.shape, dtype=bool)
    assert longest_diameter_mm(mask, GRID) == 0
    mask[10, 10, 10] = True
    assert longest_diameter_mm(mask, GRID) == 0
    mask[10:30, 10:40, 10] = True
    assert longest_diameter_mm(mask, GRID) == pytest.approx(np.hypot(9.5, 14.5))


@pytest.mark.parametrize("degrees", [0, 45, 90, 180, 270, 360])
def test_a_sector_around_a_cylinder_touches_by_its_angle(degrees):
    radius, angle = np.hypot(X, Y), np.abs(np.arctan2(Y, X))
    vessel = radius < 5
    lesion = (radius >= 5) & (radius < 9) & (angle < np.deg2rad(degrees / 2)) & (np.abs(Z) < 6)
    assert contact_deg(lesion, vessel, GRID, AXIS) == pytest.approx(degrees, abs=12)


def test_a_gap_is_no_contact():
    radius = np.hypot(X, Y)
    assert contact_deg(radius > 7.5, radius < 5, GRID, AXIS) == 0
