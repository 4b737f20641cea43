"""Agreement on categories beyond chance: Cohen's kappa of two raters, Fleiss' of several.

The voxelwise kappa of a structure, as PanSegNet reports it, is Cohen's over all voxels of a scan:
`overlap.Overlap.kappa` takes it from the same counts as the DSC.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from wirsung.evaluation.statistics import RESAMPLES

Weights = Literal["linear", "quadratic"]

_Z = float(stats.norm.ppf(0.975))


@dataclass(frozen=True)
class Kappa:
    """Agreement beyond chance; NaN where it is undefined, and `interval` says why."""

    value: float
    """1 for full agreement, 0 for no more than chance, negative for less."""
    low: float
    """Of the 95 % interval, at least -1."""
    high: float
    """At most 1."""
    se: float
    """Standard error, not assuming kappa = 0."""
    observed: float
    """Agreement, 0 to 1, weighted where kappa is."""
    expected: float
    """Agreement by chance, 0 to 1."""
    n: int
    """Subjects."""
    interval: str
    """How low and high were found, or why there is no value."""


def cohen_kappa(
    first: Sequence[Hashable],
    second: Sequence[Hashable],
    *,
    categories: Sequence[Hashable] | None = None,
    weights: Weights | None = None,
) -> Kappa:
    """Two raters' agreement on the same subjects.

    Args:
        first: One category a subject.
        second: As the first, in the same order.
        categories: All there are, in order; by default those that occur, sorted. Weights need their order.
        weights: Distant disagreements weigh more: by their distance, or by its square; by default all the
            same.

    Source:
        Cohen, Educ Psychol Meas 1960, and Psychol Bull 1968 for weights; standard errors after Fleiss, Cohen
        and Everitt, Psychol Bull 1969.

    Example:
        >>> round(cohen_kappa("yynnyynnyn", "yynnyynnny").value, 3)
        0.6
    """
    names = list(categories) if categories is not None else sorted(set(first) | set(second), key=_order)
    place = {name: index for index, name in enumerate(names)}
    table = np.zeros((len(names), len(names)))
    for one, other in zip(first, second, strict=True):
        table[place[one], place[other]] += 1
    return kappa_of_table(table, weights=weights)


def kappa_of_table(counts: ArrayLike, *, weights: Weights | None = None) -> Kappa:
    """Cohen's kappa of a square table of counts: first rater's categories down, second's across.

    Example:
        >>> found = kappa_of_table([[20, 5], [10, 15]])
        >>> round(found.value, 3), found.observed, found.expected
        (0.4, 0.7, 0.5)
    """
    table = np.asarray(counts, dtype=np.float64)
    n = round(float(table.sum()))
    if not n:
        return _without_value(math.nan, math.nan, 0, "undefined: no subject")
    shares = table / table.sum()
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    agreement = _agreement(len(shares), weights)
    observed, expected = float((agreement * shares).sum()), float(rows @ agreement @ columns)
    if (rows * columns).max() == 1:
        return _without_value(observed, expected, n, "undefined: both raters always say the same category")
    value = (observed - expected) / (1 - expected)
    # Fleiss, Cohen and Everitt's equation 13, where the mean weights cross the tables' margins.
    crossed = (agreement @ columns)[:, None] + (rows @ agreement)[None, :]
    terms = shares * (agreement - crossed * (1 - value)) ** 2
    variance = (float(terms.sum()) - (value - expected * (1 - value)) ** 2) / (n * (1 - expected) ** 2)
    se = math.sqrt(max(variance, 0.0))
    low, high = max(-1.0, value - _Z * se), min(1.0, value + _Z * se)
    return Kappa(value, low, high, se, observed, expected, n, "large sample, 95 %")


def fleiss_kappa(counts: ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES) -> Kappa:
    """Agreement of several raters, not always the same ones, on categories without order.

    The interval is a percentile bootstrap over subjects; draws in which every rating is of one category are
    left out.

    Args:
        counts: One row a subject, one column a category: how many raters chose it. All rows have one sum, of
            at least 2.
        seed: Of the bootstrap.
        resamples: How often subjects are drawn.

    Raises:
        ValueError: Rows have different sums, or sums under 2.

    Source:
        Fleiss, Psychol Bull 1971.

    Example:
        >>> round(fleiss_kappa([[3, 0], [0, 3], [3, 0], [1, 2]]).value, 3)
        0.657
    """
    table = np.asarray(counts, dtype=np.float64)
    if not table.size:
        return _without_value(math.nan, math.nan, 0, "undefined: no subject")
    raters = float(table[0].sum())
    if raters < 2 or (table.sum(axis=1) != raters).any():
        msg = "Fleiss' kappa needs the same number of ratings for every subject, at least 2."
        raise ValueError(msg)
    agreed = ((table**2).sum(axis=1) - raters) / (raters * (raters - 1))
    n = len(table)
    ones = np.ones((1, n))
    observed, expected = (float(item[0]) for item in _fleiss_parts(ones, agreed, table))
    if (table.sum(axis=0) > 0).sum() == 1:
        return _without_value(observed, expected, n, "undefined: every rating is of one category")
    value = (observed - expected) / (1 - expected)
    if n < 2:
        return Kappa(value, math.nan, math.nan, math.nan, observed, expected, n, "no interval: one subject")
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
    of_draws, by_chance = _fleiss_parts(drawn, agreed, table)
    fine = by_chance < 1 - 1e-12
    values = (of_draws[fine] - by_chance[fine]) / (1 - by_chance[fine])
    low, high = (float(item) for item in np.percentile(values, [2.5, 97.5]))
    se = float(values.std(ddof=1))
    return Kappa(value, low, high, se, observed, expected, n, "bootstrap over subjects, 95 %")


def _fleiss_parts(
    times: NDArray[np.float64], agreed: NDArray[np.float64], table: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Observed and expected agreement, one a row of how often each subject counts."""
    observed = times @ agreed / times.sum(axis=1)
    totals = times @ table
    shares = totals / totals.sum(axis=1, keepdims=True)
    return observed, (shares**2).sum(axis=1)


def _agreement(size: int, weights: Weights | None) -> NDArray[np.float64]:
    """How far two categories agree, 0 to 1."""
    if weights is None or size < 2:
        return np.eye(size)
    places = np.arange(size)
    distance = np.abs(places[:, None] - places[None, :]) / (size - 1)
    return np.asarray(1 - (distance if weights == "linear" else distance**2))


def _without_value(observed: float, expected: float, n: int, why: str) -> Kappa:
    return Kappa(math.nan, math.nan, math.nan, math.nan, observed, expected, n, why)


def _order(value: Hashable) -> tuple[str, str] | tuple[str, float]:
    """Numbers by size, all else by text."""
    return ("", float(value)) if isinstance(value, int | float) else ("text", str(value))
