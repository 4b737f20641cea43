"""What becomes of a prediction before it is written: postprocessing, and the lesion's score."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from wirsung.anatomy.structures import containers
from wirsung.errors import ConfigError
from wirsung.inference.lesion_score import lesion_score
from wirsung.inference.postprocessing import Postprocessing, nnunet_steps
from wirsung.inference.predictor import Prediction, Predictor
from wirsung.inference.settings import PredictSettings

_PANCREAS = "pancreas"


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
            pancreas = np.isin(label_map.voxels, inside)
            facts["lesion_score"] = lesion_score(prediction.lesion_probability, pancreas).as_json()
        if not facts:
            return Finished(prediction)
        seconds = {**prediction.seconds, "finishing": round(perf_counter() - started, 3)}
        return Finished(replace(prediction, label_map=label_map, seconds=seconds), facts)

    def _is_inside(self, name: str) -> bool:
        return name == self.predictor.lesion or _PANCREAS in containers(name)


def _of_nnunet(model: Path, predictor: Predictor) -> tuple[tuple[int, ...], ...]:
    if len(predictor.parts) > 1:
        msg = "Several merged models have no postprocessing of nnU-Net's in common. Leave nnunet out."
        raise ConfigError(msg)
    labels, values = predictor.parts[0].loaded.stage.labels, predictor.parts[0].values
    # What regions paint are nnU-Net's labels already.
    return nnunet_steps(model, {value: value for value in labels.region_order} or values)
