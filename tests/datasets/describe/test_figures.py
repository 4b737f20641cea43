import base64
import re

import numpy as np

from wirsung.datasets.describe.coverage import Coverage
from wirsung.datasets.describe.figures import (
    MOST_PANELS,
    bin_edges,
    coverage_picture,
    histogram,
    most_common_levels,
    pattern_picture,
    quantile_plot,
    small_multiples,
)
from wirsung.datasets.describe.missing import Missing, Pattern

NAN = np.nan


def svg(picture):
    return base64.b64decode(picture.data_uri.partition(",")[2]).decode()


def test_every_value_lies_in_a_bin_and_bins_are_as_many_as_values_warrant():
    for values in (np.arange(8.0), np.arange(1000.0), np.array([5.0]), np.geomspace(1, 1000, 50)):
        edges, _ = bin_edges(values)
        assert np.histogram(values, edges)[0].sum() == values.size
        assert 4 <= len(edges) - 1 <= 24
    assert len(bin_edges(np.arange(8.0))[0]) - 1 == 4
    assert len(bin_edges(np.arange(1000.0))[0]) - 1 == 20


def test_values_that_vary_by_factors_get_a_logarithmic_axis_and_zero_does_not():
    assert bin_edges(np.array([1.0, 60.0]))[1]
    assert not bin_edges(np.array([0.0, 60.0]))[1]
    assert not bin_edges(np.array([1.0, 10.0]))[1]


def test_nothing_known_is_drawn_as_an_empty_axis():
    assert svg(histogram({"a": np.array([NAN])}, label="x", alternative="y")).startswith("<svg")


def test_each_dataset_has_its_outline():
    values = {"first": np.arange(30.0), "second": np.array([1.0, NAN, 3.0])}
    picture = histogram(values, label="age", alternative="ages", caption="below")
    assert (picture.alternative, picture.caption) == ("ages", "below")
    for colour in ("#0072b2", "#d55e00"):
        assert colour in svg(picture)


def test_the_commonest_levels_are_drawn_and_the_others_counted():
    levels = [f"c{number:02d}" for number in range(12) for _ in range(number + 1)]
    values = np.arange(len(levels), dtype=float)
    shown, left_out = most_common_levels(values, levels)
    assert (shown[0], len(shown), left_out) == ("c11", MOST_PANELS, 3)
    picture = small_multiples(values, levels, label="x", alternative="y")
    assert "The 9 commonest of 12 are shown." in picture.caption


def test_a_level_whose_values_are_unknown_is_not_drawn():
    assert most_common_levels(np.array([NAN, 1.0]), ["a", "b"]) == (["b"], 0)


def test_a_missing_value_is_a_filled_square():
    found = Missing(3, {"age": 1, "sex": 0}, (Pattern((), 2), Pattern(("age",), 1)))
    picture = pattern_picture(found, alternative="gaps")
    assert len(re.findall(r"fill: ?#d55e00", svg(picture))) == 1


def test_coverage_and_quantiles_are_drawn_for_every_row():
    found = {"liver": Coverage(3, 0, 0), "spleen": Coverage(1, 1, 1), "none": Coverage(0, 0, 0)}
    assert "#e69f00" in svg(coverage_picture(found, alternative="coverage"))
    groups = {"liver": {"a": np.array([1.0, 2.0, 0.0, NAN])}, "spleen": {"a": np.array([])}}
    assert "#0072b2" in svg(quantile_plot(groups, label="ml", alternative="volumes", is_log=True))
