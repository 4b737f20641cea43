import math
from pathlib import Path

import pytest
from sklearn.metrics import roc_auc_score

from wirsung.evaluation.case import LESION
from wirsung.evaluation.compare_detection import compare_detection
from wirsung.evaluation.compare_inputs import ScoredMethod
from wirsung.evaluation.delong import compare_aucs

TRUTH = [0.0, 0.0, 1.5, 2.0, 0.0, 3.0]
VOLUMES = {
    "A": [0.0, 1.0, 0.5, 2.0, 0.0, 4.0],
    "B": [0.0, 0.0, 0.4, 1.0, 0.6, 2.0],
    "C": [1.0, 0.0, 0.0, 2.0, 3.0, 1.0],
}
CERTAIN = {"A": [0.1, 0.4, 0.6, 0.9, 0.2, 0.3], "B": [0.2, 0.1, 0.8, 0.7, 0.5, 0.9]}


def table(values):
    return {f"c{i}": (value, None if value == value else "case_failed") for i, value in enumerate(values)}


def method(name, *, probability=False, truth=TRUTH):
    tables = {
        (LESION, "reference_volume_ml"): table(truth),
        (LESION, "volume_ml"): table(VOLUMES[name]),
        (LESION, "dsc"): table([0.5] * 6),
    }
    if probability:
        tables[LESION, "lesion_probability_max"] = table(CERTAIN[name])
    return ScoredMethod(name, Path(name), tables=tables)


def test_volumes_rank_cases_where_nobody_gives_a_probability():
    (found,) = compare_detection([method("A"), method("B")])
    positive = [value > 0 for value in TRUTH]
    assert found.comparison == compare_aucs(positive, VOLUMES["A"], VOLUMES["B"])
    assert found.comparison.first == pytest.approx(roc_auc_score(positive, VOLUMES["A"]), abs=1e-12)
    assert (found.ranked_by, found.cases, found.positives) == ("volume_ml", 6, 3)


def test_probabilities_rank_cases_where_both_have_one_for_every_case():
    (found,) = compare_detection([method("A", probability=True), method("B", probability=True)])
    assert found.ranked_by == "lesion_probability_max"
    assert found.comparison == compare_aucs([value > 0 for value in TRUTH], CERTAIN["A"], CERTAIN["B"])
    (mixed,) = compare_detection([method("A", probability=True), method("B")])
    assert mixed.ranked_by == "volume_ml"


def test_a_case_that_failed_is_left_out():
    first = method("A")
    first.tables[LESION, "volume_ml"]["c0"] = (math.nan, "case_failed")
    (found,) = compare_detection([first, method("B")])
    assert found.cases == 5


def test_every_pair_is_adjusted_together():
    found = compare_detection([method("A"), method("B"), method("C")])
    assert [(pair.first, pair.second) for pair in found] == [("A", "B"), ("A", "C"), ("B", "C")]
    least = min(found, key=lambda pair: pair.comparison.p)
    assert least.p_holm == pytest.approx(min(1, 3 * least.comparison.p))


def test_without_a_healthy_case_there_is_no_test_and_a_reason():
    (found,) = compare_detection([method("A", truth=[1.0] * 6), method("B", truth=[1.0] * 6)])
    assert math.isnan(found.p_holm)
    assert "0 negative" in found.comparison.reason


def test_methods_without_lesions_are_not_compared_by_them():
    assert compare_detection([ScoredMethod("A", Path("A")), method("B")]) == ()
