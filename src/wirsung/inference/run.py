"""The stage `predict`: one warm model over many cases, or several in a fleet of processes."""

import os
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from wirsung.compute.atomic import FULL_DISK
from wirsung.compute.connections import one_cluster
from wirsung.compute.outcome import Outcome
from wirsung.compute.progress import CaseProgress
from wirsung.errors import CheckpointError, ConfigError, StorageError
from wirsung.inference.case import CaseTask, CaseWork, Predicted, how_of, label_file
from wirsung.inference.finishing import Finishing
from wirsung.inference.fleet import NO_MODEL, fleet, places_of
from wirsung.inference.outline import Outline
from wirsung.inference.overlapping import Steps, overlapped
from wirsung.inference.plan import plan_of
from wirsung.inference.predictor import How, Predictor
from wirsung.inference.record import PREDICTIONS_FILE, Known, Record
from wirsung.inference.settings import PredictSettings
from wirsung.inference.sifting import sifted
from wirsung.inference.sources import find_sources, refuse_overwriting
from wirsung.models.folder import finished_folds

__all__ = ["PREDICTIONS_FILE", "Predicted", "how_of", "predict"]


@one_cluster()
def predict(settings: PredictSettings) -> list[Outcome[Predicted]]:
    """Predict every case that is new, or whose image, model or settings changed.

    With `plan`, nothing is predicted, and what is returned holds no outcome but tells what they would take.

    Raises:
        ConfigError: No model is named, or it knows no lesion where its probability is wanted; there are not
            so many GPUs, or no such cluster; or another run writes to OUT.
        CheckpointError: The model can't be used.
        ManifestError: There is nothing to predict.
        StorageError: The disk is full.
    """
    if settings.model is None:
        msg = "Which model? Name its folder with --model."
        raise ConfigError(msg)
    fold = _validation_fold(settings, settings.model)
    places_of(settings)
    predictor = Predictor.load(settings.model, how=_own_how(settings))
    sources = find_sources(settings.source, settings.split, fold, channels=predictor.channels)
    refuse_overwriting(sources, settings.out, lesion_probability=settings.lesion_probability)
    if settings.lesion_probability and not predictor.finds_lesions:
        msg = (
            f"{settings.model} has no class {settings.lesion}. Say with --lesion which of its classes is the "
            "lesion, or leave --lesion-probability out."
        )
        raise ConfigError(msg)
    work = CaseWork(settings, predictor, Finishing.of(settings, predictor))
    outline = Outline.of(settings, predictor, work.finishing)
    if settings.plan:
        return plan_of(work, sifted(outline, Known.of(settings.out), sources))
    with Record.opened(settings.out, outline.as_json()) as record:
        found = sifted(outline, record.known, sources)
        for case, states in found.moved.items():
            record.confirm(case, states)
        if settings.is_fleet:
            del work, predictor  # each worker loads its own
            engine = _by_fleet(settings, record, found.tasks)
        else:
            engine = _here(work, record, found.tasks)
        outcomes = _followed(engine, record, found.tasks, found.outcomes)
    order = {case: place for place, case in enumerate(sources)}
    return sorted(outcomes, key=lambda outcome: order[outcome.case])


def _own_how(settings: PredictSettings) -> How:
    """How this process loads the model; where workers predict, only to know it or to measure its pace."""
    how = how_of(settings)
    if settings.plan:
        return replace(how, device="cuda") if settings.gpus else how
    return replace(how, device="cpu") if settings.is_fleet else how


def _followed(
    engine: Generator[Outcome[Predicted]],
    record: Record,
    tasks: Mapping[str, CaseTask],
    before: list[Outcome[Predicted]],
) -> list[Outcome[Predicted]]:
    """All outcomes: those from before, and those of the engine as they come."""
    outcomes = list(before)
    with closing(engine), CaseProgress("predict", len(tasks) + len(before)) as progress:
        for outcome in before:
            progress.count(outcome)
        for outcome in engine:
            if outcome.status == "failed":
                _check_hope(outcome.message)
                task = tasks[outcome.case]
                record.fail(replace(outcome, message=_without_folder(outcome.message, task)), task.key)
            progress.count(outcome)
            outcomes.append(outcome)
    return outcomes


def _check_hope(message: str) -> None:
    """End the run where all other cases would fail too: hours in vain, or a thousand equal messages."""
    if FULL_DISK in message:
        raise StorageError(message)
    if message.startswith(NO_MODEL):
        raise CheckpointError(message)


def _without_folder(message: str, task: CaseTask) -> str:
    """A message for the record, which others will read: where the images lay may name patients."""
    return message.replace(f"{task.source.path.parent}{os.sep}", "")


def _here(work: CaseWork, record: Record, tasks: Mapping[str, CaseTask]) -> Generator[Outcome[Predicted]]:
    """The cases in this process; each is recorded as soon as it is written."""
    steps = Steps(work.read, work.compute, lambda made: record.finish(made.case, work.store(made)))
    yield from overlapped(steps, tasks.items())


def _by_fleet(
    settings: PredictSettings, record: Record, tasks: Mapping[str, CaseTask]
) -> Generator[Outcome[Predicted]]:
    """The cases in worker processes; this one keeps the record."""
    with closing(fleet(settings, tasks.items())) as outcomes:
        for outcome in outcomes:
            case, status, message, took_s = outcome.case, outcome.status, outcome.message, outcome.duration_s
            if outcome.value is None:
                yield Outcome(case, status, message, duration_s=took_s)
            elif label_file(settings.out, case).is_file():
                yield Outcome(case, status, value=record.finish(case, outcome.value), duration_s=took_s)
            else:
                message = (
                    "its worker wrote it, but not here. All nodes must see INPUT and OUT by the same paths."
                )
                yield Outcome(case, "failed", message, duration_s=took_s)


def _validation_fold(settings: PredictSettings, model: Path) -> int | None:
    """The fold whose validation cases are meant."""
    if settings.split != "validation":
        return None
    if isinstance(settings.fold, int):
        return settings.fold
    finished = [fold for fold in finished_folds(model) if fold.isdigit()]
    return int(finished[0]) if len(finished) == 1 else None
