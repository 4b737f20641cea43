"""Intraclass correlation: how far several raters, or a method and its reference, give the same numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

_ALPHA = 0.05

Form = Literal["ICC(1,1)", "ICC(A,1)", "ICC(C,1)"]


@dataclass(frozen=True)
class Icc:
    """One intraclass correlation of single ratings; NaN where it is undefined."""

    form: Form
    """ICC(A,1): absolute agreement, a constant shift counts; Shrout and Fleiss's ICC(2,1). ICC(C,1):
    consistency, it does not; their ICC(3,1). ICC(1,1): each subject has raters of its own."""
    value: float
    """At most 1; negative where raters differ more than subjects do."""
    low: float
    """Of the 95 % interval, by F."""
    high: float
    p: float
    """One-sided, of a correlation of 0."""
    subjects: int
    """Those whom every rater rated; the others are left out."""
    raters: int


@dataclass(frozen=True)
class _MeanSquares:
    """Of the two-way analysis of variance."""

    subjects: float
    raters: float
    error: float
    within: float
    n: int
    k: int


def icc(ratings: Sequence[Sequence[float]], form: Form = "ICC(A,1)") -> Icc:
    """The correlation of single ratings, with its 95 % interval.

    Args:
        ratings: One row a subject, one column a rater, such as reference and predicted volume; a row with a
            NaN is left out.
        form: Which one, see `Icc.form`.

    Source:
        Shrout and Fleiss, Psychol Bull 1979; names and intervals after McGraw and Wong, Psychol Methods 1996.

    Example:
        >>> round(icc([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]], "ICC(C,1)").value, 3)
        1.0
        >>> round(icc([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]], "ICC(A,1)").value, 3)
        0.667
    """
    table = np.asarray(ratings, dtype=np.float64)
    table = table.reshape(len(table), -1)
    table = table[np.isfinite(table).all(axis=1)]
    n, k = table.shape
    if n < 2 or k < 2 or np.ptp(table) == 0:
        return Icc(form, math.nan, math.nan, math.nan, math.nan, n, k)
    found = _mean_squares(table)
    value, low, high, p = {"ICC(1,1)": _one_way, "ICC(A,1)": _agreement, "ICC(C,1)": _consistency}[form](
        found
    )
    return Icc(form, value, low, high, p, n, k)


def _mean_squares(table: NDArray[np.float64]) -> _MeanSquares:
    n, k = table.shape
    # Around one number, since sums of squares of large volumes would lose digits.
    centred = table - table.mean()
    rows, columns = centred.mean(axis=1), centred.mean(axis=0)
    residual = centred - rows[:, None] - columns[None, :]
    floor = np.finfo(float).eps ** 2 * float((table**2).sum())
    error = float((residual**2).sum())
    error = 0.0 if error <= floor else error
    between = k * float((rows**2).sum())
    raters = n * float((columns**2).sum())
    raters = 0.0 if raters <= floor else raters
    return _MeanSquares(
        between / (n - 1),
        raters / (k - 1),
        error / ((n - 1) * (k - 1)),
        (raters + error) / (n * (k - 1)),
        n,
        k,
    )


def _from_ratio(ratio: float, degrees: tuple[int, int], k: int) -> tuple[float, float, float, float]:
    """Value, interval and p of an ICC that depends on one ratio of mean squares only."""
    if math.isinf(ratio):
        return 1.0, 1.0, 1.0, 0.0
    low = ratio / float(stats.f.ppf(1 - _ALPHA / 2, *degrees))
    high = ratio * float(stats.f.ppf(1 - _ALPHA / 2, *degrees[::-1]))
    value, lower, upper = ((item - 1) / (item + k - 1) for item in (ratio, low, high))
    return value, lower, upper, float(stats.f.sf(ratio, *degrees))


def _one_way(found: _MeanSquares) -> tuple[float, float, float, float]:
    n, k = found.n, found.k
    ratio = found.subjects / found.within if found.within else math.inf
    return _from_ratio(ratio, (n - 1, n * (k - 1)), k)


def _consistency(found: _MeanSquares) -> tuple[float, float, float, float]:
    n, k = found.n, found.k
    ratio = found.subjects / found.error if found.error else math.inf
    return _from_ratio(ratio, (n - 1, (n - 1) * (k - 1)), k)


def _agreement(found: _MeanSquares) -> tuple[float, float, float, float]:
    """With Satterthwaite's degrees of freedom, as McGraw and Wong give them."""
    n, k = found.n, found.k
    msr, msc, mse = found.subjects, found.raters, found.error
    value = (msr - mse) / (msr + (k - 1) * mse + k / n * (msc - mse))
    p = float(stats.f.sf(msr / mse, n - 1, (n - 1) * (k - 1))) if mse else 0.0
    if not mse and not msc:
        return value, 1.0, 1.0, p
    # The weights of rater and error variance, scaled by 1 - value so that they stay finite at 1.
    a, b = k * value / n, n * (1 - value) + k * value * (n - 1)
    b = b / n
    parts = (a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / ((n - 1) * (k - 1))
    degrees = (a * msc + b * mse) ** 2 / parts
    upper_f = float(stats.f.ppf(1 - _ALPHA / 2, n - 1, degrees))
    lower_f = float(stats.f.ppf(1 - _ALPHA / 2, degrees, n - 1))
    both = k * msc + (k * n - k - n) * mse
    low = n * (msr - upper_f * mse) / (upper_f * both + n * msr)
    high = n * (lower_f * msr - mse) / (both + n * lower_f * msr)
    return value, low, high, p
