import math

import numpy as np
import pandas as pd
import pingouin
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from wirsung.evaluation.icc import icc

# Shrout and Fleiss 1979, table 2: six subjects, four judges.
JUDGES = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
FORMS = ("ICC(1,1)", "ICC(A,1)", "ICC(C,1)")


@pytest.mark.parametrize(
    ("form", "value", "interval"),
    [
        ("ICC(1,1)", 0.17, (-0.13, 0.72)),
        ("ICC(A,1)", 0.29, (0.02, 0.76)),
        ("ICC(C,1)", 0.71, (0.34, 0.95)),
    ],
)
def test_the_published_example(form, value, interval):
    found = icc(JUDGES, form)
    assert round(found.value, 2) == value
    assert (round(found.low, 2), round(found.high, 2)) == interval
    assert (found.subjects, found.raters) == (6, 4)


def long_form(table):
    return pd.DataFrame(
        [(row, column, value) for row, line in enumerate(table) for column, value in enumerate(line)],
        columns=["subject", "rater", "value"],
    )


# Pingouin calls pandas in a way that newer ones announce to drop.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize(("seed", "subjects", "raters"), [(0, 4, 2), (1, 7, 3), (2, 12, 4), (3, 30, 2)])
def test_values_and_p_equal_pingouins(seed, subjects, raters):
    generator = np.random.default_rng(seed)
    table = generator.normal(80, 20, (subjects, 1)) + generator.normal(2, 10, (subjects, raters))
    theirs = pingouin.intraclass_corr(long_form(table), "subject", "rater", "value").set_index("Type")
    for form in FORMS:
        found = icc(table, form)
        assert found.value == pytest.approx(theirs.loc[form, "ICC"], abs=1e-10)
        assert found.p == pytest.approx(theirs.loc[form, "pval"], abs=1e-10)
        assert (found.low, found.high) == pytest.approx(tuple(theirs.loc[form, "CI95"]), abs=0.00501)


def test_values_follow_from_statsmodels_analysis_of_variance():
    table = np.random.default_rng(5).normal(50, 10, (9, 3)) + np.arange(9)[:, None]
    analysis = anova_lm(ols("value ~ C(subject) + C(rater)", long_form(table)).fit())
    subjects, raters, error = analysis["mean_sq"]
    assert icc(table, "ICC(C,1)").value == pytest.approx(
        (subjects - error) / (subjects + 2 * error), abs=1e-10
    )
    agreement = (subjects - error) / (subjects + 2 * error + 3 / 9 * (raters - error))
    assert icc(table, "ICC(A,1)").value == pytest.approx(agreement, abs=1e-10)


def test_a_constant_shift_costs_agreement_but_not_consistency():
    volumes = np.array([20.0, 35.0, 61.0, 90.0])
    shifted = np.column_stack([volumes, volumes + 10])
    assert icc(shifted, "ICC(C,1)").value == pytest.approx(1, abs=1e-12)
    assert icc(shifted, "ICC(A,1)").value < 0.97


@pytest.mark.parametrize("form", FORMS)
def test_identical_raters_agree_fully(form):
    found = icc([[1.1, 1.1], [2.2, 2.2], [5.3, 5.3]], form)
    assert (found.value, found.low, found.high, found.p) == (1, 1, 1, 0)


def test_a_subject_that_one_rater_left_out_is_left_out():
    assert icc([*JUDGES, [1, math.nan, 2, 3]]) == icc(JUDGES)


@pytest.mark.parametrize("table", [[[1.0, 2.0]], [[3.0, 3.0], [3.0, 3.0]], [[1.0], [2.0]]])
def test_too_little_to_tell_is_undefined(table):
    assert math.isnan(icc(table).value)


@given(st.integers(0, 10_000), st.sampled_from(FORMS), st.floats(0.1, 50), st.floats(-100, 100))
def test_the_unit_does_not_matter(seed, form, factor, shift):
    table = np.random.default_rng(seed).normal(80, 20, (6, 3))
    one, other = icc(table, form), icc(table * factor + shift, form)
    assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high), abs=1e-8)
    assert one.low <= one.value <= one.high
