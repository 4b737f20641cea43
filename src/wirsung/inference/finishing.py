"""What becomes of a prediction before it is written: postprocessing, and the lesion's score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wirsung.anatomy.structures import containers, parts
from wirsung.errors import ConfigError
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.volume import Volume
from wirsung.inference.lesion_score import lesion_score
from wirsung.inference.postprocessing import Postprocessing, nnunet_steps
from wirsung.inference.predictor import Prediction, Predictor
from wirsung.inference.settings import PredictSettings
from wirsung.models.folder import ModelClass

_PANCREAS = "pancreas"
_ORGAN = (_PANCREAS, "pancreas_head", "pancreas_body", "pancreas_tail")
_PLANES, _AT_ONCE = 16, 4


@dataclass(frozen=True)
class Finished:
    """A prediction as it is written."""

    prediction: Prediction
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What `predictions.json` says of it beyond the seconds."""


@dataclass(frozen=True)
class Finishing:
    """Made once of settings and model, then called with one prediction after another."""

    predictor: Predictor
    steps: Postprocessing | None
    """None where the label map is left as the network says."""

    @classmethod
    def of(cls, settings: PredictSettings, predictor: Predictor) -> "Finishing":
        """What the settings ask for.

        Raises:
            CheckpointError: nnU-Net's postprocessing is wanted, but the model's file is missing or damaged.
            ConfigError: It is wanted of several merged models.
        """
        names, model = settings.postprocess, settings.model
        largest = _of_nnunet(model, predictor) if "nnunet" in names and model is not None else ()
        steps = Postprocessing(
            largest, "one-piece" in names, "lesion-in-pancreas" in names, settings.smallest_lesion_ml
        )
        return cls(predictor, None if steps == Postprocessing() and not names else steps)

    def __call__(self, prediction: Prediction) -> Finished:
        """The prediction as it is written, and what is worth knowing of it."""
        started = perf_counter()
        facts: dict[str, Any] = {}
        label_map = prediction.label_map
        if self.steps is not None:
            label_map, removed = self.steps(label_map, self.predictor.classes)
            facts["removed"] = [item.as_json() for item in removed]
        if prediction.lesion_probability is not None:
            inside = [item.value for item in self.predictor.classes if self._is_inside(item.name)]
            pancreas = _where(label_map.voxels, inside)
            facts["lesion_score"] = lesion_score(prediction.lesion_probability, pancreas).as_json()
        warnings = (*prediction.warnings, *missing_in(label_map, self.predictor.classes))
        if not facts:
            return Finished(replace(prediction, warnings=warnings))
        seconds = {**prediction.seconds, "finishing": round(perf_counter() - started, 3)}
        made = replace(prediction, label_map=label_map, seconds=seconds, warnings=warnings)
        return Finished(made, facts)

    def _is_inside(self, name: str) -> bool:
        return name == self.predictor.lesion or _PANCREAS in containers(name)


def missing_in(label_map: Volume, classes: Sequence[ModelClass]) -> tuple[str, ...]:
    """The sentence on a label map without a pancreas, where the model knows one; or without anything.

    Example:
        >>> empty = Volume(np.zeros((2, 2, 2), np.uint8), np.eye(4))
        >>> missing_in(empty, [ModelClass(1, 17, "pancreas")])
        ('No pancreas was found.',)
        >>> missing_in(empty, [ModelClass(1, 28, "pancreatic_lesion")])  # as it should be
        ()
    """
    names = {item.name for item in classes}
    organ = [item.value for item in classes if item.name in _ORGAN]
    if organ:
        return () if _holds(label_map.voxels, organ) else ("No pancreas was found.",)
    if names <= {*parts(_PANCREAS)} or _holds(label_map.voxels, [item.value for item in classes]):
        return ()
    return ("Nothing that the model knows was found.",)


def _holds(voxels: Voxels, values: Sequence[int]) -> bool:
    """Whether any voxel has one of the values; some planes at a time, as most maps tell soon."""
    longest = int(np.argmax(voxels.shape))
    count = voxels.shape[longest]
    planes = np.moveaxis(voxels, longest, 0)
    order = sorted(range(0, count, _PLANES), key=lambda first: abs(first - count // 2))
    return any((planes[first : first + _PLANES] == value).any() for first in order for value in values)


def _where(voxels: Voxels, values: Sequence[int]) -> NDArray[np.bool_]:
    """The voxels that have one of a few values; `np.isin` takes ten times as long for them.

    Some planes at a time, as they lie in memory, so that the processor's cache holds them for every value.
    """
    found = np.zeros_like(voxels, dtype=bool)
    slowest = int(np.argmax(voxels.strides))
    planes, own = np.moveaxis(voxels, slowest, 0), np.moveaxis(found, slowest, 0)
    for first in range(0, len(planes), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        for value in values:
            own[part] |= planes[part] == value
    return found


def _of_nnunet(model: Path, predictor: Predictor) -> tuple[tuple[int, ...], ...]:
    if len(predictor.parts) > 1:
        msg = "Several merged models have no postprocessing of nnU-Net's in common. Leave nnunet out."
        raise ConfigError(msg)
    labels, values = predictor.parts[0].loaded.stage.labels, predictor.parts[0].values
    # What regions paint are nnU-Net's labels already.
    return nnunet_steps(model, {value: value for value in labels.region_order} or values)
