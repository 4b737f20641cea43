"""Which candidate is which lesion: one to one by overlap, or by any shared voxel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from wirsung.imaging.components import Components, shared_voxels

MIN_IOU = 0.1
"""The least overlap of a match, as in PI-CAI and PANORAMA."""


@dataclass(frozen=True)
class Matching:
    """The pairs of lesion and candidate, and what is left of both; all counted from 0."""

    pairs: tuple[tuple[int, int], ...]
    """Lesion and candidate, by lesion."""
    ious: tuple[float, ...]
    """Of each pair."""
    missed: tuple[int, ...]
    """Lesions without a candidate."""
    false: tuple[int, ...]
    """Candidates that overlap no lesion enough."""
    ignored: tuple[int, ...]
    """Candidates that overlap a lesion enough, which another candidate is matched to: neither right nor
    wrong."""
    touched: tuple[int, ...]
    """Lesions that share a voxel with any candidate."""
    touching: tuple[int, ...]
    """Candidates that share a voxel with any lesion."""


def match_lesions(reference: Components, prediction: Components, *, min_iou: float = MIN_IOU) -> Matching:
    """Match the lesions of a reference to the candidates of a prediction, on one grid.

    Args:
        reference: The lesions.
        prediction: The candidates.
        min_iou: The least overlap of a match, above 0.

    Source:
        Saha et al., PI-CAI, 2022: IoU of at least 0.1, each lesion and candidate matched once.
    """
    shared = shared_voxels(reference, prediction)
    sums = reference.sizes_voxels[:, None] + prediction.sizes_voxels[None, :]
    return match_overlaps(shared / (sums - shared), min_iou=min_iou)


def match_overlaps(ious: NDArray[np.float64], *, min_iou: float = MIN_IOU) -> Matching:
    """Match lesions, down, to candidates, across: as many as can be, and of those the most overlap in all.

    Args:
        ious: Intersection over union, 0 to 1.
        min_iou: The least overlap of a match, above 0.

    Example:
        >>> match_overlaps(np.array([[0.5, 0.2], [0.3, 0.05]])).pairs
        ((0, 1), (1, 0))
        >>> found = match_overlaps(np.array([[0.1, 0.5, 0.0]]))
        >>> found.pairs, found.ignored, found.false
        (((0, 1),), (0,), (2,))
    """
    enough = ious >= min_iou
    # A match outweighs whatever overlap it costs the others, which is below the number of matches.
    weights = np.where(enough, ious + min(ious.shape) + 1, 0.0)
    lesions, candidates = linear_sum_assignment(weights, maximize=True)
    pairs = [(int(a), int(b)) for a, b in zip(lesions, candidates, strict=True) if enough[a, b]]
    found, used = {a for a, _ in pairs}, {b for _, b in pairs}
    close = set(np.flatnonzero(enough.any(axis=0)).tolist())
    return Matching(
        tuple(pairs),
        tuple(float(ious[pair]) for pair in pairs),
        tuple(item for item in range(ious.shape[0]) if item not in found),
        tuple(item for item in range(ious.shape[1]) if item not in close),
        tuple(sorted(close - used)),
        tuple(np.flatnonzero((ious > 0).any(axis=1)).tolist()),
        tuple(np.flatnonzero((ious > 0).any(axis=0)).tolist()),
    )
