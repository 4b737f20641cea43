"""What each metric is where it is undefined: one table, and the reasons that stand beside every NaN.

| metric                                 | both empty      | reference empty      | prediction empty      |
|----------------------------------------|-----------------|----------------------|-----------------------|
| dsc, iou, sensitivity, kappa, nsd      | NaN, both_empty | NaN, reference_empty | 0                     |
| precision                              | NaN, both_empty | NaN, reference_empty | NaN, prediction_empty |
| hd, hd95, assd, masd                   | NaN, both_empty | NaN, reference_empty | NaN, prediction_empty |
| volume_difference                      | NaN, both_empty | NaN, reference_empty | -1                    |
| volume_difference_ml and both volumes  | 0               | as measured          | as measured           |
| specificity                            | 1               | as measured          | 1                     |

A structure that fills the whole volume leaves nothing outside: specificity, and kappa where the prediction
fills it too, are NaN, no_background.

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
    NO_BACKGROUND = "no_background"
    """The structure fills the whole volume."""
    PREDICTION_MISSING = "prediction_missing"
    """The prediction of the case, or its mask of this structure, is not there."""
    CASE_FAILED = "case_failed"
    """A file could not be read, or the grids differ."""

    @property
    def words(self) -> str:
        """For people: `both empty`."""
        return self.value.replace("_", " ")


_WITH_NOTHING = {
    "dsc": 0.0,
    "iou": 0.0,
    "sensitivity": 0.0,
    "kappa": 0.0,
    "nsd": 0.0,
    "volume_difference": -1.0,
}
"""What a metric is where only the prediction is empty."""

_MEASURED = frozenset({"volume_ml", "reference_volume_ml", "volume_difference_ml", "specificity"})
"""What an empty mask does not make undefined."""


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
    if metric in _MEASURED or not (reference_empty or prediction_empty):
        return None
    if reference_empty:
        return math.nan, Reason.BOTH_EMPTY if prediction_empty else Reason.REFERENCE_EMPTY
    name = "nsd" if metric.startswith("nsd_") else metric
    if name in _WITH_NOTHING:
        return _WITH_NOTHING[name], None
    return math.nan, Reason.PREDICTION_EMPTY
