import base64
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.pages.drawing import COLOURS, as_picture, colour_of, draw_points, new_axes, spread, thinned


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.integers(2, 20))
def test_thinning_keeps_the_extremes_and_no_more_than_asked(numbers, most):
    values = np.array(numbers)
    kept = thinned(values, most)
    assert len(kept) == len(set(kept.tolist())) == min(len(values), most)
    assert values[kept].min() == values.min()
    assert values[kept].max() == values.max()


def test_every_dot_is_in_the_picture():
    figure, axes = new_axes(2)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    draw_points(axes, np.array([0.1, 0.5, 0.9]), np.array([0.2, 0.2, 0.8]), COLOURS[0])
    svg = base64.b64decode(as_picture(figure, "w", "").data_uri.partition(",")[2]).decode()
    places = re.findall(r"M ([\d.]+) ([\d.]+)h0", svg)
    across = [float(place[0]) for place in places]
    up = [float(place[1]) for place in places]
    assert len(places) == 3
    assert across[2] - across[1] == pytest.approx(across[1] - across[0], abs=0.2)
    # SVG's axis points down.
    assert up[0] == up[1] > up[2]


def test_a_figure_is_shown_at_its_own_size():
    figure, _ = new_axes(2, 4)
    assert as_picture(figure, "w", "").width_px == 384


def test_colours_go_round():
    assert colour_of(len(COLOURS)) == COLOURS[0]


def test_a_range_of_one_value_has_room():
    low, high = spread([2.0])
    assert low < 2 < high
    assert spread([]) < (1.0, 2.0)


def relative_luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("paper", ["#ffffff", "#182229"])
def test_the_first_colours_stand_out_on_both_papers(paper):
    # WCAG 2 asks 3 : 1 of graphics; the page's papers are in page.css.
    for colour in COLOURS[:2]:
        light, dark = sorted((relative_luminance(colour), relative_luminance(paper)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3
