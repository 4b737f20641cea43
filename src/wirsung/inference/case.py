"""One case of `predict`: read, computed and written, by whoever holds a warm model."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from wirsung.compute.file_state import sha256_of_file, state_of_file
from wirsung.compute.outcome import is_second_try
from wirsung.errors import ConfigError
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.volume import Volume
from wirsung.inference.finishing import Finishing
from wirsung.inference.memory import sparing
from wirsung.inference.predictor import How, Prediction, Predictor
from wirsung.inference.settings import PredictSettings
from wirsung.inference.sources import Source


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
class CaseTask:
    """A case that is to be predicted."""

    source: Source
    key: str
    """Of the image, the model and the settings."""


@dataclass(frozen=True)
class Written:
    """A case whose files are written."""

    predicted: Predicted
    row: Mapping[str, Any]
    """What `predictions.json` says of it."""
    states: Mapping[str, list[int]]
    """Of each file: size in bytes, time in ns."""


@dataclass(frozen=True)
class _Read:
    """A case that is to be computed."""

    task: CaseTask
    modality: str | None
    volumes: tuple[Volume, ...]
    reading_s: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Made:
    """A case that is to be written."""

    read: _Read
    prediction: Prediction

    @property
    def case(self) -> str:
        """Its name."""
        return self.read.task.source.case


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


@dataclass(frozen=True)
class CaseWork:
    """The three steps of a case, with a warm model."""

    settings: PredictSettings
    predictor: Predictor
    finishing: Finishing

    @classmethod
    def of(cls, settings: PredictSettings) -> "CaseWork":
        """With a model that is loaded for it.

        Raises:
            CheckpointError: The model can't be used.
            ConfigError: There is none, or no such device.
        """
        if settings.model is None:
            msg = "Which model? Name its folder with --model."
            raise ConfigError(msg)
        predictor = Predictor.load(settings.model, how=how_of(settings))
        return cls(settings, predictor, Finishing.of(settings, predictor))

    def __call__(self, task: CaseTask) -> Written:
        """All three, one after the other."""
        return self.store(self.compute(self.read(task)))

    def read(self, task: CaseTask) -> _Read:
        """The image."""
        started = perf_counter()
        found = sparing(task.source.read, task.source.read)
        return _Read(task, found.modality, found.volumes, round(perf_counter() - started, 3), found.notes)

    def compute_volumes(self, task: CaseTask, volumes: tuple[Volume, ...], modality: str | None) -> _Made:
        """The prediction of volumes that were read by somebody else."""
        return self.compute(_Read(task, modality, volumes, 0.0))

    def compute(self, read: _Read) -> _Made:
        """The prediction; on less memory where that is wanting, or took the worker the first time."""
        is_again = is_second_try()
        return sparing(
            lambda: self._computed(read, is_frugal=is_again), lambda: self._computed(read, is_frugal=True)
        )

    def _computed(self, read: _Read, *, is_frugal: bool = False) -> _Made:
        wanted = self.settings.modality
        predictor = self.predictor.frugal() if is_frugal else self.predictor
        made = predictor.predict(
            read.volumes,
            lesion_probability=self.settings.lesion_probability,
            modality=read.modality if wanted == "auto" else wanted,
            strict=self.settings.strict,
        )
        return _Made(read, replace(made, warnings=(*read.notes, *made.warnings)))

    def store(self, made: _Made) -> Written:
        """The files, and what is to be remembered of them."""
        return sparing(lambda: self._stored(made), lambda: self._stored(made))

    def _stored(self, made: _Made) -> Written:
        finished = self.finishing(made.prediction)
        started, out, said = perf_counter(), self.settings.out, finished.prediction
        label_path, lesion_path = label_file(out, made.case), lesion_file(out, made.case)
        # A map that another model made is never left beside the new one.
        lesion_path.unlink(missing_ok=True)
        write_nifti(label_path, said.label_map)
        paths = [label_path]
        if said.lesion_probability is not None:
            write_nifti(lesion_path, said.lesion_probability)
            paths.append(lesion_path)
        writing_s = round(perf_counter() - started, 3)
        seconds = {"reading": made.read.reading_s, **said.seconds, "writing": writing_s}
        notes = said.warnings
        predicted = Predicted(made.read.task.key, round(sum(seconds.values()), 3), seconds, notes)
        row = {
            "key": predicted.key,
            "sha256": {path.name: sha256_of_file(path) for path in paths},
            "duration_s": predicted.duration_s,
            "seconds": seconds,
            "work": [dict(item) for item in made.prediction.work],
            **({"warnings": list(notes)} if notes else {}),
            **finished.facts,
        }
        return Written(predicted, row, {path.name: size_and_time(path) for path in paths})


def label_file(out: Path, case: str) -> Path:
    """The label map of a case."""
    return out / f"{case}.nii.gz"


def lesion_file(out: Path, case: str) -> Path:
    """The probability of its lesion."""
    return out / f"{case}_lesion.nii.gz"


def size_and_time(path: Path) -> list[int]:
    """Of a file, in bytes and ns.

    Raises:
        OSError: There is no such file.
    """
    _, size, time_ns = state_of_file(path)
    return [int(size), int(time_ns)]
