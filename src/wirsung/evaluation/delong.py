"""Two AUCs on the same cases: do they differ?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from wirsung.evaluation.detection import placements

_ROUNDING = 1e-12
"""Smaller differences of AUC are rounding: one pair of cases in a million times a million."""


@dataclass(frozen=True)
class AucComparison:
    """The second method's AUC beside the first's, on the same cases."""

    first: float
    second: float
    difference: float
    """Second minus first."""
    se: float
    """Of the difference."""
    low: float
    high: float
    """The difference's 95 % interval, normal."""
    z: float
    p: float
    """Two-sided; 1 where the two never differ."""
    reason: str = ""
    """Why there is no test."""


def compare_aucs(positive: Sequence[bool], first: Sequence[float], second: Sequence[float]) -> AucComparison:
    """DeLong's paired test of two AUCs on the same cases.

    Args:
        positive: Whether the reference holds a lesion, one a case.
        first: The first method's scores, higher for more suspect.
        second: The second's.

    Source:
        DeLong, DeLong and Clarke-Pearson, Biometrics 1988, equations 5 to 7.

    Example:
        >>> truth = [True, True, True, False, False, False]
        >>> found = compare_aucs(truth, [3, 2, 5, 1, 0, 4], [6, 5, 4, 1, 2, 3])
        >>> round(found.first, 3), found.second, round(found.p, 3)
        (0.778, 1.0, 0.371)
    """
    truth = np.asarray(positive, dtype=bool)
    m, n = int(truth.sum()), int((~truth).sum())
    if m < 2 or n < 2:
        reason = f"undefined: {m} positive and {n} negative cases, and two of each are the least"
        return AucComparison(*(math.nan,) * 8, reason)
    above, below = _placements_of(truth, (first, second))
    one, other = above.mean(axis=1).tolist()
    # The variance of the difference itself: nothing cancels where the two are nearly alike.
    variance = np.var(above[1] - above[0], ddof=1) / m + np.var(below[1] - below[0], ddof=1) / n
    se, difference = math.sqrt(variance), other - one
    if se < _ROUNDING:
        if abs(difference) < _ROUNDING:
            return AucComparison(one, other, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
        reason = "no test: the difference is the same in every case"
        return AucComparison(one, other, difference, 0.0, *(math.nan,) * 4, reason)
    half = float(stats.norm.ppf(0.975)) * se
    z = difference / se
    p = float(2 * stats.norm.sf(abs(z)))
    return AucComparison(one, other, difference, se, difference - half, difference + half, z, p)


def _placements_of(
    truth: NDArray[np.bool_], methods: Sequence[Sequence[float]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each method, a row: the positives' placements, and the negatives'."""
    values = [np.asarray(scores, dtype=np.float64) for scores in methods]
    found = [placements(item[truth], item[~truth]) for item in values]
    return np.stack([item[0] for item in found]), np.stack([item[1] for item in found])
