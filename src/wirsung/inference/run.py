"""The stage `predict`: one warm model over many cases."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from wirsung import __version__
from wirsung.compute.atomic import write_json
from wirsung.compute.cases import Outcome, Skip
from wirsung.compute.file_state import sha256_of_file
from wirsung.compute.progress import CaseProgress
from wirsung.errors import ConfigError
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.volume import Volume
from wirsung.inference.finishing import Finishing
from wirsung.inference.overlapping import Steps, overlapped
from wirsung.inference.predictor import How, Prediction, Predictor
from wirsung.inference.presets import PRESETS, SMALLEST_STEP
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
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Of each part of that."""
    notes: tuple[str, ...] = ()
    """What its user should know of it: the `warnings` of `predictions.json`."""


@dataclass(frozen=True)
class _Read:
    """A case that is to be predicted."""

    case: str
    key: str
    modality: str | None
    volumes: tuple[Volume, ...]
    reading_s: float


@dataclass(frozen=True)
class _Made:
    """A case that is to be written."""

    read: _Read
    prediction: Prediction
    notes: tuple[str, ...] = ()


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
    fold = _validation_fold(settings, settings.model)
    predictor = Predictor.load(settings.model, how=how_of(settings))
    sources = find_sources(settings.source, settings.split, fold, channels=predictor.channels)
    if settings.lesion_probability and not predictor.finds_lesions:
        msg = (
            f"{settings.model} has no class {settings.lesion}. Say with --lesion which of its classes is the "
            "lesion, or leave --lesion-probability out."
        )
        raise ConfigError(msg)
    job = _Job(settings, predictor, Finishing.of(settings, predictor))
    outcomes = []
    with CaseProgress("predict", len(sources)) as progress:
        for outcome in overlapped(Steps(job.read, job.compute, job.store), sources.items()):
            progress.count(outcome)
            outcomes.append(outcome)
    job.write()
    return outcomes


def how_of(settings: PredictSettings) -> How:
    """How the model is loaded and run."""
    return How(
        device=settings.device,
        folds=settings.chosen_folds,
        checkpoint=settings.checkpoint,
        mirror=settings.mirror,
        preset=settings.preset,
        step=settings.step,
        threads=settings.threads,
        choose=settings.choose,
        previous_stage=settings.previous_stage,
        lesion=settings.lesion,
    )


class _Job:
    """One call: predicts a case at a time, and keeps `predictions.json` true at any moment."""

    def __init__(self, settings: PredictSettings, predictor: Predictor, finishing: Finishing) -> None:
        self.settings = settings
        self.predictor = predictor
        self.finishing = finishing
        self.cases = _read_cases(settings.out)

    def read(self, source: Source) -> _Read:
        """The image, unless it was predicted before."""
        started, case, key = perf_counter(), source.case, self._key(source)
        known = self.cases.get(case)
        is_fine = known is not None and not (self.settings.strict and known.get("warnings"))
        if (
            known is not None
            and is_fine
            and known.get("key") == key
            and self._is_whole(case, known.get("sha256"))
        ):
            notes = tuple(map(str, known.get("warnings", ())))
            raise Skip(Predicted(key, float(known["duration_s"]), notes=notes))
        volumes, modality = source.read()
        return _Read(case, key, modality, volumes, round(perf_counter() - started, 3))

    def compute(self, read: _Read) -> _Made:
        """The prediction."""
        wanted = self.settings.modality
        made = self.predictor(
            read.volumes,
            lesion_probability=self.settings.lesion_probability,
            modality=read.modality if wanted == "auto" else wanted,
            strict=self.settings.strict,
        )
        return _Made(read, made, made.warnings)

    def store(self, made: _Made) -> Predicted:
        """The files, and what `predictions.json` says of them."""
        finished = self.finishing(made.prediction)
        started, case, said = perf_counter(), made.read.case, finished.prediction
        label_path, lesion_path = self._path(case), self._lesion_path(case)
        # A map that another model made is never left beside the new one.
        lesion_path.unlink(missing_ok=True)
        write_nifti(label_path, said.label_map)
        if said.lesion_probability is not None:
            write_nifti(lesion_path, said.lesion_probability)
        writing_s = round(perf_counter() - started, 3)
        seconds = {"reading": made.read.reading_s, **said.seconds, "writing": writing_s}
        predicted = Predicted(made.read.key, round(sum(seconds.values()), 3), seconds, made.notes)
        self.cases[case] = {
            "key": predicted.key,
            "sha256": {path.name: sha256_of_file(path) for path in self._paths(case)},
            "duration_s": predicted.duration_s,
            "seconds": dict(seconds),
            **({"warnings": list(made.notes)} if made.notes else {}),
            **finished.facts,
        }
        self.write()
        return predicted

    def write(self) -> None:
        """Write `predictions.json`."""
        chosen, folds = self.settings, self.settings.folds or self.settings.fold
        settings = {
            "fold": list(folds) if isinstance(folds, tuple) else folds,
            "mirror": chosen.mirror,
            "preset": chosen.preset,
            "step": chosen.step,
            "checkpoint": chosen.checkpoint,
            "postprocess": list(chosen.postprocess),
            "smallest_lesion_ml": chosen.smallest_lesion_ml,
        }
        content = {
            "schema": _SCHEMA,
            "created_by": f"wirsung {__version__}",
            "scheme": self.predictor.scheme,
            "classes": {str(item.value): item.name for item in self.predictor.classes},
            "model": chosen.model.resolve().name if chosen.model else None,
            "model_sha256": self.predictor.sha256,
            "device": str(self.predictor.device),
            "settings": settings,
            "cases": dict(sorted(self.cases.items())),
        }
        write_json(chosen.out / PREDICTIONS_FILE, content)

    def _key(self, source: Source) -> str:
        chosen = self.settings
        values = sorted((item.name, item.value) for item in self.predictor.classes)
        # What was predicted before there were presets is still what exact gives.
        step = SMALLEST_STEP if chosen.step is None else chosen.step
        made_by = [self.predictor.sha256, values, chosen.mirror, step, chosen.lesion_probability]
        others: list[object] = [chosen.lesion, chosen.modality]
        if chosen.lesion_probability:
            others.append("lesion score")  # predictions from before there was one are made again
        if chosen.preset != "exact":
            others.append([asdict(PRESETS[chosen.preset]), chosen.step])
        if self.finishing.steps is not None:
            others.append(asdict(self.finishing.steps))
        return hashlib.sha256(json.dumps([source.key(), *made_by, *others]).encode()).hexdigest()

    def _is_whole(self, case: str, checksums: object) -> bool:
        """Whether every file of a case is there and as it was written."""
        if not isinstance(checksums, dict):
            return False
        return all(
            path.is_file() and checksums.get(path.name) == sha256_of_file(path) for path in self._paths(case)
        )

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
