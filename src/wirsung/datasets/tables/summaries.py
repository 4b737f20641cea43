"""One variable of one cohort in a few numbers; what is missing is counted, never dropped in silence."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
"""One value a case; NaN where it is missing."""


@dataclass(frozen=True)
class NumberSummary:
    """A number's distribution; NaN where there are too few values."""

    n: int
    """Values that are there."""
    missing: int
    mean: float
    sd: float
    """Of the sample: divided by n - 1."""
    median: float
    q1: float
    """Quartiles by linear interpolation, R's type 7."""
    q3: float


@dataclass(frozen=True)
class CountSummary:
    """How many cases have each value."""

    n: int
    missing: int
    counts: tuple[tuple[str, int], ...]
    """Level and cases, in the order of the levels."""

    def fraction(self, level: str) -> float:
        """The level's part of all cases, the missing ones included; NaN of an empty cohort."""
        total = self.n + self.missing
        return dict(self.counts)[level] / total if total else float("nan")


def summarise_numbers(values: Numbers) -> NumberSummary:
    """The distribution of the values that are there.

    Example:
        >>> found = summarise_numbers(np.array([1.0, 2.0, 3.0, 6.0, np.nan]))
        >>> found.n, found.missing, found.mean, found.median, found.q1, found.q3
        (4, 1, 3.0, 2.5, 1.75, 3.75)
    """
    known = values[~np.isnan(values)]
    nan = float("nan")
    if not known.size:
        return NumberSummary(0, values.size, nan, nan, nan, nan, nan)
    q1, median, q3 = (float(value) for value in np.percentile(known, (25, 50, 75)))
    sd = float(known.std(ddof=1)) if known.size > 1 else nan
    return NumberSummary(known.size, values.size - known.size, float(known.mean()), sd, median, q1, q3)


def summarise_counts(values: Sequence[str | None], levels: Sequence[str] = ()) -> CountSummary:
    """How often each level occurs: those named first, in their order, then any other by frequency.

    Example:
        >>> summarise_counts(["F", "M", None, "F"], ["M", "F"])
        CountSummary(n=3, missing=1, counts=(('M', 1), ('F', 2)))
    """
    found = Counter(value for value in values if value is not None)
    others = [level for level, _ in found.most_common() if level not in levels]
    counts = tuple((level, found[level]) for level in (*levels, *others))
    known = sum(found.values())
    return CountSummary(known, len(values) - known, counts)
