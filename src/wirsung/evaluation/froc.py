"""Detection by lesion over cases: FROC, average precision, sensitivity by size, false positives per scan.

Intervals of curves and means are bootstraps over patients, with all their cases. Those of plain fractions
are Wilson's, which take lesions for independent: they are too narrow where patients have many lesions.
"""

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wirsung.evaluation.detection import Proportion, proportion
from wirsung.evaluation.lesions import SIZES, CaseLesions, Verdict

RESAMPLES = 1000
"""Of every interval."""

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per scan at which sensitivity is told."""

_GRID = np.concatenate([[0.0], np.geomspace(1 / 64, 64, 97)])
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; NaN where it is of nothing, and why."""

    value: float
    low: float = math.nan
    high: float = math.nan
    reason: str = ""


@dataclass(frozen=True)
class Froc:
    """Sensitivity by lesion against false positives per scan, a point a threshold, from the strictest on."""

    thresholds: tuple[float, ...]
    """A candidate counts where its confidence is at least this."""
    false_positives_per_scan: tuple[float, ...]
    sensitivities: tuple[float, ...]
    band_across: tuple[float, ...] = ()
    """False positives per scan where the band is told."""
    band_low: tuple[float, ...] = ()
    band_high: tuple[float, ...] = ()


@dataclass(frozen=True)
class LesionDetection:
    """How well lesions are found, over cases."""

    cases: int
    lesions: int
    min_iou: float
    """The least overlap of a match."""
    sensitivity: Proportion
    """Of lesions matched one to one."""
    t_sen: Proportion
    """PanTS's: of lesions that share a voxel with the prediction."""
    sensitivity_by_size: dict[str, Proportion]
    """Of lesions matched one to one, by the largest diameter of the reference's lesion."""
    t_sen_by_size: dict[str, Proportion]
    precision: Proportion
    """Of candidates, without those that are neither right nor wrong."""
    false_positives_per_scan: Estimate
    false_positives_per_negative_scan: Estimate
    """Over the cases without a lesion only."""
    average_precision: Estimate
    sensitivity_at: dict[str, Estimate]
    """By false positives per scan."""
    froc: Froc


@dataclass(frozen=True)
class _Items:
    """Found lesions and false candidates of all cases, the surest first."""

    scans: int
    cases: NDArray[np.intp]
    is_lesion: NDArray[np.bool_]
    confidences: _Floats
    last_of_tie: NDArray[np.intp]
    """The items after which the threshold falls."""

    def counts(self, weights: _Floats) -> tuple[_Floats, _Floats]:
        """Found lesions and false candidates down to each threshold, with every case weighed."""
        drawn = weights[self.cases]
        true, false = np.cumsum(drawn * self.is_lesion), np.cumsum(drawn * ~self.is_lesion)
        return true[self.last_of_tie], false[self.last_of_tie]


def lesion_detection(
    cases: Sequence[CaseLesions],
    *,
    min_iou: float,
    patients: Sequence[Hashable] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> LesionDetection:
    """Detection by lesion over cases.

    Args:
        cases: With and without lesions.
        min_iou: What they were matched at, to be told.
        patients: Whose case it is; by default each case is a patient.
        seed: Of the bootstrap.
        resamples: Of every interval; 0 for none.
    """
    items = _items(cases)
    lesions = np.array([len(item.lesions) for item in cases], dtype=np.float64)
    false = np.array([_false(item) for item in cases], dtype=np.float64)
    once = np.ones(len(cases))
    values = _numbers(items, lesions, false, once)
    draws = np.array(
        [
            _numbers(items, lesions, false, weights)
            for weights in _draws(patients or range(len(cases)), seed, resamples)
        ]
    ).reshape(-1, values.size)
    whys = ["no case", "no case without a lesion", "no lesion", *["no lesion"] * len(RATES)]
    told = [_estimate(values[index], draws[:, index], why) for index, why in enumerate(whys)]
    everything = [lesion for item in cases for lesion in item.lesions]
    matched = [lesion.is_found for lesion in everything]
    touched = [lesion.is_touched for lesion in everything]
    sizes = [lesion.size for lesion in everything]
    return LesionDetection(
        len(cases),
        len(everything),
        min_iou,
        _share(matched),
        _share(touched),
        _by_size(matched, sizes),
        _by_size(touched, sizes),
        proportion(sum(matched), sum(matched) + int(false.sum())),
        told[0],
        told[1],
        told[2],
        {f"{rate:g}": found for rate, found in zip(RATES, told[3:], strict=True)},
        _froc(items, int(lesions.sum()), draws[:, len(whys) :]),
    )


def average_precision(cases: Sequence[CaseLesions]) -> float:
    """The average precision over lesions; NaN without one.

    The sum over thresholds of precision times the step in recall. Missed lesions count in recall; candidates
    that are neither right nor wrong count nowhere.

    Source:
        picai_eval 1.4, Metrics.calculate_precision_recall.

    Example:
        >>> from wirsung.evaluation.lesions import Candidate, Lesion
        >>> found = Lesion(1.0, 12.0, iou=0.5, confidence=0.8, is_found=True)
        >>> false = Candidate(1.0, 0.9, Verdict.FALSE, touches=False)
        >>> average_precision([CaseLesions((found, Lesion(1.0, 12.0))), CaseLesions((), (false,))])
        0.25
    """
    items = _items(cases)
    return _average(*items.counts(np.ones(len(cases))), sum(len(item.lesions) for item in cases))


def _items(cases: Sequence[CaseLesions]) -> _Items:
    rows = [
        *(
            (index, True, lesion.confidence)
            for index, item in enumerate(cases)
            for lesion in item.lesions
            if lesion.is_found
        ),
        *(
            (index, False, candidate.confidence)
            for index, item in enumerate(cases)
            for candidate in item.candidates
            if candidate.verdict == Verdict.FALSE
        ),
    ]
    rows.sort(key=lambda row: -row[2])
    confidences = np.array([row[2] for row in rows], dtype=np.float64)
    return _Items(
        len(cases),
        np.array([row[0] for row in rows], dtype=np.intp),
        np.array([row[1] for row in rows], dtype=np.bool_),
        confidences,
        np.flatnonzero(np.append(np.diff(confidences) != 0, True)) if rows else np.zeros(0, dtype=np.intp),
    )


def _false(case: CaseLesions) -> int:
    return sum(item.verdict == Verdict.FALSE for item in case.candidates)


def _average(found: _Floats, false: _Floats, lesions: float) -> float:
    """The average precision, from counts at falling thresholds."""
    if lesions == 0:
        return math.nan
    called = found + false
    precision = np.divide(found, called, out=np.zeros_like(called), where=called > 0)
    return float(np.sum(np.diff(found, prepend=0.0) * precision) / lesions)


def _numbers(items: _Items, lesions: _Floats, false: _Floats, weights: _Floats) -> _Floats:
    """False positives per scan, and without a lesion; AP; sensitivity at RATES, then over the grid."""
    negative, total = lesions == 0, float(lesions @ weights)
    found, wrong = items.counts(weights)
    return np.array(
        [
            _mean(false, weights),
            _mean(false[negative], weights[negative]),
            _average(found, wrong, total),
            *_curve(found, wrong / max(weights.sum(), 1), total),
        ]
    )


def _curve(found: _Floats, rates: _Floats, lesions: float) -> _Floats:
    """The highest sensitivity at no more than each number of false positives per scan."""
    grid = np.concatenate([RATES, _GRID])
    if lesions == 0:
        return np.full(grid.size, np.nan)
    return np.asarray(np.append(0.0, found)[np.searchsorted(rates, grid, side="right")] / lesions)


def _froc(items: _Items, lesions: int, draws: _Floats) -> Froc:
    found, false = items.counts(np.ones(items.scans))
    band: tuple[_Floats, ...] = ()
    if lesions and draws.size:
        # A draw without any lesion tells nothing.
        band = (_GRID, *np.percentile(draws[~np.isnan(draws[:, 0])], [2.5, 97.5], axis=0))
    return Froc(
        tuple(items.confidences[items.last_of_tie].tolist()),
        tuple((false / max(items.scans, 1)).tolist()),
        tuple((found / lesions).tolist()) if lesions else (math.nan,) * found.size,
        *(tuple(line.tolist()) for line in band),
    )


def _estimate(value: float, draws: _Floats, why: str) -> Estimate:
    if math.isnan(value):
        return Estimate(math.nan, reason=f"undefined: {why}")
    told = draws[~np.isnan(draws)]
    if not told.size:
        return Estimate(float(value), reason="no interval: one patient, or no resamples")
    low, high = np.percentile(told, [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))


def _mean(counts: _Floats, weights: _Floats) -> float:
    total = weights.sum()
    return float(counts @ weights / total) if total else math.nan


def _share(hits: Sequence[bool]) -> Proportion:
    return proportion(sum(hits), len(hits))


def _by_size(hits: Sequence[bool], sizes: Sequence[str]) -> dict[str, Proportion]:
    pairs = list(zip(hits, sizes, strict=True))
    return {size: _share([hit for hit, other in pairs if other == size]) for size in SIZES}


def _draws(patients: Sequence[Hashable], seed: int, resamples: int) -> Iterator[_Floats]:
    """How often each case is drawn, one resample after another; none where there is but one patient."""
    numbers: dict[Hashable, int] = {}
    who = np.array([numbers.setdefault(name, len(numbers)) for name in patients], dtype=np.intp)
    if len(numbers) < 2:
        return
    generator = np.random.default_rng(seed)
    share = np.full(len(numbers), 1 / len(numbers))
    for _ in range(resamples):
        yield generator.multinomial(len(numbers), share)[who].astype(np.float64)
