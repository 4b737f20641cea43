import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from wirsung.evaluation.compare_inputs import ScoredMethod
from wirsung.evaluation.compare_pairs import Rules, compare_methods
from wirsung.evaluation.statistics import compare

NAN = math.nan


def method(name, **tables):
    """Tables as pancreas__dsc={"a": 0.5, "b": "both_empty"}."""
    made = {
        tuple(key.split("__")): {
            case: (NAN, value) if isinstance(value, str) else (value, None) for case, value in table.items()
        }
        for key, table in tables.items()
    }
    return ScoredMethod(name, Path(name), tables=made)


def drawn(name, seed, cases=20, structures=("pancreas", "liver")):
    generator = np.random.default_rng(seed)
    tables = {
        f"{s}__dsc": {f"c{i}": float(v) for i, v in enumerate(generator.random(cases))} for s in structures
    }
    return method(name, **tables)


def test_every_pair_is_compared_once_in_the_order_of_the_methods():
    found = compare_methods([drawn("A", 1), drawn("B", 2), drawn("C", 3)], ["pancreas"], ["dsc"], Rules())
    assert [(pair.first, pair.second) for pair in found] == [("A", "B"), ("A", "C"), ("B", "C")]


def test_a_pair_says_what_compare_says_of_its_two_columns():
    first, second = drawn("A", 1), drawn("B", 2)
    found = compare_methods([first, second, drawn("C", 3)], ["liver"], ["dsc"], Rules(seed=5))[0]
    columns = [
        [table[case][0] for case in sorted(table)]
        for table in (one.tables["liver", "dsc"] for one in (first, second))
    ]
    # But for the order in which many columns are summed.
    assert asdict(found.comparison) == pytest.approx(asdict(compare(*columns, seed=5)), abs=1e-12)


def test_holm_goes_over_all_pairs_and_structures_of_a_metric():
    found = compare_methods(
        [drawn("A", 1), drawn("B", 2), drawn("C", 3)], ["pancreas", "liver"], ["dsc"], Rules()
    )
    assert len(found) == 6
    for given, adjusted in (("p_wilcoxon", "p_holm"), ("p_t", "p_t_holm")):
        theirs = multipletests([getattr(pair.comparison, given) for pair in found], method="holm")[1]
        assert [getattr(pair, adjusted) for pair in found] == pytest.approx(theirs.tolist(), abs=1e-10)


def test_a_case_that_one_method_lacks_is_left_out_of_its_pairs_only():
    methods = [drawn("A", 1), drawn("B", 2), drawn("C", 3, cases=15)]
    found = compare_methods(methods, ["pancreas"], ["dsc"], Rules())
    assert [pair.comparison.n for pair in found] == [20, 15, 15]
    assert [pair.left_out for pair in found] == [{}, {"not_scored": 5}, {"not_scored": 5}]
    assert found[1].comparison.left_out == 5


def test_cases_are_left_out_by_reason():
    first = method("A", pancreas__dsc={"a": 0.5, "b": "both_empty", "c": "prediction_missing", "d": 0.4})
    second = method("B", pancreas__dsc={"a": 0.6, "b": "both_empty", "c": 0.5, "d": "case_failed"})
    found = compare_methods([first, second], ["pancreas"], ["dsc"], Rules())[0]
    assert found.left_out == {"both_empty": 1, "case_failed": 1, "prediction_missing": 1}
    assert found.comparison.n == 1
    # a is better, c beats a missing prediction, d loses to a defined score; b is known of neither.
    assert (found.wins, found.ties, found.losses) == (2, 0, 1)


def test_of_a_distance_less_is_better_and_a_missed_structure_loses():
    first = method("A", pancreas__hd95={"a": 5.0, "b": 3.0, "c": 4.0, "d": "prediction_empty", "e": 2.0})
    second = method(
        "B", pancreas__hd95={"a": 4.0, "b": "prediction_empty", "c": 4.0, "d": "prediction_empty", "e": 3.0}
    )
    found = compare_methods([first, second], ["pancreas"], ["hd95"], Rules())[0]
    assert (found.wins, found.ties, found.losses) == (1, 2, 2)


def test_of_a_volume_nobody_wins():
    first, second = (
        method(name, pancreas__volume_ml={"a": value, "b": 80.0})
        for name, value in (("A", 70.0), ("B", 75.0))
    )
    found = compare_methods(
        [first, second], ["pancreas"], ["volume_ml"], Rules(non_inferiority_margins={"volume_ml": 5})
    )[0]
    assert (found.wins, found.ties, found.losses, found.non_inferiority) == (None, None, None, None)
    assert found.comparison.mean_difference == 2.5


def test_own_metrics_may_be_better_low():
    rules = Rules(lower_is_better=frozenset({"edit_minutes"}))
    assert rules.higher_is_better("edit_minutes") is False
    assert rules.higher_is_better("quality") is True


def test_margins_hold_for_their_metric_only():
    rules = Rules(equivalence_margins={"dsc": 0.5}, non_inferiority_margins={"dsc": 0.5})
    found = compare_methods([drawn("A", 1), drawn("B", 2)], ["pancreas"], ["dsc"], rules)[0]
    assert found.equivalence.equivalent
    assert found.non_inferiority.non_inferior
    assert (
        compare_methods([drawn("A", 1), drawn("B", 2)], ["pancreas"], ["dsc"], Rules())[0].equivalence is None
    )


def test_cases_of_one_patient_are_one_difference_in_the_tests():
    first, second = drawn("A", 1), drawn("B", 2)
    patients = {f"c{i}": f"p{i // 2}" for i in range(20)}
    found = compare_methods([first, second], ["pancreas"], ["dsc"], Rules(patients))[0]
    tables = [one.tables["pancreas", "dsc"] for one in (first, second)]
    differences = np.array([tables[1][f"c{i}"][0] - tables[0][f"c{i}"][0] for i in range(20)])
    of_patients = differences.reshape(10, 2).mean(axis=1)
    assert (found.comparison.n, found.comparison.patients) == (20, 10)
    assert found.comparison.p_t == pytest.approx(stats.ttest_1samp(of_patients, 0).pvalue, abs=1e-10)
    assert found.comparison.p_wilcoxon == pytest.approx(stats.wilcoxon(of_patients).pvalue, abs=1e-10)


def test_methods_without_a_case_in_common_have_no_difference():
    first, second = method("A", pancreas__dsc={"a": 0.5}), method("B", pancreas__dsc={"b": 0.5})
    found = compare_methods([first, second], ["pancreas"], ["dsc"], Rules())[0]
    assert (found.comparison.n, found.left_out) == (0, {"not_scored": 2})
    assert math.isnan(found.p_holm)
