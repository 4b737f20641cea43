import math

import numpy as np
import pingouin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import DescrStatsW

from wirsung.evaluation.effects import cohens_dz, rank_biserial

steps = st.lists(st.integers(-9, 9), min_size=3, max_size=30)


@given(steps)
def test_cohens_dz_is_statsmodels_t_over_root_n(values):
    differences = np.array(values, dtype=float)
    if np.ptp(differences) > 0:
        t = DescrStatsW(differences).ttest_mean()[0]
        assert cohens_dz(differences) == pytest.approx(t / math.sqrt(len(values)), abs=1e-10)


@settings(max_examples=15)  # pingouin takes its time
@given(steps)
def test_rank_biserial_equals_pingouins_but_for_zeros(values):
    differences = np.array([value for value in values if value], dtype=float)
    if differences.size > 1:
        theirs = pingouin.wilcoxon(differences, np.zeros(differences.size))
        assert rank_biserial(differences) == pytest.approx(float(theirs["RBC"].iloc[0]), abs=1e-10)


@given(steps)
def test_both_change_sign_with_the_order_of_the_methods(values):
    differences = np.array(values, dtype=float)
    assert rank_biserial(-differences) == pytest.approx(-rank_biserial(differences))
    assert cohens_dz(-differences) == pytest.approx(-cohens_dz(differences), nan_ok=True)


def test_identical_methods_have_no_effect():
    assert cohens_dz(np.zeros(4)) == rank_biserial(np.zeros(4)) == 0


def test_always_higher_is_one():
    assert rank_biserial(np.array([0.1, 0.4, 0.2])) == 1


def test_without_spread_or_cases_the_effect_is_undefined():
    assert math.isnan(cohens_dz(np.array([0.1, 0.1])))
    assert math.isnan(cohens_dz(np.array([0.1])))
    assert math.isnan(cohens_dz(np.array([])))
    assert math.isnan(rank_biserial(np.array([])))
