"""Means over seeds and cases, and differences of two arms, each with an interval that holds both noises.

A trained model is one draw of a seed, scored on one draw of cases. An interval over cases alone would call a
lucky seed a finding, so the bootstrap here draws seeds and cases, each by itself (two-way). With one seed it
is over cases alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 2000
_PERCENT = (2.5, 97.5)

Values = NDArray[np.float64]
"""(seed, case), finite."""


@dataclass(frozen=True)
class Estimate:
    """A measure of one arm; NaN where nothing is defined."""

    mean: float
    """Over seeds, of each seed's value over cases."""
    sd: float
    """Over seeds (n - 1); NaN with one seed."""
    low: float
    """Of the mean's 95 % interval over seeds and cases."""
    high: float
    seeds: tuple[float, ...]
    """Each seed's value."""
    cases: int


@dataclass(frozen=True)
class Difference:
    """Second arm minus first on the same cases."""

    first: float
    second: float
    difference: float
    low: float
    """Of the 95 % interval over seeds and cases."""
    high: float
    cases: int
    seeds: int


def estimate(values: Values, positive: NDArray[np.bool_] | None = None) -> Estimate:
    """The measure of one arm.

    Args:
        values: One row a seed, one column a case: a score, or what ranks the case.
        positive: For an AUC, whether the case has the lesion; None for a mean.

    Example:
        >>> found = estimate(np.array([[0.5, 0.7], [0.7, 0.9]]))
        >>> round(found.mean, 6), [round(seed, 6) for seed in found.seeds]
        (0.7, [0.6, 0.8])
    """
    if not _is_defined(values, positive):
        return Estimate(*(math.nan,) * 4, (), values.shape[1])
    seeds = tuple(float(value) for value in _by_seed(values, positive))
    draws = _draws(values, positive)
    low, high = _interval(draws)
    sd = float(np.std(seeds, ddof=1)) if len(seeds) > 1 else math.nan
    return Estimate(float(np.mean(seeds)), sd, low, high, seeds, values.shape[1])


def difference(first: Values, second: Values, positive: NDArray[np.bool_] | None = None) -> Difference:
    """The second arm against the first: cases are drawn together, as they are the same, seeds apart.

    Args:
        first: One row a seed, one column a case.
        second: The same cases; the number of seeds may differ.
        positive: For an AUC, whether the case has the lesion; None for a mean.

    Example:
        >>> found = difference(np.array([[0.5, 0.6]]), np.array([[0.7, 0.8]]))
        >>> round(found.difference, 6), round(found.low, 6), round(found.high, 6)
        (0.2, 0.2, 0.2)
    """
    seeds = min(len(first), len(second))
    if not (_is_defined(first, positive) and _is_defined(second, positive)):
        return Difference(*(math.nan,) * 5, first.shape[1], seeds)
    one, other = (float(np.mean(_by_seed(values, positive))) for values in (first, second))
    draws = _draws(second, positive, stream=1) - _draws(first, positive, stream=2)
    low, high = _interval(draws)
    return Difference(one, other, other - one, low, high, first.shape[1], seeds)


def area(positive: NDArray[np.bool_], scores: Values) -> Values:
    """The AUC of each row of scores; ties count half.

    Example:
        >>> area(np.array([True, False, False]), np.array([[3.0, 1.0, 3.0]])).tolist()
        [0.75]
    """
    m = int(positive.sum())
    ranks = stats.rankdata(scores, axis=1)[:, positive].sum(axis=1)
    return np.asarray((ranks - m * (m + 1) / 2) / (m * (positive.size - m)), dtype=np.float64)


def _is_defined(values: Values, positive: NDArray[np.bool_] | None) -> bool:
    return values.size > 0 and (positive is None or 0 < int(positive.sum()) < positive.size)


def _by_seed(values: Values, positive: NDArray[np.bool_] | None) -> Values:
    return values.mean(axis=1) if positive is None else area(positive, values)


def _draws(values: Values, positive: NDArray[np.bool_] | None, stream: int = 1) -> Values:
    """The measure of each resample; the cases drawn depend on their number only, the seeds on the stream."""
    count, size = values.shape
    cases = np.random.default_rng(0)
    seeds = np.random.default_rng([1, stream])
    groups = [np.arange(size)] if positive is None else [np.flatnonzero(positive), np.flatnonzero(~positive)]
    found = np.empty(RESAMPLES)
    for place in range(RESAMPLES):
        taken = np.concatenate([group[cases.integers(group.size, size=group.size)] for group in groups])
        rows = seeds.integers(count, size=count)
        drawn = values[rows][:, taken]
        found[place] = _by_seed(drawn, None if positive is None else positive[taken]).mean()
    return found


def _interval(draws: Values) -> tuple[float, float]:
    low, high = np.percentile(draws, _PERCENT)
    return float(low), float(high)


def stacked(by_seed: Sequence[Sequence[float]]) -> Values:
    """One row a seed."""
    return np.asarray(by_seed, dtype=np.float64).reshape(len(by_seed), -1)
