"""Summaries of scores over cases, and paired comparisons of two methods; every number says over how many."""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 5000
"""Of every bootstrap."""

_CHUNK = 1_000_000


@dataclass(frozen=True)
class Summary:
    """One metric over cases; NaN where too few are defined."""

    n: int
    """Cases with a defined value."""
    undefined: dict[str, int]
    """How many were not, by reason."""
    mean: float
    low: float
    """Of the mean's 95 % bootstrap interval over patients."""
    high: float
    sd: float
    """Sample standard deviation (n - 1)."""
    median: float
    q1: float
    q3: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Comparison:
    """Second method minus first, over the cases where both are defined."""

    n: int
    left_out: int
    """Cases where at least one of them is undefined."""
    mean_difference: float
    low: float
    high: float
    p_wilcoxon: float
    """Two-sided signed-rank test, zero differences dropped; 1 where all are zero."""
    p_t: float
    """Two-sided paired t test; 1 where all are zero."""
    second_higher: int
    first_higher: int


def summarise(
    values: Sequence[float],
    reasons: Sequence[str | None],
    *,
    patients: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Summary:
    """The summary of one metric; NaN values are counted by their reasons, never dropped in silence.

    Args:
        values: One a case.
        reasons: Why a value is NaN, None where it is not.
        patients: Whose case it is, so that patients are resampled; by default each case is a patient.
        seed: Of the bootstrap.

    Example:
        >>> summary = summarise([0.8, 0.9, float("nan")], [None, None, "both_empty"])
        >>> summary.n, round(summary.mean, 6), summary.undefined
        (2, 0.85, {'both_empty': 1})
    """
    everything = np.asarray(values, dtype=np.float64)
    is_defined = np.isfinite(everything)
    kept = everything[is_defined]
    left_out = Counter(
        reason or "unknown" for reason, fine in zip(reasons, is_defined, strict=True) if not fine
    )
    if not kept.size:
        return Summary(0, dict(sorted(left_out.items())), *[math.nan] * 9)
    who = (
        None
        if patients is None
        else [patient for patient, fine in zip(patients, is_defined, strict=True) if fine]
    )
    low, high = bootstrap_mean(kept, patients=who, seed=seed)
    q1, median, q3 = (float(value) for value in np.percentile(kept, [25, 50, 75]))
    sd = float(kept.std(ddof=1)) if kept.size > 1 else math.nan
    return Summary(
        n=int(kept.size),
        undefined=dict(sorted(left_out.items())),
        mean=float(kept.mean()),
        low=low,
        high=high,
        sd=sd,
        median=median,
        q1=q1,
        q3=q3,
        minimum=float(kept.min()),
        maximum=float(kept.max()),
    )


def bootstrap_mean(
    values: NDArray[np.float64],
    *,
    patients: Sequence[Hashable] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """The 95 % percentile interval of the mean, resampling patients with all their cases.

    NaN twice where there are fewer than two patients.
    """
    sums, counts = _by_patient(values, patients)
    if sums.size < 2:
        return math.nan, math.nan
    generator = np.random.default_rng(seed)
    means: list[NDArray[np.float64]] = []
    rows = max(1, _CHUNK // sums.size)
    for start in range(0, resamples, rows):
        drawn = generator.integers(sums.size, size=(min(rows, resamples - start), sums.size))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)


def compare(
    first: Sequence[float],
    second: Sequence[float],
    *,
    patients: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Comparison:
    """Two methods on the same cases, in the same order; the difference is second minus first.

    Differences are rounded to 1e-9 before ranking: 0.9 - 0.8 and 0.5 - 0.4 are the same step, though not to
    the last bit.

    Example:
        >>> found = compare([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
        >>> found.mean_difference, found.p_wilcoxon
        (0.0, 1.0)
    """
    differences = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    both = np.isfinite(differences)
    kept = np.round(differences[both], 9) + 0.0
    left_out = int((~both).sum())
    if not kept.size:
        nan = math.nan
        return Comparison(0, left_out, nan, nan, nan, nan, nan, 0, 0)
    who = (
        None if patients is None else [patient for patient, fine in zip(patients, both, strict=True) if fine]
    )
    low, high = bootstrap_mean(kept, patients=who, seed=seed)
    p_wilcoxon, p_t = _p_values(kept)
    return Comparison(
        n=int(kept.size),
        left_out=left_out,
        mean_difference=float(kept.mean()),
        low=low,
        high=high,
        p_wilcoxon=p_wilcoxon,
        p_t=p_t,
        second_higher=int((kept > 0).sum()),
        first_higher=int((kept < 0).sum()),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjustment for several tests; NaN stays and does not count.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = values.copy()
    order = [int(index) for index in np.argsort(values) if np.isfinite(values[index])]
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, float(values[index]) * (len(order) - rank)))
        adjusted[index] = largest
    return [float(value) for value in adjusted]


def _p_values(differences: NDArray[np.float64]) -> tuple[float, float]:
    if not differences.any():
        return 1.0, 1.0
    wilcoxon = float(stats.wilcoxon(differences, zero_method="wilcox").pvalue)
    if differences.size < 2:
        return wilcoxon, math.nan
    if (differences == differences[0]).all():
        # No spread at all: the t statistic is infinite, and scipy would warn of lost precision.
        return wilcoxon, 0.0
    return wilcoxon, float(stats.ttest_1samp(differences, 0.0).pvalue)


def _by_patient(
    values: NDArray[np.float64], patients: Iterable[Hashable] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum of values and number of cases, one a patient."""
    if patients is None:
        return values, np.ones(values.size)
    numbers: dict[Hashable, int] = {}
    index = np.array([numbers.setdefault(patient, len(numbers)) for patient in patients])
    sums = np.bincount(index, weights=values).astype(np.float64)
    return sums, np.bincount(index).astype(np.float64)
