from pathlib import Path

import numpy as np
import pytest

from wirsung.evaluation.compare_inputs import ScoredMethod
from wirsung.evaluation.compare_pairs import Rules, compare_methods
from wirsung.evaluation.compare_pictures import comparison_pictures, p_cell
from wirsung.evaluation.compared import Compared
from wirsung.evaluation.statistics import summarise

STRUCTURES = ("pancreas", "liver", "common_bile_duct")


def compared(count, metric="dsc"):
    methods = []
    for index in range(count):
        generator = np.random.default_rng(index)
        tables = {
            (structure, metric): {f"c{i}": (float(v), None) for i, v in enumerate(generator.random(8))}
            for structure in STRUCTURES
        }
        methods.append(ScoredMethod(f"net{index}", Path(), tables=tables))
    summaries = {
        method.name: {
            structure: {
                metric: summarise([v for v, _ in method.tables[structure, metric].values()], [None] * 8)
            }
            for structure in STRUCTURES
        }
        for method in methods
    }
    pairs = compare_methods(methods, STRUCTURES, [metric], Rules())
    return Compared(tuple(methods), STRUCTURES, (metric,), summaries, pairs, Rules(), 8)


def test_two_methods_are_drawn_by_structure():
    means, differences = comparison_pictures(compared(2), "dsc")
    assert "DSC of the pancreas of each method: net0 0." in means.alternative
    assert "common bile duct, net1 minus net0" in differences.alternative
    assert "net1 minus net0, mean difference" in differences.caption
    assert "Right of 0 it is better." in differences.caption


def test_a_few_methods_are_drawn_pair_by_pair():
    _, differences = comparison_pictures(compared(3, "hd95"), "hd95")
    assert differences.alternative.count(" minus ") == 3
    assert "liver" not in differences.alternative
    assert "Left of 0 it is better." in differences.caption


def test_of_many_methods_only_the_means_are_drawn():
    (means,) = comparison_pictures(compared(7), "dsc")
    assert "net6" in means.alternative


@pytest.mark.parametrize(("p", "text"), [(0.0004, "< 0.001"), (0.0312, "0.031"), (float("nan"), "–")])
def test_a_p_has_three_digits(p, text):
    assert p_cell(p).text == text
