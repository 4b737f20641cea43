import base64
import re

import numpy as np
import pytest
from matplotlib.cbook import boxplot_stats
from scipy.stats import gaussian_kde

from wirsung.pages import distributions
from wirsung.pages.distributions import FEWEST_FOR_VIOLIN, box_plot
from wirsung.pages.drawing import new_axes


def svg_of(picture) -> str:
    return base64.b64decode(picture.data_uri.partition(",")[2]).decode()


def dots_of(picture) -> int:
    rounded = re.findall(r'<path d="([^"]*)"[^>]*stroke-linecap: round', svg_of(picture))
    return sum(path.count("h0") for path in rounded)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 50])
def test_boxes_and_whiskers_are_matplotlibs(count):
    values = np.random.default_rng(count).lognormal(0, 1, count)
    expected = boxplot_stats(values)[0]
    keys = ("whislo", "q1", "med", "q3", "whishi")
    assert distributions._five_numbers(values) == pytest.approx([expected[key] for key in keys], rel=1e-12)


def test_the_violin_is_a_gaussian_density_of_scotts_width():
    values = np.random.default_rng(0).normal(size=200)
    _, axes = new_axes(2)
    (outline,) = distributions._violin(axes, values, 0.0, 1.0)
    upper = np.array(outline[: len(outline) // 2])
    # Scipy's width is of the sample standard deviation (n - 1), ours of n: 0.25 % for 200 values.
    expected = gaussian_kde(values)(upper[:, 0])
    assert np.abs(-upper[:, 1] - expected / expected.max()).max() < 5e-3


def test_a_violin_ends_where_its_values_end():
    values = np.linspace(0.2, 0.9, 40)
    _, axes = new_axes(2)
    (outline,) = distributions._violin(axes, values, 0.0, 1.0)
    assert min(across for across, _ in outline) == pytest.approx(0.2)
    assert max(across for across, _ in outline) == pytest.approx(0.9)


@pytest.mark.parametrize(
    "values", [np.arange(FEWEST_FOR_VIOLIN - 1.0), np.full(50, 0.7)], ids=["few", "equal"]
)
def test_few_or_equal_values_have_no_violin(values):
    _, axes = new_axes(2)
    assert distributions._violin(axes, values, 0.0, 1.0) == []


def test_a_hundred_values_are_a_hundred_dots():
    values = np.random.default_rng(0).random(100).tolist()
    picture = box_plot({"liver": {"a": values}}, label="DSC", alternative="w", caption="All.")
    assert dots_of(picture) == 100
    assert picture.caption == "All."


def test_of_very_many_values_some_are_drawn_and_the_caption_says_so():
    values = np.random.default_rng(0).random(5000).tolist()
    picture = box_plot({"liver": {"a": values}}, label="DSC", alternative="w")
    assert dots_of(picture) == 200
    assert "At most 200 values of a box are drawn as dots" in picture.caption


def test_distances_may_be_zero_on_the_scale_of_magnitudes():
    picture = box_plot(
        {"liver": {"a": [0.0, 0.0, 3.0, 250.0] * 10}}, label="HD95, mm", alternative="w", scale="log"
    )
    assert dots_of(picture) == 40
