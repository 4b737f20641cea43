import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats import inter_rater

from wirsung.evaluation.kappa import cohen_kappa, fleiss_kappa, kappa_of_table
from wirsung.evaluation.overlap import Overlap

tables = st.integers(2, 5).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(0, 30), min_size=size, max_size=size), min_size=size, max_size=size
    )
)


@given(tables, st.sampled_from([None, "linear", "quadratic"]))
def test_cohens_kappa_and_its_error_equal_statsmodels(table, weights):
    counts = np.array(table)
    found = kappa_of_table(counts, weights=weights)
    if math.isnan(found.value):
        assert (counts > 0).sum() <= 1
        return
    # statsmodels divides by 0 in the variance under the null, which is not compared.
    with np.errstate(all="ignore"):
        theirs = inter_rater.cohens_kappa(counts, wt=weights)
    assert found.value == pytest.approx(theirs.kappa, abs=1e-10)
    assert found.se**2 == pytest.approx(theirs.var_kappa, abs=1e-10)
    assert found.low == pytest.approx(max(-1, theirs.kappa - 1.959963984540054 * found.se), abs=1e-10)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_cohens_kappa_of_ratings_equals_scikit_learns(weights):
    generator = np.random.default_rng(1)
    first = generator.integers(0, 4, 60)
    second = np.where(generator.random(60) < 0.6, first, generator.integers(0, 4, 60))
    found = cohen_kappa(first.tolist(), second.tolist(), weights=weights)
    assert found.value == pytest.approx(cohen_kappa_score(first, second, weights=weights), abs=1e-12)


def test_cohens_kappa_of_the_textbook():
    # Fleiss, Cohen and Everitt 1969: two psychologists, 200 patients; kappa 0.429, its error 0.054.
    shares = [[0.53, 0.05, 0.02], [0.11, 0.14, 0.05], [0.01, 0.06, 0.03]]
    found = kappa_of_table(np.array(shares) * 200)
    assert found.value == pytest.approx(0.429, abs=5e-4)
    assert found.se == pytest.approx(0.054, abs=1e-3)


def test_voxelwise_kappa_of_a_mask_is_cohens_of_its_four_counts():
    mask = Overlap(intersection=40, reference=55, prediction=60, voxels=500)
    assert mask.kappa == pytest.approx(kappa_of_table([[425, 20], [15, 40]]).value, abs=1e-12)


def test_two_raters_who_always_say_the_same_one_category_have_no_kappa():
    found = cohen_kappa(["benign"] * 5, ["benign"] * 5, categories=["benign", "malignant"])
    assert math.isnan(found.value)
    assert "same category" in found.interval
    assert found.observed == found.expected == 1


def test_one_constant_rater_agrees_no_more_than_by_chance():
    assert cohen_kappa([1, 1, 1, 1], [1, 2, 1, 2]).value == 0


def test_full_agreement_is_one_with_no_spread():
    found = cohen_kappa([1, 2, 3, 1], [1, 2, 3, 1], weights="quadratic")
    assert (found.value, found.low, found.high) == pytest.approx((1, 1, 1))


def test_nobody_rated_is_undefined():
    assert "no subject" in cohen_kappa([], []).interval
    assert "no subject" in fleiss_kappa(np.zeros((0, 3))).interval


def test_numbers_are_ordered_by_size_for_weights():
    first, second = [2, 10, 10, 2, 3], [2, 10, 3, 3, 3]
    by_name = cohen_kappa(first, second, categories=[2, 3, 10], weights="linear")
    assert cohen_kappa(first, second, weights="linear").value == pytest.approx(by_name.value)


# Fleiss 1971: 30 patients, 6 psychiatrists, 5 diagnoses; kappa 0.430 there.
FLEISS_1971 = """
0 0 0 6 0  0 3 0 0 3  0 1 4 0 1  0 0 0 0 6  0 3 0 3 0  2 0 4 0 0  0 0 4 0 2  2 0 3 1 0  2 0 0 4 0  0 0 0 0 6
1 0 0 5 0  1 1 0 4 0  0 3 3 0 0  1 0 0 5 0  0 2 0 3 1  0 0 5 0 1  3 0 0 1 2  5 1 0 0 0  0 2 0 4 0  1 0 2 0 3
0 0 0 0 6  0 1 0 5 0  0 2 0 1 3  2 0 0 4 0  1 0 0 4 1  0 5 0 1 0  4 0 0 0 2  0 2 0 4 0  1 0 5 0 0  0 0 0 0 6
"""


def test_fleiss_kappa_of_his_own_paper():
    table = np.array(FLEISS_1971.split(), dtype=int).reshape(30, 5)
    found = fleiss_kappa(table)
    assert found.value == pytest.approx(0.430, abs=5e-4)
    assert found.value == pytest.approx(inter_rater.fleiss_kappa(table), abs=1e-12)
    assert found.observed == pytest.approx(0.555, abs=1e-3)
    assert found.expected == pytest.approx(0.220, abs=1e-3)


@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 5))
def test_fleiss_kappa_equals_statsmodels(seed, raters, categories):
    table = np.random.default_rng(seed).multinomial(raters, np.full(categories, 1 / categories), size=12)
    found = fleiss_kappa(table, resamples=50)
    if not math.isnan(found.value):
        assert found.value == pytest.approx(inter_rater.fleiss_kappa(table), abs=1e-10)


def test_fleiss_interval_holds_the_value_and_follows_the_seed():
    table = np.array(FLEISS_1971.split(), dtype=int).reshape(30, 5)
    found = fleiss_kappa(table, seed=3)
    assert -1 <= found.low < found.value < found.high <= 1
    assert fleiss_kappa(table, seed=3) == found
    assert fleiss_kappa(table, seed=4).low != found.low


def test_fleiss_kappa_of_one_category_only_is_undefined():
    assert "one category" in fleiss_kappa([[3, 0], [3, 0]]).interval


def test_fleiss_kappa_of_one_subject_has_no_interval():
    found = fleiss_kappa([[2, 1]])
    assert math.isnan(found.low)
    assert found.interval == "no interval: one subject"


@pytest.mark.parametrize("table", [[[3, 0], [1, 1]], [[1, 0], [0, 1]]])
def test_fleiss_kappa_needs_as_many_ratings_of_every_subject(table):
    with pytest.raises(ValueError, match="same number of ratings"):
        fleiss_kappa(table)
