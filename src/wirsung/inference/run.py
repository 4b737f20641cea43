"""The stage `predict`: one warm model over many cases."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from wirsung import __version__
from wirsung.compute.atomic import write_json
from wirsung.compute.cases import Outcome, Skip, map_cases
from wirsung.errors import ConfigError
from wirsung.imaging.nifti import write_nifti
from wirsung.inference.predictor import LESION, Predictor
from wirsung.inference.settings import PredictSettings
from wirsung.inference.sources import Source, find_sources
from wirsung.models.folder import finished_folds

PREDICTIONS_FILE = "predictions.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Predicted:
    """One finished case."""

    key: str
    """Of the image, the model and the settings."""
    duration_s: float
    """Reading, predicting and writing."""


def predict(settings: PredictSettings) -> list[Outcome[Predicted]]:
    """Predict every case that is new, or whose image, model or settings changed.

    Raises:
        ConfigError: No model is named, or it knows no lesion where its probability is wanted.
        CheckpointError: The model can't be used.
        ManifestError: There is nothing to predict.
    """
    if settings.model is None:
        msg = "Which model? Name its folder with --model."
        raise ConfigError(msg)
    sources = find_sources(settings.source, settings.split, _validation_fold(settings, settings.model))
    folds = None if settings.fold == "auto" else [settings.fold]
    predictor = Predictor.load(
        settings.model, device=settings.device, folds=folds, mirror=settings.mirror, step=settings.step
    )
    if settings.lesion_probability and not predictor.finds_lesions:
        msg = f"{settings.model} has no class {LESION}. Leave --lesion-probability out."
        raise ConfigError(msg)
    job = _Job(settings, predictor)
    outcomes = map_cases(job, {case: (case, source) for case, source in sources.items()}, **_BAR)
    job.write()
    return outcomes


_BAR: Mapping[str, Any] = {"workers": 1, "description": "predict"}


class _Job:
    """One call: predicts a case at a time, and keeps `predictions.json` true at any moment."""

    def __init__(self, settings: PredictSettings, predictor: Predictor) -> None:
        self.settings = settings
        self.predictor = predictor
        self.cases = _read_cases(settings.out)

    def __call__(self, task: tuple[str, Source]) -> Predicted:
        case, source = task
        started = perf_counter()
        key = self._key(source)
        known = self.cases.get(case)
        if (
            known is not None
            and known.get("key") == key
            and all(path.is_file() for path in self._paths(case))
        ):
            raise Skip(Predicted(key, float(known["duration_s"])))
        wanted = self.settings.lesion_probability
        made = self.predictor(source.volume(), lesion_probability=wanted)
        label_path, lesion_path = self._path(case), self._lesion_path(case)
        # A map that another model made is never left beside the new one.
        lesion_path.unlink(missing_ok=True)
        write_nifti(label_path, made.label_map)
        if made.lesion_probability is not None:
            write_nifti(lesion_path, made.lesion_probability)
        predicted = Predicted(key, round(perf_counter() - started, 3))
        self.cases[case] = {"key": key, "duration_s": predicted.duration_s}
        self.write()
        return predicted

    def write(self) -> None:
        """Write `predictions.json`."""
        chosen = self.settings
        content = {
            "schema": _SCHEMA,
            "created_by": f"wirsung {__version__}",
            "scheme": self.predictor.scheme,
            "classes": {str(item.value): item.name for item in self.predictor.classes},
            "model": chosen.model.resolve().name if chosen.model else None,
            "model_sha256": self.predictor.sha256,
            "device": str(self.predictor.device),
            "settings": {"fold": chosen.fold, "mirror": chosen.mirror, "step": chosen.step},
            "cases": dict(sorted(self.cases.items())),
        }
        write_json(chosen.out / PREDICTIONS_FILE, content)

    def _key(self, source: Source) -> str:
        chosen = self.settings
        made_by = [self.predictor.sha256, chosen.mirror, chosen.step, chosen.lesion_probability]
        return hashlib.sha256(json.dumps([source.key(), *made_by]).encode()).hexdigest()

    def _paths(self, case: str) -> list[Path]:
        lesion = [self._lesion_path(case)] if self.settings.lesion_probability else []
        return [self._path(case), *lesion]

    def _path(self, case: str) -> Path:
        return self.settings.out / f"{case}.nii.gz"

    def _lesion_path(self, case: str) -> Path:
        return self.settings.out / f"{case}_lesion.nii.gz"


def _validation_fold(settings: PredictSettings, model: Path) -> int | None:
    """The fold whose validation cases are meant."""
    if settings.split != "validation":
        return None
    if isinstance(settings.fold, int):
        return settings.fold
    finished = [fold for fold in finished_folds(model) if fold.isdigit()]
    return int(finished[0]) if len(finished) == 1 else None


def _read_cases(out: Path) -> dict[str, dict[str, Any]]:
    """What an earlier call finished; nothing where its record is missing or damaged."""
    try:
        content = json.loads((out / PREDICTIONS_FILE).read_text(encoding="utf-8"))
        return {str(case): dict(row) for case, row in content["cases"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
