"""One case: two label maps to rows of scores."""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np

from wirsung.evaluation.case_score import MAX, case_score, metric_of
from wirsung.evaluation.label_pair import LabelPair
from wirsung.evaluation.lesions import CaseLesions, find_lesions
from wirsung.evaluation.overlap import Overlap, overlap
from wirsung.evaluation.protocol import Protocol, nsd_name, unit_of
from wirsung.evaluation.scores import Score
from wirsung.evaluation.surface_metrics import SurfaceDistances
from wirsung.evaluation.undefined import Reason, settled
from wirsung.evaluation.views import View
from wirsung.imaging.arrays import LabelMap, Mask
from wirsung.imaging.volume import Volume

LESION = "pancreatic_lesion"
LESION_PROBABILITY = "lesion_probability_max"
"""The highest lesion probability of a case, as a metric of the lesion: the case score `max`."""


@dataclass(frozen=True)
class CaseName:
    """What stands in every row of one case's scores."""

    case: str
    method: str
    protocol: Protocol

    def row(self, structure: str, metric: str, value: float, reason: Reason | None = None) -> Score:
        """One row; the reason goes with a NaN."""
        why = reason.value if reason else None
        return Score(
            self.case, structure, metric, value, unit_of(metric), why, self.protocol.name, self.method
        )


class Pair:
    """Two label maps, read once for all structures."""

    def __init__(self, reference: Volume, prediction: Volume) -> None:
        self.reference, self.prediction = reference, prediction
        self._maps = LabelPair(reference.voxels, prediction.voxels, reference.spacing_mm)
        self._counts = self._maps.counts

    @property
    def values(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The values present in the reference and in the prediction."""
        reference, prediction = (np.flatnonzero(self._counts.any(axis=axis)).tolist() for axis in (1, 0))
        return tuple(reference), tuple(prediction)

    def overlap(self, view: View) -> Overlap:
        """The voxel counts of one structure."""
        return overlap(self._counts, view.reference_values, view.prediction_values)

    def surface_distances(self, view: View, *, surfels: bool = False) -> SurfaceDistances:
        """The distances of one structure, which both hold, between voxels or between surface elements."""
        measure = self._maps.surfel_distances if surfels else self._maps.distances
        return measure(view.reference_values, view.prediction_values)


def score_case(
    name: CaseName,
    pair: Pair,
    views: Collection[View],
    *,
    annotated: Collection[str] | None = None,
    predicted: Collection[str] | None = None,
) -> list[Score]:
    """The scores of one case: a row a structure and metric, in the order of the views.

    Args:
        name: Case, method and protocol.
        pair: Reference and prediction, on one grid.
        views: Which values are which structure.
        annotated: The structures that this reference annotates; None for all.
        predicted: The structures that this prediction has a mask of; None for all.
    """
    rows: list[Score] = []
    for view in views:
        if annotated is not None and view.structure not in annotated:
            rows += unscored(name, view.structure, Reason.NOT_ANNOTATED)
            continue
        if predicted is not None and view.structure not in predicted:
            rows += unscored(name, view.structure, Reason.PREDICTION_MISSING)
            continue
        for metric, value, reason in _values(name.protocol, pair, view):
            rows.append(name.row(view.structure, metric, value, reason))
    return rows


def unscored(name: CaseName, structure: str, reason: Reason) -> list[Score]:
    """The rows of a structure that can't be scored: every metric NaN, with the reason."""
    return [name.row(structure, metric, math.nan, reason) for metric in name.protocol.metric_names]


def lesion_probability(name: CaseName, probability: Volume) -> Score:
    """The row with the case's score, from its lesion probability; the maximum where the volume ranks."""
    chosen = name.protocol.case_score
    metric = metric_of(chosen)
    if metric is None:
        chosen, metric = MAX, LESION_PROBABILITY
    return name.row(LESION, metric, case_score(chosen, probability.voxels))


def lesions_of(protocol: Protocol, pair: Pair, view: View, probability: Volume | None) -> CaseLesions:
    """The lesions of the case and what became of them.

    Args:
        protocol: Which overlap is enough.
        pair: Reference and prediction, on one grid.
        view: The lesion's.
        probability: On the same grid; None where there is none, then every candidate is sure.
    """
    sides = ((pair.reference, view.reference_values), (pair.prediction, view.prediction_values))
    reference, prediction = (_mask(volume.voxels, values) for volume, values in sides)
    return find_lesions(
        reference,
        prediction,
        spacing_mm=pair.reference.spacing_mm,
        confidence=None if probability is None else probability.voxels,
        min_iou=protocol.lesion_iou,
    )


def _mask(voxels: LabelMap, values: tuple[int, ...]) -> Mask:
    """As mask_of, and fast for the one value that a lesion mostly has."""
    return np.asarray(voxels == values[0]) if len(values) == 1 else mask_of(voxels, values)


def _values(protocol: Protocol, pair: Pair, view: View) -> Iterator[tuple[str, float, Reason | None]]:
    found = pair.overlap(view)
    emptiness = {"reference_empty": found.reference == 0, "prediction_empty": found.prediction == 0}
    compute = _metrics(found, pair.reference.voxel_volume_mm3 / 1000)
    if protocol.needs_surfaces and not any(emptiness.values()):
        compute |= _surface_metrics(pair.surface_distances(view, surfels=protocol.surfels), protocol)
    for metric in protocol.metric_names:
        value, reason = settled(metric, **emptiness) or (compute[metric](), None)
        # What both masks leave defined lacks only a background.
        yield metric, value, Reason.NO_BACKGROUND if reason is None and math.isnan(value) else reason


def _metrics(found: Overlap, voxel_ml: float) -> dict[str, Callable[[], float]]:
    return {
        "dsc": lambda: found.dsc,
        "iou": lambda: found.iou,
        "sensitivity": lambda: found.sensitivity,
        "specificity": lambda: found.specificity,
        "precision": lambda: found.precision,
        "kappa": lambda: found.kappa,
        "volume_ml": lambda: found.prediction * voxel_ml,
        "reference_volume_ml": lambda: found.reference * voxel_ml,
        "volume_difference_ml": lambda: (found.prediction - found.reference) * voxel_ml,
        "volume_difference": lambda: (found.prediction - found.reference) / found.reference,
    }


def _surface_metrics(distances: SurfaceDistances, protocol: Protocol) -> dict[str, Callable[[], float]]:
    metrics: dict[str, Callable[[], float]] = {
        "hd": lambda: distances.hd,
        "hd95": lambda: distances.hd95,
        "assd": lambda: distances.assd,
        "masd": lambda: distances.masd,
    }
    for tolerance_mm in protocol.tolerances_mm:
        metrics[nsd_name(tolerance_mm)] = lambda tau=tolerance_mm: distances.nsd(tau, strict=protocol.strict)  # type: ignore[misc]
    return metrics


def mask_of(voxels: LabelMap, values: tuple[int, ...]) -> Mask:
    """The voxels that have any of the values.

    Example:
        >>> mask_of(np.array([[[0, 1, 2]]]), (1, 2)).tolist()
        [[[False, True, True]]]
    """
    lookup = np.zeros(max([int(voxels.max()), *values]) + 1, dtype=np.bool_)
    lookup[list(values)] = True
    return np.asarray(lookup[voxels])
