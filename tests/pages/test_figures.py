import base64
import math
from xml.etree import ElementTree

import pytest

from wirsung.pages.figures import (
    Curve,
    ForestRow,
    Line,
    Marker,
    bland_altman_plot,
    box_plot,
    forest_plot,
    froc_plot,
    line_plot,
    paired_plot,
    roc_plot,
)
from wirsung.pages.template import Picture

SVG = "{http://www.w3.org/2000/svg}"


NAMES = ["box", "roc", "roc with band", "froc", "paired", "bland-altman", "forest", "line"]


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
    if name == "roc with band":
        curve = Curve([0, 0, 1], [0, 1, 1], [0, 1], [0.2, 0.9], [0.8, 1])
        return roc_plot({"a": curve}, alternative="words", markers=[Marker("Youden", 0, 1)])
    if name == "froc":
        curve = Curve([0, 1, 3], [0.2, 0.7, 0.8], [0, 3], [0.1, 0.6], [0.3, 0.9])
        return froc_plot({"a": curve}, alternative="words")
    if name == "bland-altman":
        lines = [Line("bias", 1.0, 0.5, 1.5), Line("upper limit", 3.0)]
        return bland_altman_plot(
            [(10, 11), (20, math.nan), (5, 7)], lines, labels=("a", "b"), alternative="words"
        )
    if name == "forest":
        rows = [
            ForestRow("sex"),
            ForestRow("F", 0.8, 0.7, 0.9, "n = 3"),
            ForestRow("M", 0.7, note="n = 1", series=1),
        ]
        return forest_plot(rows, label="DSC", alternative="words", names=("a", "b"), line=0.75)
    curves = {"train": ([0, 1], [1, 0.5]), "validation": ([0, 1], [1, 0.7])}
    return line_plot(curves, labels=("epoch", "loss"), alternative="words")


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_one_self_contained_svg_with_words(name):
    picture = draw(name)
    root = ElementTree.fromstring(svg_of(picture))
    assert root.tag == f"{SVG}svg"
    assert picture.alternative == "words"
    links = [value for item in root.iter() for key, value in item.attrib.items() if key.endswith("href")]
    assert all(link.startswith("#") for link in links)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_numbers_give_the_same_figure(name):
    assert draw(name).data_uri == draw(name).data_uri


def test_ink_follows_the_page():
    text = svg_of(draw("box"))
    assert "currentColor" in text
    assert "prefers-color-scheme:dark" in text


def test_figures_of_nothing_can_be_drawn():
    box_plot({"liver": {"a": []}}, label="DSC", alternative="none")
    paired_plot([], labels=("a", "b"), alternative="none")
    bland_altman_plot([], [], labels=("a", "b"), alternative="none")
    forest_plot([], label="DSC", alternative="none")
    froc_plot({}, alternative="none")
    roc_plot({}, alternative="none")


def test_no_global_state_of_pyplot_is_touched():
    import sys

    draw("box")
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_of_many_curves_only_the_first_has_its_band():
    curve = Curve([0, 0, 1], [0, 1, 1], [0, 1], [0.2, 0.9], [0.8, 1])
    few = roc_plot(dict.fromkeys("abc", curve), alternative="w", caption="ROC.")
    many = froc_plot(dict.fromkeys("abcd", curve), alternative="w", caption="FROC.")
    assert svg_of(few).count('id="FillBetween') == 3
    assert svg_of(many).count('id="FillBetween') == 1
    assert few.caption == "ROC."
    assert many.caption == "FROC. Of so many curves only the first has its band."
