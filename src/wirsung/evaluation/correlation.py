"""How closely predicted values follow reference values: Pearson's r, and the two numbers called R²."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Correlation:
    """Prediction against reference over cases; NaN where there are too few, or one of them never varies."""

    n: int
    """Cases where both are defined."""
    r: float
    """Pearson's, -1 to 1."""
    r_low: float
    """Of its 95 % interval, by Fisher's z; NaN under four cases."""
    r_high: float
    p: float
    """Two-sided, of r = 0."""
    slope: float
    """Of the least-squares line of prediction on reference."""
    intercept: float
    """Of that line, in the unit of the prediction."""
    r2_fit: float
    """R² of that line, which is r²: blind to bias and scale."""
    r2_identity: float
    """R² against prediction = reference: 1 - sum((p - g)²) / sum((g - mean g)²); at most 1."""


def correlation(reference: Sequence[float], prediction: Sequence[float]) -> Correlation:
    """Pearson's r with its interval, and both R²; cases where one is NaN are left out.

    The literature gives "R² of the volume" for either: a method that always predicts twice the volume has an
    R² of the fit of 1, and against the identity far less.

    Source:
        Fisher, Metron 1921, for the interval; Kvålseth, Am Stat 1985, for the kinds of R².

    Example:
        >>> found = correlation([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
        >>> round(found.r2_fit, 9), found.slope, found.r2_identity
        (1.0, 2.0, -6.0)
    """
    one, other = np.asarray(reference, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    both = np.isfinite(one) & np.isfinite(other)
    one, other = one[both], other[both]
    n = int(one.size)
    if n < 2 or np.ptp(one) == 0:
        return Correlation(n, *[math.nan] * 8)
    spread = float(((one - one.mean()) ** 2).sum())
    identity = 1 - float(((other - one) ** 2).sum()) / spread
    if np.ptp(other) == 0:
        nan = math.nan
        return Correlation(n, nan, nan, nan, nan, 0.0, float(other[0]), nan, identity)
    across, up = one - one.mean(), other - other.mean()
    slope = float(across @ up) / spread
    r = float(across @ up) / math.sqrt(spread * float(up @ up))
    r = min(1.0, max(-1.0, r))
    low, high = _interval(r, n)
    intercept = float(other.mean()) - slope * float(one.mean())
    return Correlation(n, r, low, high, _p(r, n), slope, intercept, r**2, identity)


def _p(r: float, n: int) -> float:
    """By Student's t with n - 2 degrees of freedom."""
    if n == 2:
        return 1.0
    if abs(r) == 1:
        return 0.0
    return float(2 * stats.t.sf(abs(r) * math.sqrt((n - 2) / (1 - r**2)), n - 2))


def _interval(r: float, n: int) -> tuple[float, float]:
    if n < 4:
        return math.nan, math.nan
    if abs(r) >= 1:
        return r, r
    z, half = math.atanh(r), float(stats.norm.ppf(0.975)) / math.sqrt(n - 3)
    return math.tanh(z - half), math.tanh(z + half)
