"""Where the voxels of each class lie: training patches are centred on a draw of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wirsung.imaging.compiled import compiled

_FEWEST = 10_000
_FRACTION = 0.01


def class_locations(
    labels: NDArray[np.integer], classes: Sequence[int], *, seed: int = 1234
) -> dict[int, NDArray[np.int64]]:
    """Voxels of each class to centre training patches on: (0, z, y, x) a row, 10,000 or 1 % of them.

    Args:
        labels: (z, y, x).
        classes: From 1 on, in the order in which they are drawn.
        seed: Of the draw.

    Source:
        `_sample_foreground_locations` of nnU-Net 2.8, which draws the same ones.

    Example:
        >>> class_locations(np.array([[[0, 2, 0]]]), (1, 2))
        {1: array([], shape=(0, 4), dtype=int64), 2: array([[0, 0, 0, 1]])}
    """
    random = np.random.RandomState(seed)
    flat = np.ascontiguousarray(labels).reshape(-1)
    rank = np.full(max(classes, default=0) + 1, -1, np.int64)
    rank[list(classes)] = np.arange(len(classes))
    counts = np.zeros(len(classes), np.int64)
    _count(flat, rank, counts)
    places = np.empty(counts.sum(), np.int64)
    ends = counts.cumsum()
    _collect(flat, rank, ends - counts, places)
    found: dict[int, NDArray[np.int64]] = {}
    for value, count, end in zip(classes, counts, ends, strict=True):
        own = places[end - count : end]
        if count:
            wanted = max(min(_FEWEST, own.size), int(np.ceil(_FRACTION * own.size)))
            own = own[random.choice(own.size, wanted, replace=False)]
        found[int(value)] = np.stack((np.zeros_like(own), *np.unravel_index(own, labels.shape)), axis=1)
    return found


@compiled
def _count(labels: NDArray[np.integer], rank: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
    """Count the voxels of each class."""
    for label in labels:
        if 0 < label < rank.size and rank[label] >= 0:
            counts[rank[label]] += 1


@compiled
def _collect(
    labels: NDArray[np.integer],
    rank: NDArray[np.int64],
    starts: NDArray[np.int64],
    places: NDArray[np.int64],
) -> None:
    """Write the voxels of each class from its start on, which moves on."""
    for place in range(labels.size):
        label = labels[place]
        if 0 < label < rank.size and rank[label] >= 0:
            places[starts[rank[label]]] = place
            starts[rank[label]] += 1
