"""Closed contours as pixels: a pixel is inside where its centre is.

A centre is inside where a ray from it crosses the contours an odd number of times. So a contour inside
another one is a hole, whether it stands alone or is joined by a channel of no width (a keyhole), and what two
contours share is a hole as well. A centre exactly on a contour is inside where the area lies to its right or,
on a level edge, below, so that of two areas that share an edge exactly one has it.

Source:
    The even-odd rule by crossings of each row, as in Foley et al. (1990), section 3.6.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_DIGITS = 6
"""Of a pixel: what differs by less is rounding, not shape."""

Points = NDArray[np.float64]
"""Vertices of a closed contour, columns and rows, shape (n, 2); pixel centres lie at integers."""


def fill_contours(contours: Iterable[Points], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels inside, column and row.

    Args:
        contours: All those of one structure on one plane; the last vertex joins the first.
        shape: Columns and rows; what lies beyond is cut off.

    Example:
        >>> square = np.array([[0.5, 0.5], [2.5, 0.5], [2.5, 2.5], [0.5, 2.5]])
        >>> fill_contours([square], (4, 4)).sum()
        np.int64(4)
        >>> hole = np.array([[0.9, 0.9], [1.1, 0.9], [1.1, 1.1], [0.9, 1.1]])
        >>> fill_contours([square, hole], (4, 4)).sum()
        np.int64(3)
    """
    columns, rows = shape
    crossings = np.zeros((rows, columns + 1), dtype=np.int64)
    for contour in contours:
        start = np.asarray(contour, dtype=np.float64).round(_DIGITS)
        _count_crossings(start, np.roll(start, -1, axis=0), crossings)
    return np.asarray((np.cumsum(crossings[:, :columns], axis=1) % 2 == 1).T)


def enclosed_area(contours: Iterable[Points]) -> float:
    """The sum of the contours' areas in pixels, by their vertices; holes are not taken off.

    Example:
        >>> enclosed_area([np.array([[0.0, 0], [2, 0], [2, 3]])])
        3.0
    """
    total = 0.0
    for contour in contours:
        x, y = np.asarray(contour, dtype=np.float64).T
        total += abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    return total


def _count_crossings(start: Points, end: Points, crossings: NDArray[np.int64]) -> None:
    """Add, for each edge and each row that it crosses, 1 to the first pixel to the right of the crossing."""
    rows, beyond = crossings.shape[0], crossings.shape[1] - 1
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    first = np.clip(np.ceil(low), 0, rows).astype(int)
    last = np.clip(np.ceil(high), 0, rows).astype(int)  # a row through the upper end is the next edge's
    counts = last - first
    edge = np.repeat(np.arange(len(start)), counts)
    row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    (x0, y0), (x1, y1) = start[edge].T, end[edge].T
    crossed = (x0 + (row - y0) * (x1 - x0) / (y1 - y0)).round(_DIGITS)
    np.add.at(crossings, (row, np.clip(np.ceil(crossed), 0, beyond).astype(int)), 1)
