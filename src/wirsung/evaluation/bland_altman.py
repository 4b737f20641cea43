"""How well two measurements of one thing agree: bias and limits of agreement, as of volumes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

_ALPHA = 0.05


@dataclass(frozen=True)
class BlandAltman:
    """Prediction minus reference over cases, in the unit of both; NaN where there are too few."""

    n: int
    """Cases where both are defined."""
    bias: float
    """Mean difference."""
    bias_low: float
    """Of the bias's 95 % interval, by t."""
    bias_high: float
    sd: float
    """Of the differences, sample (n - 1)."""
    lower: float
    """Lower limit of agreement, bias - 1.96 sd: about 95 % of the differences lie between the limits."""
    lower_low: float
    """Of the lower limit's 95 % interval."""
    lower_high: float
    upper: float
    """Upper limit of agreement, bias + 1.96 sd."""
    upper_low: float
    upper_high: float


def bland_altman(reference: Sequence[float], prediction: Sequence[float]) -> BlandAltman:
    """Bias and limits of agreement, each with its 95 % interval; cases where one is NaN are left out.

    The standard error of a limit is sd sqrt(1/n + 1.96²/(2 (n - 1))), its quantile that of t with n - 1
    degrees of freedom. Each case counts once: with several scans of a patient the intervals are too narrow.

    Source:
        Bland and Altman, Stat Methods Med Res 1999, section 2. Their paper of 1986 rounds the standard
        error to sd sqrt(3/n), and 1.96 to 2.

    Example:
        >>> found = bland_altman([10.0, 20.0, 30.0], [11.0, 22.0, 33.0])
        >>> found.bias, found.sd, round(found.upper, 2)
        (2.0, 1.0, 3.96)
    """
    _, differences = means_and_differences(reference, prediction)
    n = int(differences.size)
    bias = float(differences.mean()) if n else math.nan
    if n < 2:
        return BlandAltman(n, bias, *[math.nan] * 9)
    sd = float(differences.std(ddof=1))
    z, t = float(stats.norm.ppf(1 - _ALPHA / 2)), float(stats.t.ppf(1 - _ALPHA / 2, n - 1))
    of_bias = t * sd / math.sqrt(n)
    of_limit = t * sd * math.sqrt(1 / n + z**2 / (2 * (n - 1)))
    lower, upper = bias - z * sd, bias + z * sd
    return BlandAltman(
        n=n,
        bias=bias,
        bias_low=bias - of_bias,
        bias_high=bias + of_bias,
        sd=sd,
        lower=lower,
        lower_low=lower - of_limit,
        lower_high=lower + of_limit,
        upper=upper,
        upper_low=upper - of_limit,
        upper_high=upper + of_limit,
    )


def means_and_differences(
    reference: Sequence[float], prediction: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a Bland-Altman plot shows: across (reference + prediction) / 2, up prediction - reference.

    Example:
        >>> means, differences = means_and_differences([10.0, float("nan")], [12.0, 5.0])
        >>> means.tolist(), differences.tolist()
        ([11.0], [2.0])
    """
    one, other = np.asarray(reference, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    both = np.isfinite(one) & np.isfinite(other)
    return (one[both] + other[both]) / 2, other[both] - one[both]
