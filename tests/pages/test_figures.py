import base64
import math
from xml.etree import ElementTree

import pytest

from wirsung.pages.figures import box_plot, line_plot, paired_plot, roc_plot
from wirsung.pages.template import Picture

SVG = "{http://www.w3.org/2000/svg}"


def svg_of(picture: Picture) -> str:
    head, _, content = picture.data_uri.partition(",")
    assert head == "data:image/svg+xml;base64"
    return base64.b64decode(content).decode()


def draw(name: str) -> Picture:
    if name == "box":
        groups = {"liver": {"a": [0.9, 0.8, math.nan], "b": []}, "spleen": {"a": [0.7], "b": [0.1, 0.2]}}
        return box_plot(groups, label="DSC", alternative="words", caption="caption")
    if name == "roc":
        return roc_plot({"a": ([0, 0, 1], [0, 1, 1])}, alternative="words")
    if name == "paired":
        return paired_plot([(0.1, 0.2), (math.nan, 0.3)], labels=("a", "b"), alternative="words")
    curves = {"train": ([0, 1], [1, 0.5]), "validation": ([0, 1], [1, 0.7])}
    return line_plot(curves, labels=("epoch", "loss"), alternative="words")


@pytest.mark.parametrize("name", ["box", "roc", "paired", "line"])
def test_a_figure_is_one_self_contained_svg_with_words(name):
    picture = draw(name)
    root = ElementTree.fromstring(svg_of(picture))
    assert root.tag == f"{SVG}svg"
    assert picture.alternative == "words"
    links = [value for item in root.iter() for key, value in item.attrib.items() if key.endswith("href")]
    assert all(link.startswith("#") for link in links)


@pytest.mark.parametrize("name", ["box", "roc", "paired", "line"])
def test_the_same_numbers_give_the_same_figure(name):
    assert draw(name).data_uri == draw(name).data_uri


def test_ink_follows_the_page():
    text = svg_of(draw("box"))
    assert "currentColor" in text
    assert "prefers-color-scheme:dark" in text


def test_figures_of_nothing_can_be_drawn():
    box_plot({"liver": {"a": []}}, label="DSC", alternative="none")
    paired_plot([], labels=("a", "b"), alternative="none")


def test_no_global_state_of_pyplot_is_touched():
    import sys

    draw("box")
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
