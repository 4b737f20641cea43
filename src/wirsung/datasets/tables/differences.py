"""How two cohorts differ in one variable: a test that fits it, and a difference that n does not drive.

With tens of thousands of cases every p-value is tiny; the standardised mean difference says whether the
cohorts differ by anything that matters (0.1 is often called small; Austin, Stat Med 2009, 28:3083-3107).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from wirsung.datasets.tables.summaries import Numbers

_FEW_EXPECTED = 5
_SMALLEST_SAMPLE = 2


@dataclass(frozen=True)
class Difference:
    """One variable in two cohorts; NaN where it is undefined."""

    test: str
    p_value: float
    """Two-sided, not corrected for the number of variables."""
    smd: float
    """Standardised mean difference, 0 or larger."""


def difference_of_means(first: Numbers, second: Numbers) -> Difference:
    """Welch's t-test, which does not ask for equal variances, for what is roughly normal.

    Example:
        >>> found = difference_of_means(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0]))
        >>> found.test, round(found.p_value, 4), found.smd
        ("Welch's t", 0.2879, 1.0)
    """
    one, other = _known(first), _known(second)
    return Difference("Welch's t", _welch(one, other), _smd(one, other))


def difference_of_ranks(first: Numbers, second: Numbers) -> Difference:
    """Mann-Whitney's U with the normal approximation, corrected for ties and for continuity.

    Example:
        >>> difference_of_ranks(np.array([1.0, 2.0]), np.array([1.0, 2.0])).p_value
        1.0
    """
    one, other = _known(first), _known(second)
    if not (one.size and other.size):
        return Difference("Mann-Whitney U", math.nan, math.nan)
    same = bool(np.all(one == one[0]) and np.all(other == one[0]))
    p_value = 1.0 if same else float(stats.mannwhitneyu(one, other, method="asymptotic").pvalue)
    return Difference("Mann-Whitney U", p_value, _smd(one, other))


def difference_of_counts(first: Sequence[int], second: Sequence[int]) -> Difference:
    """Pearson's chi-square without continuity correction; Fisher's exact test of a sparse 2 x 2 table.

    Sparse means that fewer than five cases are expected in a cell. Levels without a case are left out.

    Args:
        first: Cases by level, missing ones left out.
        second: The same levels in the same order.

    Example:
        >>> difference_of_counts([10, 20], [20, 10]).test
        'chi-square'
        >>> difference_of_counts([3, 1], [1, 3]).test
        "Fisher's exact"
    """
    table = np.array([first, second], dtype=np.float64)
    table = table[:, table.any(axis=0)]
    smd = _smd_of_counts(table)
    if table.shape[1] < _SMALLEST_SAMPLE or not table.any(axis=1).all():
        return Difference("chi-square", math.nan, smd)
    expected = stats.contingency.expected_freq(table)
    if table.shape == (2, 2) and expected.min() < _FEW_EXPECTED:
        return Difference("Fisher's exact", float(stats.fisher_exact(table).pvalue), smd)
    return Difference("chi-square", float(stats.chi2_contingency(table, correction=False).pvalue), smd)


def _known(values: Numbers) -> Numbers:
    return values[~np.isnan(values)]


def _welch(one: Numbers, other: Numbers) -> float:
    if min(one.size, other.size) < _SMALLEST_SAMPLE:
        return math.nan
    if one.std() == other.std() == 0:  # nothing varies, so the test has no denominator
        return 1.0 if one[0] == other[0] else 0.0
    return float(stats.ttest_ind(one, other, equal_var=False).pvalue)


def _smd(one: Numbers, other: Numbers) -> float:
    """The difference of the means over the root of the mean of both variances."""
    if min(one.size, other.size) < _SMALLEST_SAMPLE:
        return math.nan
    apart = abs(float(one.mean() - other.mean()))
    pooled = math.sqrt((float(one.var(ddof=1)) + float(other.var(ddof=1))) / 2)
    return apart / pooled if pooled else (math.inf if apart else 0.0)


def _smd_of_counts(table: Numbers) -> float:
    """Mahalanobis' distance between the fractions of all levels but the first (Yang and Dalton, 2012)."""
    totals = table.sum(axis=1, keepdims=True)
    if table.shape[1] < _SMALLEST_SAMPLE or not totals.all():
        return math.nan
    fractions = (table / totals)[:, 1:]
    spreads = [np.diag(part) - np.outer(part, part) for part in fractions]
    apart = fractions[0] - fractions[1]
    squared = float(apart @ np.linalg.pinv((spreads[0] + spreads[1]) / 2) @ apart)
    return math.sqrt(max(squared, 0.0))
