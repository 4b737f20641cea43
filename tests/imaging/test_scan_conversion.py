import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path

from wirsung.imaging.scan_conversion import enclosed_area, fill_contours

SHAPE = (60, 50)


def circle(x, y, radius, points=720):
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)


def box(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=float)


def centres():
    return np.stack(np.meshgrid(np.arange(SHAPE[0]), np.arange(SHAPE[1]), indexing="ij"), axis=-1)


def test_a_circle_holds_the_centres_within_its_radius():
    filled = fill_contours([circle(30.2, 24.7, 15.3, 20000)], SHAPE)
    expected = ((centres() - [30.2, 24.7]) ** 2).sum(axis=-1) < 15.3**2
    assert np.array_equal(filled, expected)


@pytest.mark.parametrize("radius", [4.0, 9.0, 19.0])
def test_a_circles_area_is_right(radius):
    rng = np.random.default_rng(0)
    areas = [
        fill_contours([circle(*(25 + rng.random(2)), radius)], SHAPE).sum() for _ in range(40)
    ]  # the mean over places has no bias, whatever the grid
    assert np.mean(areas) == pytest.approx(np.pi * radius**2, rel=0.01)
    assert enclosed_area([circle(25, 25, radius)]) == pytest.approx(np.pi * radius**2, rel=1e-4)


def test_a_contour_inside_another_one_is_a_hole():
    ring = fill_contours([circle(30, 25, 20), circle(30, 25, 10)], SHAPE)
    far = np.hypot(*(centres() - [30, 25]).transpose(2, 0, 1))
    expected = (far < 20) & (far > 10)
    is_clear = (np.abs(far - 20) > 0.01) & (np.abs(far - 10) > 0.01)
    assert np.array_equal(ring[is_clear], expected[is_clear])


def test_a_keyhole_is_the_same_as_a_hole():
    outer, inner = circle(30.3, 25.4, 20), circle(30.3, 25.4, 10)
    keyhole = np.concatenate([outer, outer[:1], inner[:1], inner[::-1]])
    assert np.array_equal(fill_contours([keyhole], SHAPE), fill_contours([outer, inner], SHAPE))
    assert not fill_contours([keyhole], SHAPE)[30, 25]


def test_a_hole_may_hold_an_island():
    filled = fill_contours([circle(30, 25, 20), circle(30, 25, 12), circle(30, 25, 4)], SHAPE)
    assert [filled[30, 25], filled[38, 25], filled[45, 25]] == [True, False, True]


def test_of_two_areas_that_share_an_edge_each_centre_is_in_one():
    left, right = box(5, 5, 20, 30), box(20, 5, 40, 30)
    both = fill_contours([left], SHAPE).astype(int) + fill_contours([right], SHAPE)
    assert both.max() == 1
    assert both.sum() == 35 * 25


def test_a_voxels_own_edges_enclose_it():
    filled = fill_contours([box(6.5, 7.5, 7.5, 8.5)], SHAPE)
    assert np.argwhere(filled).tolist() == [[7, 8]]


def test_what_lies_beyond_the_plane_is_cut_off():
    assert fill_contours([box(-10, -10, 100, 100)], SHAPE).all()
    assert not fill_contours([box(-10, -10, -2, 100)], SHAPE).any()
    assert not fill_contours([box(-10, 70, 80, 100)], SHAPE).any()


def test_where_a_contour_starts_and_which_way_it_runs_makes_no_difference():
    points = circle(30.1, 25.2, 14, 37)
    expected = fill_contours([points], SHAPE)
    assert np.array_equal(fill_contours([points[::-1]], SHAPE), expected)
    assert np.array_equal(fill_contours([np.roll(points, 11, axis=0)], SHAPE), expected)
    assert np.array_equal(fill_contours([np.concatenate([points, points[:1]])], SHAPE), expected)


@given(
    st.lists(
        st.tuples(st.floats(0.01, 59), st.floats(0.01, 49)).map(lambda p: (p[0] + 0.0037, p[1] + 0.0041)),
        min_size=3,
        max_size=12,
        unique=True,
    )
)
def test_simple_polygons_agree_with_matplotlib(points):
    # Sorted around their middle they are star-shaped, so that the even-odd rule and the winding rule agree.
    points = np.array(points)
    middle = points.mean(axis=0)
    angles = np.arctan2(*(points - middle).T[::-1])
    points = points[np.argsort(angles)]
    polygon = Path(np.concatenate([points, points[:1]]), closed=True)
    inside = polygon.contains_points(centres().reshape(-1, 2)).reshape(SHAPE)
    differs = fill_contours([points], SHAPE) != inside
    # Centres within a rounding of an edge may be decided either way.
    assert all(_distance(points, centre) < 1e-5 for centre in centres()[differs])


def _distance(points, centre):
    start, end = points, np.roll(points, -1, axis=0)
    along = end - start
    share = ((centre - start) * along).sum(axis=1) / np.maximum((along**2).sum(axis=1), 1e-30)
    nearest = start + np.clip(share, 0, 1)[:, None] * along
    return np.hypot(*(nearest - centre).T).min()
