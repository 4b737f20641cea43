"""Summaries of scores over cases, and paired comparisons of two methods; every number says over how many."""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from wirsung.evaluation.effects import cohens_dz, rank_biserial

RESAMPLES = 5000
"""Of every bootstrap."""

_CHUNK = 1_000_000
_KEPT = 6_000_000
"""Numbers of the draws that are kept for the next bootstrap: 48 MB."""


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
    """Two-sided signed-rank test over patients, zero differences dropped; 1 where all are zero."""
    p_t: float
    """Two-sided paired t test over patients; 1 where all are zero."""
    second_higher: int
    """Cases, as of the two below."""
    first_higher: int
    equal: int
    patients: int
    """Whose cases these are: the tests and effect sizes take each patient's mean difference."""
    cohens_dz: float
    """Mean difference over the differences' SD; NaN where they are all alike but not zero."""
    rank_biserial: float
    """-1, all lower, to 1, all higher."""


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
    low, high = bootstrap_means(values[:, None], patients=patients, seed=seed, resamples=resamples)
    return float(low[0]), float(high[0])


def bootstrap_means(
    columns: NDArray[np.float64],
    *,
    patients: Sequence[Hashable] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The intervals of several columns' means, all from the same draws: each as `bootstrap_mean` gives it.

    Args:
        columns: One row a case, finite.
        patients: Whose case each row is.
        seed: Of the draws.
        resamples: How often patients are drawn.
    """
    sums, counts = _by_patient(columns, patients)
    size = len(sums)
    if size < 2:
        nothing = np.full(columns.shape[1], math.nan)
        return nothing, nothing
    means = [(times @ sums) / (times @ counts)[:, None] for times in _draws(size, seed, resamples)]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5], axis=0)
    return low, high


def compare(
    first: Sequence[float],
    second: Sequence[float],
    *,
    patients: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Comparison:
    """Two methods on the same cases, in the same order; the difference is second minus first.

    Differences are rounded to 1e-9 before ranking: 0.9 - 0.8 and 0.5 - 0.4 are the same step, though not to
    the last bit. The t test takes them as they are. Where a patient has several cases the tests take the mean
    of each patient's differences, since cases of one patient are not independent.

    Example:
        >>> found = compare([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
        >>> found.mean_difference, found.p_wilcoxon
        (0.0, 1.0)
    """
    differences = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    return compare_columns(differences[:, None], patients=patients, seed=seed)[0]


def compare_columns(
    differences: NDArray[np.float64], *, patients: Sequence[Hashable] | None = None, seed: int = 0
) -> list[Comparison]:
    """As `compare`, for many pairs of methods at once: one column a pair, one row a case.

    Columns that are defined on the same cases share one bootstrap, which is what takes the time.
    """
    found: dict[int, Comparison] = {}
    both = np.isfinite(differences)
    by_mask: dict[bytes, list[int]] = {}
    for index in range(differences.shape[1]):
        by_mask.setdefault(both[:, index].tobytes(), []).append(index)
    for members in by_mask.values():
        mask = both[:, members[0]]
        who = None if patients is None else [name for name, fine in zip(patients, mask, strict=True) if fine]
        raw = differences[mask][:, members]
        low, high = bootstrap_means(np.round(raw, 9) + 0.0, patients=who, seed=seed)
        for place, index in enumerate(members):
            interval = (float(low[place]), float(high[place]))
            found[index] = _comparison(raw[:, place], int((~mask).sum()), interval, who)
    return [found[index] for index in range(differences.shape[1])]


def by_patient(
    values: NDArray[np.float64], patients: Sequence[Hashable] | None = None
) -> NDArray[np.float64]:
    """The mean of each patient's values, in the order in which patients first come.

    Example:
        >>> by_patient(np.array([1.0, 3.0, 5.0]), ["a", "a", "b"]).tolist()
        [2.0, 5.0]
    """
    sums, counts = _by_patient(values[:, None], patients)
    return np.asarray(sums[:, 0] / counts)


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


def _draws(size: int, seed: int, resamples: int) -> Iterable[NDArray[np.float64]]:
    """How often each of `size` patients is drawn: one row a resample, in blocks of rows."""
    if size * resamples <= _KEPT:
        return _kept_draws(size, seed, resamples)
    return _new_draws(size, seed, resamples)


@lru_cache(maxsize=1)
def _kept_draws(size: int, seed: int, resamples: int) -> tuple[NDArray[np.float64], ...]:
    """Structures are mostly defined in the same cases, and making the draws takes longer than using them."""
    return tuple(_new_draws(size, seed, resamples))


def _new_draws(size: int, seed: int, resamples: int) -> Iterator[NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    rows = max(1, _CHUNK // size)
    for start in range(0, resamples, rows):
        drawn = generator.integers(size, size=(min(rows, resamples - start), size))
        places = drawn + size * np.arange(len(drawn))[:, None]
        yield np.bincount(places.ravel(), minlength=drawn.size).reshape(drawn.shape).astype(np.float64)


def _comparison(
    raw: NDArray[np.float64],
    left_out: int,
    interval: tuple[float, float],
    patients: Sequence[Hashable] | None,
) -> Comparison:
    if not raw.size:
        nan = math.nan
        return Comparison(0, left_out, nan, nan, nan, nan, nan, 0, 0, 0, 0, nan, nan)
    kept = np.round(raw, 9) + 0.0
    of_patients = np.round(by_patient(raw, patients), 9) + 0.0
    p_wilcoxon, p_t = _p_values(of_patients, by_patient(raw, patients))
    return Comparison(
        n=int(kept.size),
        left_out=left_out,
        mean_difference=float(kept.mean()),
        low=interval[0],
        high=interval[1],
        p_wilcoxon=p_wilcoxon,
        p_t=p_t,
        second_higher=int((kept > 0).sum()),
        first_higher=int((kept < 0).sum()),
        equal=int((kept == 0).sum()),
        patients=int(of_patients.size),
        cohens_dz=cohens_dz(of_patients),
        rank_biserial=rank_biserial(of_patients),
    )


def _p_values(rounded: NDArray[np.float64], raw: NDArray[np.float64]) -> tuple[float, float]:
    if not rounded.any():
        return 1.0, 1.0
    wilcoxon = float(stats.wilcoxon(rounded, zero_method="wilcox").pvalue)
    if rounded.size < 2:
        return wilcoxon, math.nan
    if (rounded == rounded[0]).all():
        # No spread at all: the t statistic is infinite, and scipy would warn of lost precision.
        return wilcoxon, 0.0
    return wilcoxon, float(stats.ttest_1samp(raw, 0.0).pvalue)


def _by_patient(
    columns: NDArray[np.float64], patients: Iterable[Hashable] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums of values and number of cases, one row a patient."""
    if patients is None:
        return columns, np.ones(len(columns))
    numbers: dict[Hashable, int] = {}
    index = np.array([numbers.setdefault(patient, len(numbers)) for patient in patients], dtype=np.intp)
    sums = np.zeros((len(numbers), columns.shape[1]))
    np.add.at(sums, index, columns)
    return sums, np.bincount(index, minlength=len(numbers)).astype(np.float64)
