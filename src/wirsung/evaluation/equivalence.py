"""Is a difference small enough not to matter? Equivalence and non-inferiority within a margin set beforehand.

A p above 0.05 does not show that two methods are alike. These tests do: the margin is the largest difference
that nobody would care about, in the metric's unit, and it must be chosen before the scores are seen.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

ALPHA = 0.05
"""Of each one-sided test."""


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided t tests of a mean paired difference against both ends of the margin."""

    margin: float
    p_lower: float
    """That the mean lies below -margin."""
    p_upper: float
    """That it lies above +margin."""
    p: float
    """The larger of both."""
    low: float
    """Of the mean's 90 % interval by t, which lies inside the margin exactly where p < 0.05."""
    high: float
    equivalent: bool
    """p < 0.05."""


@dataclass(frozen=True)
class NonInferiority:
    """A one-sided t test that the second method is not worse than the first by the margin or more."""

    margin: float
    p: float
    bound: float
    """One-sided 95 % bound of the mean difference, at the worse end."""
    non_inferior: bool
    """p < 0.05."""


def equivalence(differences: NDArray[np.float64], margin: float) -> Equivalence:
    """Whether the mean paired difference lies within the margin; NaN and False under two differences.

    Args:
        differences: Second minus first, one a patient, finite.
        margin: Above 0, in the unit of the differences.

    Source:
        Schuirmann, J Pharmacokinet Biopharm 1987 (TOST).

    Example:
        >>> found = equivalence(np.array([-0.01, 0.0, 0.01, 0.0]), 0.05)
        >>> found.equivalent, found.p_lower == found.p_upper
        (True, True)
    """
    if differences.size < 2:
        nan = math.nan
        return Equivalence(margin, nan, nan, nan, nan, nan, equivalent=False)
    p_lower, p_upper = _p_above(differences, -margin), _p_above(-differences, -margin)
    mean, half = float(differences.mean()), _half_width(differences)
    p = max(p_lower, p_upper)
    return Equivalence(margin, p_lower, p_upper, p, mean - half, mean + half, p < ALPHA)


def non_inferiority(
    differences: NDArray[np.float64], margin: float, *, higher_is_better: bool
) -> NonInferiority:
    """Whether the second method is worse than the first by less than the margin, on average.

    Args:
        differences: Second minus first, one a patient, finite.
        margin: Above 0, in the unit of the differences.
        higher_is_better: As of DSC; False for a distance.

    Example:
        >>> better = np.array([0.01, 0.02, 0.03])
        >>> non_inferiority(better, 0.02, higher_is_better=True).non_inferior
        True
    """
    if differences.size < 2:
        return NonInferiority(margin, math.nan, math.nan, non_inferior=False)
    gains = differences if higher_is_better else -differences
    p = _p_above(gains, -margin)
    bound = float(gains.mean()) - _half_width(gains)
    return NonInferiority(margin, p, bound if higher_is_better else -bound, p < ALPHA)


def _p_above(values: NDArray[np.float64], bound: float) -> float:
    """One-sided p of a mean above the bound."""
    if np.ptp(values) == 0:
        # No spread: the t statistic is infinite, or 0/0 at the bound itself.
        return 0.0 if values[0] > bound else 1.0
    return float(stats.ttest_1samp(values, bound, alternative="greater").pvalue)


def _half_width(values: NDArray[np.float64]) -> float:
    spread = float(values.std(ddof=1)) / math.sqrt(values.size)
    return float(stats.t.ppf(1 - ALPHA, values.size - 1)) * spread
