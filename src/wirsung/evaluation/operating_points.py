"""Operating points: sensitivity and specificity by case, once a threshold makes calls of scores.

A case is called positive where its score is at least the threshold. A threshold chosen on the cases that it
is then told for is optimistic; the intervals do not hold that choice. A fixed threshold has no such bias.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wirsung.errors import ConfigError, near_names
from wirsung.evaluation.detection import Proportion, proportion

DEFAULT = ("youden", "specificity:0.95", "sensitivity:0.9")
"""The operating points that are told unless a protocol says others."""

_KINDS = ("youden", "specificity", "sensitivity", "threshold")


@dataclass(frozen=True)
class OperatingPoint:
    """Sensitivity and specificity at one threshold."""

    name: str
    """youden, specificity:FRACTION, sensitivity:FRACTION or threshold:VALUE."""
    threshold: float
    """Positive is a score of at least this; infinity where no case is called positive."""
    sensitivity: Proportion
    specificity: Proportion
    reason: str = ""
    """Why there is no such point."""


def operating_point(name: str, positive: Sequence[bool], scores: Sequence[float]) -> OperatingPoint:
    """Sensitivity and specificity by case, each with Wilson's 95 % interval, at a threshold found by name.

    - `youden`: the highest sum of sensitivity and specificity; of equals the highest threshold.
    - `specificity:0.95`: the highest sensitivity at a specificity of at least that.
    - `sensitivity:0.9`: the highest specificity at a sensitivity of at least that.
    - `threshold:0.5`: that threshold.

    Args:
        name: Which point.
        positive: Whether the reference holds a lesion, one a case.
        scores: Higher for more suspect, finite.

    Raises:
        ConfigError: No operating point has that name.

    Source:
        Youden, Cancer 1950; Wilson, Journal of the American Statistical Association 1927.

    Example:
        >>> point = operating_point("youden", [False, False, True, True], [0.1, 0.4, 0.35, 0.8])
        >>> point.threshold, point.sensitivity.value, point.specificity.value
        (0.8, 0.5, 1.0)
    """
    kind, value = parse_point(name)
    truth, values = np.asarray(positive, dtype=bool), np.asarray(scores, dtype=np.float64)
    if kind == "threshold":
        return _at(name, value, truth, values)
    if truth.all() or not truth.any():
        missing = "negative" if truth.any() else "positive"
        nothing = proportion(0, 0)
        return OperatingPoint(name, math.nan, nothing, nothing, f"undefined: no {missing} case")
    thresholds = np.append(np.inf, np.unique(values)[::-1])
    # The number of positives and of negatives called positive at each threshold.
    hits, alarms = (_at_least(values[side], thresholds) for side in (truth, ~truth))
    sensitivities, specificities = hits / truth.sum(), ((~truth).sum() - alarms) / (~truth).sum()
    if kind == "youden":
        # In whole numbers, so that equals are equal.
        chosen = int(np.argmax(hits * int((~truth).sum()) - alarms * int(truth.sum())))
    elif kind == "specificity":
        chosen = int(np.argmax(np.where(specificities >= value, hits, -1)))
    else:
        chosen = int(np.argmax(np.where(sensitivities >= value, -alarms, -truth.size - 1)))
    return _at(name, float(thresholds[chosen]), truth, values)


def parse_point(name: str) -> tuple[str, float]:
    """The kind of an operating point and its number; NaN for youden, which has none.

    Raises:
        ConfigError: No operating point has that name, or its number is missing or impossible.

    Example:
        >>> parse_point("specificity:0.95")
        ('specificity', 0.95)
    """
    kind, _, text = name.partition(":")
    if kind not in _KINDS:
        msg = f"There is no operating point named {name!r}. {near_names(kind, _KINDS)}"
        raise ConfigError(msg)
    if name == "youden":
        return kind, math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if kind == "youden" or not math.isfinite(value) or (kind != "threshold" and not 0 <= value <= 1):
        msg = (
            f"The operating point {name!r} has no usable number. Write youden, specificity:0.95, "
            "sensitivity:0.9 or threshold:0.5."
        )
        raise ConfigError(msg)
    return kind, value


def _at(name: str, threshold: float, truth: NDArray[np.bool_], values: NDArray[np.float64]) -> OperatingPoint:
    called = values >= threshold
    hits, spared = int((called & truth).sum()), int((~called & ~truth).sum())
    positives = int(truth.sum())
    return OperatingPoint(
        name, threshold, proportion(hits, positives), proportion(spared, truth.size - positives)
    )


def _at_least(values: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many values are at least each threshold."""
    return np.asarray(values.size - np.searchsorted(np.sort(values), thresholds, side="left"), dtype=np.int64)
