"""The bands around ROC curves: what the curve would be with other patients."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from wirsung.evaluation.detection import roc_curve
from wirsung.pages.figures import Curve

RESAMPLES = 1000
"""Of a band."""

_GRID = 101


def roc_with_band(
    positive: Sequence[bool],
    scores: Sequence[float],
    *,
    patients: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Curve:
    """The ROC curve with its pointwise 95 % band over false positive fractions of 0 to 1.

    Patients are drawn with replacement, with all their cases, apart among those with and without a positive
    case; of each draw the highest sensitivity at each false positive fraction is taken, and of all draws the
    2.5th and 97.5th percentile. Without a positive and a negative case there is neither curve nor band.

    Args:
        positive: Whether the reference holds a lesion, one a case.
        scores: Higher for more suspect, finite.
        patients: Whose case it is; by default each case is a patient.
        seed: Of the draws.

    Example:
        >>> curve = roc_with_band([True, True, False, False], [0.9, 0.8, 0.2, 0.1])
        >>> set(curve.band_low), set(curve.band_high)
        ({1.0}, {1.0})
    """
    truth, values = np.asarray(positive, dtype=bool), np.asarray(scores, dtype=np.float64)
    if truth.all() or not truth.any():
        return Curve((), ())
    across, up = roc_curve(positive, scores)
    order = np.argsort(-values, kind="stable")
    last_of_tie = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    grid = np.linspace(0, 1, _GRID)
    found = np.empty((RESAMPLES, _GRID))
    for row, weights in enumerate(_draws(truth, patients, np.random.default_rng(seed))):
        drawn = weights[order]
        true, false = (np.cumsum(drawn * kind[order])[last_of_tie] for kind in (truth, ~truth))
        found[row] = _highest(false / false[-1], true / true[-1], grid)
    low, high = np.percentile(found, [2.5, 97.5], axis=0)
    return Curve(across, up, grid.tolist(), low.tolist(), high.tolist())


def _highest(
    across: NDArray[np.float64], up: NDArray[np.float64], grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The curve's upper value at each grid point, straight between its corners."""
    across, up = np.concatenate([[0.0], across]), np.concatenate([[0.0], up])
    last = np.searchsorted(across, grid, side="right") - 1
    after = np.minimum(last + 1, across.size - 1)
    width = across[after] - across[last]
    share = np.divide(grid - across[last], width, out=np.zeros_like(grid), where=width > 0)
    return np.asarray(up[last] + share * (up[after] - up[last]))


def _draws(
    truth: NDArray[np.bool_], patients: Sequence[Hashable] | None, generator: np.random.Generator
) -> NDArray[np.int64]:
    """How often each case is drawn, a row a resample; both kinds of patients keep their number."""
    numbers: dict[Hashable, int] = {}
    who = np.array([numbers.setdefault(name, len(numbers)) for name in (patients or range(truth.size))])
    has_positive = np.bincount(who, weights=truth) > 0
    times = np.zeros((RESAMPLES, len(numbers)), dtype=np.int64)
    for kind in (has_positive, ~has_positive):
        members = np.flatnonzero(kind)
        if members.size:
            times[:, members] = generator.multinomial(
                members.size, np.full(members.size, 1 / members.size), size=RESAMPLES
            )
    drawn = times[:, who]
    # Where patients have cases of both kinds, a draw may lack negatives: the sample itself stands in.
    fit = (drawn[:, truth].sum(axis=1) > 0) & (drawn[:, ~truth].sum(axis=1) > 0)
    drawn[~fit] = 1
    return drawn
