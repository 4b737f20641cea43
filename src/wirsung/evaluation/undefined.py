"""What each metric is where it is undefined: one table, and the reasons that stand beside every NaN.

| metric                        | both empty      | reference empty      | prediction empty      |
|-------------------------------|-----------------|----------------------|-----------------------|
| dsc, iou, sensitivity, nsd    | NaN, both_empty | NaN, reference_empty | 0                     |
| precision                     | NaN, both_empty | NaN, reference_empty | NaN, prediction_empty |
| hd, hd95, assd                | NaN, both_empty | NaN, reference_empty | NaN, prediction_empty |
| volumes                       | 0               | as measured          | as measured           |

Where the reference is empty, the false positive is carried by `volume_ml` and by detection's specificity. A
distance with an empty prediction ranks as the worst there is. Nothing undefined is ever dropped: a mean says
over how many cases it is, and how many were left out for which reason.
"""

import math
from enum import StrEnum


class Reason(StrEnum):
    """Why a value is NaN."""

    BOTH_EMPTY = "both_empty"
    REFERENCE_EMPTY = "reference_empty"
    PREDICTION_EMPTY = "prediction_empty"
    NOT_ANNOTATED = "not_annotated"
    """The reference has no mask of this structure for this case, so nobody knows."""
    PREDICTION_MISSING = "prediction_missing"
    CASE_FAILED = "case_failed"
    """A file could not be read, or the grids differ."""

    @property
    def words(self) -> str:
        """For people: `both empty`."""
        return self.value.replace("_", " ")


_WITHOUT_OVERLAP = frozenset({"dsc", "iou", "sensitivity", "nsd"})
_NEVER_UNDEFINED = frozenset({"volume_ml", "reference_volume_ml"})


def settled(
    metric: str, *, reference_empty: bool, prediction_empty: bool
) -> tuple[float, Reason | None] | None:
    """Value and reason where emptiness decides the metric; None where it must be computed.

    Args:
        metric: A name as in scores.parquet.
        reference_empty: The structure has no voxel in the reference.
        prediction_empty: The structure has no voxel in the prediction.

    Example:
        >>> settled("nsd_2mm", reference_empty=False, prediction_empty=True)
        (0.0, None)
        >>> settled("hd95", reference_empty=False, prediction_empty=True)
        (nan, <Reason.PREDICTION_EMPTY: 'prediction_empty'>)
        >>> settled("dsc", reference_empty=False, prediction_empty=False) is None
        True
    """
    if metric in _NEVER_UNDEFINED or not (reference_empty or prediction_empty):
        return None
    if reference_empty:
        return math.nan, Reason.BOTH_EMPTY if prediction_empty else Reason.REFERENCE_EMPTY
    if metric.split("_")[0] in _WITHOUT_OVERLAP:
        return 0.0, None
    return math.nan, Reason.PREDICTION_EMPTY
