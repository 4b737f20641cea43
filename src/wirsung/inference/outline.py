"""What is known of a model once it was loaded, without its networks: enough to name predictions."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from wirsung import __version__
from wirsung.inference.finishing import Finishing
from wirsung.inference.postprocessing import Postprocessing
from wirsung.inference.predictor import Predictor
from wirsung.inference.presets import PRESETS, SMALLEST_STEP
from wirsung.inference.settings import PredictSettings
from wirsung.inference.sources import Source
from wirsung.models.folder import ModelClass


@dataclass(frozen=True)
class Outline:
    """A model and the settings that it predicts with."""

    settings: PredictSettings
    sha256: str
    """Of the weights."""
    classes: tuple[ModelClass, ...]
    scheme: str | None
    device: str
    """Where it runs."""
    steps: Postprocessing | None
    """After the network."""

    @classmethod
    def of(cls, settings: PredictSettings, predictor: Predictor, finishing: Finishing) -> "Outline":
        """Of a warm model."""
        return cls(
            settings,
            predictor.sha256,
            predictor.classes,
            predictor.scheme,
            str(predictor.device),
            finishing.steps,
        )

    def key(self, source: Source) -> str:
        """Another one when the image, the model or a setting that matters changes."""
        chosen = self.settings
        values = sorted((item.name, item.value) for item in self.classes)
        # What was predicted before there were presets is still what exact gives.
        step = SMALLEST_STEP if chosen.step is None else chosen.step
        made_by = [self.sha256, values, chosen.mirror, step, chosen.lesion_probability]
        others: list[object] = [chosen.lesion, chosen.modality]
        if chosen.lesion_probability:
            others.append("lesion score")  # predictions from before there was one are made again
        if chosen.preset != "exact":
            others.append([asdict(PRESETS[chosen.preset]), chosen.step])
        if self.steps is not None:
            others.append(asdict(self.steps))
        return hashlib.sha256(json.dumps([source.key(), *made_by, *others]).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """What `predictions.json` says beside the cases."""
        chosen, folds = self.settings, self.settings.folds or self.settings.fold
        folds = "auto" if folds == ("all",) else folds  # two words for every finished fold
        settings = {
            "fold": list(folds) if isinstance(folds, tuple) else folds,
            "mirror": chosen.mirror,
            "preset": chosen.preset,
            "step": chosen.step,
            "checkpoint": chosen.checkpoint,
            "postprocess": list(chosen.postprocess),
            "smallest_lesion_ml": chosen.smallest_lesion_ml,
        }
        return {
            "created_by": f"wirsung {__version__}",
            "scheme": self.scheme,
            "classes": {str(item.value): item.name for item in self.classes},
            "model": chosen.model.resolve().name if chosen.model else None,
            "model_sha256": self.sha256,
            "device": self.device,
            "settings": settings,
        }
