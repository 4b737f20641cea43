"""Detection by case: who has a lesion? AUC with DeLong's variance, sensitivity and specificity.

A case is positive where its reference holds a lesion. All is float64, ties count half.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

_ALPHA = 0.05


@dataclass(frozen=True)
class Auc:
    """The area under the ROC curve and how sure it is."""

    value: float
    """0 to 1; NaN where a class is missing."""
    se: float
    """DeLong's standard error."""
    low: float
    high: float
    interval: str
    """How low and high were found, or why there is no value."""
    positives: int
    negatives: int


@dataclass(frozen=True)
class Proportion:
    """A fraction with its Wilson 95 % interval; NaN where it is of nothing."""

    value: float
    low: float
    high: float
    hits: int
    total: int


def auc(positive: Sequence[bool], scores: Sequence[float]) -> Auc:
    """The probability that a positive case scores above a negative one, ties counting half.

    The 95 % interval is DeLong's on the logit scale. At an AUC of 1 or 0 the variance collapses; there the
    bound is exact and one-sided: min(m, n) independent pairs were all ordered alike, which at a true AUC of A
    has a probability of at most A^min(m, n).

    Args:
        positive: Whether the reference holds a lesion, one a case.
        scores: Higher for more suspect, finite.

    Source:
        DeLong, DeLong and Clarke-Pearson, Biometrics 1988; logit interval after Pepe, 2003.

    Example:
        >>> auc([False, False, True, True], [0.1, 0.4, 0.35, 0.8]).value
        0.75
    """
    is_positive = np.asarray(positive, dtype=bool)
    values = np.asarray(scores, dtype=np.float64)
    m, n = int(is_positive.sum()), int((~is_positive).sum())
    if m == 0 or n == 0:
        missing = "positive" if m == 0 else "negative"
        return Auc(math.nan, math.nan, math.nan, math.nan, f"undefined: no {missing} case", m, n)
    above, below = placements(values[is_positive], values[~is_positive])
    area = float(above.mean())
    if area in (0.0, 1.0):
        bound = _ALPHA ** (1 / min(m, n))
        low, high = (bound, 1.0) if area == 1.0 else (0.0, 1 - bound)
        return Auc(area, 0.0, low, high, "exact one-sided 95 % bound", m, n)
    if m == 1 or n == 1:
        return Auc(area, math.nan, math.nan, math.nan, "no interval: one case of a class only", m, n)
    se = math.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n)
    if se == 0.0:
        return Auc(area, se, math.nan, math.nan, "no interval: the scores do not tell cases apart", m, n)
    low, high = _logit_interval(area, se)
    return Auc(area, se, low, high, "DeLong, logit, 95 %", m, n)


def roc_curve(positive: Sequence[bool], scores: Sequence[float]) -> tuple[list[float], list[float]]:
    """False and true positive fractions at every threshold, from (0, 0) to (1, 1); ties are one step.

    Example:
        >>> roc_curve([True, False, True], [3.0, 2.0, 1.0])
        ([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0])
    """
    is_positive = np.asarray(positive, dtype=bool)
    values = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    last_of_tie = np.append(np.diff(values[order]) != 0, True)
    true = np.cumsum(is_positive[order])[last_of_tie]
    false = np.cumsum(~is_positive[order])[last_of_tie]
    return [0.0, *(false / false[-1]).tolist()], [0.0, *(true / true[-1]).tolist()]


def average_precision(positive: Sequence[bool], scores: Sequence[float]) -> float:
    """The average precision by case, 0 to 1: precision over the steps of recall; NaN without a positive.

    Ties are one step. Nothing is interpolated, so it is not the area under a drawn curve.

    Example:
        >>> round(average_precision([False, False, True, True], [0.1, 0.4, 0.35, 0.8]), 6)
        0.833333
    """
    is_positive, values = np.asarray(positive, dtype=bool), np.asarray(scores, dtype=np.float64)
    if not is_positive.any():
        return math.nan
    order = np.argsort(-values, kind="stable")
    last_of_tie = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    true = np.cumsum(is_positive[order])[last_of_tie]
    steps = np.diff(true, prepend=0) / true[-1]
    return float(np.sum(steps * true / (last_of_tie + 1)))


def proportion(hits: int, total: int) -> Proportion:
    """The fraction with Wilson's 95 % interval.

    Example:
        >>> found = proportion(47, 50)
        >>> round(found.low, 3), round(found.high, 3)
        (0.838, 0.979)
    """
    if total == 0:
        return Proportion(math.nan, math.nan, math.nan, hits, total)
    z = float(stats.norm.ppf(1 - _ALPHA / 2))
    share = hits / total
    middle = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    # At none and at all the bound is exactly 0 and 1, but for rounding.
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == total else middle + half
    return Proportion(share, low, high, hits, total)


def placements(
    positives: NDArray[np.float64], negatives: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each positive the share of negatives below it, for each negative that of positives above it.

    Example:
        >>> above, below = placements(np.array([3.0, 1.0]), np.array([2.0, 1.0]))
        >>> above.tolist(), below.tolist()
        ([1.0, 0.25], [0.5, 0.75])
    """
    m, n = positives.size, negatives.size
    ranks = stats.rankdata(np.concatenate([positives, negatives]))
    above = (ranks[:m] - stats.rankdata(positives)) / n
    below = 1 - (ranks[m:] - stats.rankdata(negatives)) / m
    return np.asarray(above), np.asarray(below)


def _logit_interval(area: float, se: float) -> tuple[float, float]:
    z = float(stats.norm.ppf(1 - _ALPHA / 2))
    logit, spread = math.log(area / (1 - area)), z * se / (area * (1 - area))
    return float(1 / (1 + math.exp(spread - logit))), float(1 / (1 + math.exp(-spread - logit)))


@dataclass(frozen=True)
class DetectionCase:
    """What one case says."""

    case: str
    positive: bool
    """The reference holds a lesion."""
    predicted: bool
    """The prediction holds at least one lesion voxel."""
    score: float


@dataclass(frozen=True)
class Detection:
    """How well cases with a lesion are told from those without."""

    scored_by: str
    """What ranks the cases."""
    auc: Auc
    sensitivity: Proportion
    """Of any lesion voxel in the prediction."""
    specificity: Proportion
    false_positive_fractions: tuple[float, ...]
    """Of the ROC curve; empty where a class is missing."""
    true_positive_fractions: tuple[float, ...]
    left_out: dict[str, int]
    """Cases that could not be scored, by reason."""
    average_precision: float = math.nan
    """By case; NaN without a positive one."""


def detect(cases: Sequence[DetectionCase], scored_by: str, left_out: dict[str, int]) -> Detection:
    """The detection of lesions over cases; undefined where a class is missing, and the AUC says which."""
    positive = [item.positive for item in cases]
    scores = [item.score for item in cases]
    hits = sum(item.predicted for item in cases if item.positive)
    spared = sum(not item.predicted for item in cases if not item.positive)
    both = any(positive) and not all(positive)
    false, true = roc_curve(positive, scores) if both else ([], [])
    return Detection(
        scored_by,
        auc(positive, scores),
        proportion(hits, sum(positive)),
        proportion(spared, len(positive) - sum(positive)),
        tuple(false),
        tuple(true),
        left_out,
        average_precision(positive, scores),
    )
