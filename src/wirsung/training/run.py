"""The stage `train`: cases, classes, plans, preprocessing, training, weights."""

import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from wirsung.compute.atomic import write_json
from wirsung.errors import counted
from wirsung.models.device import choose_device
from wirsung.models.folder import (
    FoldRecord,
    ModelClass,
    Record,
    fold_folder,
    joined_modalities,
    read_record,
    write_record,
)
from wirsung.models.plans import DATASET_FILE, Plans, parse_plans, write_plans
from wirsung.models.weights import (
    CHECKPOINT_FILE,
    WEIGHTS_FILE,
    checkpoint_weights,
    read_checkpoint,
    save_weights,
)
from wirsung.training.earlier import begin, content_of, folds_to_keep, marker_of
from wirsung.training.inputs import Inputs, inputs_of, require_lesions
from wirsung.training.job import Job
from wirsung.training.memory_advice import out_of_memory
from wirsung.training.parallel import check_gpus
from wirsung.training.planning import fingerprint, full_name, label_table, plan
from wirsung.training.preparing import prepare
from wirsung.training.presets import preset_of
from wirsung.training.reading import ORIENTATION
from wirsung.training.record import planning_of
from wirsung.training.settings import TrainSettings
from wirsung.training.stopping import TrainingStopped
from wirsung.training.workspace import CONFIGURATION, Workspace


@dataclass(frozen=True)
class Trained:
    """A model folder with one more finished fold, or one that stopped in time."""

    folder: Path
    fold: str
    cases: int
    """Learnt from."""
    epochs: int
    duration_s: float
    skipped: bool
    """Whether it was finished before."""
    stopped_at: str = ""
    """Where it stopped as its hours are over; empty where it is finished."""

    def __fspath__(self) -> str:
        return str(self.folder)

    def lines(self) -> list[str]:
        """For the terminal."""
        if self.skipped:
            return [f"Fold {self.fold} of {self.folder} is trained already."]
        if self.stopped_at:
            return [
                f"Fold {self.fold} of {self.folder} stopped in {self.stopped_at}, as its hours are over.",
                "A checkpoint is kept: the same command goes on from there.",
            ]
        what = f"{counted(self.epochs, 'epoch', 'epochs')} on {counted(self.cases, 'case', 'cases')}"
        return [f"Fold {self.fold} of {self.folder} is trained: {what} in {self.duration_s:.0f} s."]

    def as_json(self) -> dict[str, str | float | bool]:
        """For programs."""
        return {
            "model": str(self.folder),
            "fold": self.fold,
            "training_cases": self.cases,
            "duration_s": round(self.duration_s, 1),
            "skipped": self.skipped,
            "finished": not self.stopped_at,
        }


def train(settings: TrainSettings) -> Trained:
    """Train one fold, go on where a killed call stopped, or skip a finished fold.

    Raises:
        ManifestError: The dataset has no split, or a case of the split is missing.
        LabelError: A case lacks masks, or a class of the scheme was not drawn in it.
        ConfigError: The fold does not exist, the folder holds a model of other data or settings, or the
            network can't take the planned patch.
        MissingDependencyError: A package that the network needs is not installed.
    """
    started_s = time.monotonic()
    inputs = inputs_of(settings)
    workspace = Workspace(settings.out)
    record = read_record(settings.out)
    name = str(settings.fold)
    done = record.folds.get(name) if record else None
    if done and done.key == inputs.fold_key and (fold_folder(settings.out, name) / WEIGHTS_FILE).is_file():
        return Trained(settings.out, name, len(done.train), done.epochs, done.duration_s, skipped=True)
    kept = folds_to_keep(settings, record, inputs)
    require_lesions(settings, inputs)
    check_gpus(settings.gpus, choose_device(settings.device))
    plans, table = _planned(settings, inputs, workspace)
    prepare(inputs.cases, inputs.classes, plans, workspace, settings.workers)
    try:
        epochs, sha256 = _fit(settings, inputs, plans, table, started_s)
    except TrainingStopped as stopped:
        return _stopped(settings, inputs, stopped, time.monotonic() - started_s)
    duration_s = time.monotonic() - started_s
    learnt, held_out = inputs.fold.train, inputs.fold.validation
    best = _best_of(fold_folder(settings.out, name))
    own = FoldRecord(learnt, held_out, inputs.fold_key, epochs, round(duration_s, 1), sha256, best)
    write_record(settings.out, replace(_record(settings, inputs), folds={**kept, name: own}))
    return Trained(settings.out, name, len(own.train), epochs, duration_s, skipped=False)


def _best_of(folder: Path) -> dict[str, Any] | None:
    """Which epoch was the best, and by which class; what the training wrote of it."""
    from wirsung.training.trainer import HISTORY

    found: dict[str, Any] | None = content_of(folder / HISTORY).get("best")
    return found


def _stopped(settings: TrainSettings, inputs: Inputs, stopped: TrainingStopped, duration_s: float) -> Trained:
    """The result where the hours are over; Ctrl-C and SIGTERM end the program as they do elsewhere."""
    if stopped.reason == "interrupted":
        raise KeyboardInterrupt if stopped.received == signal.SIGINT else SystemExit(128 + signal.SIGTERM)
    preset = preset_of(settings)
    learnt = f"{stopped.iteration} of {preset.iterations} batches"
    where = f"epoch {stopped.epoch + 1} of {preset.epochs}, after {learnt}"
    cases = len(inputs.fold.train)
    return Trained(
        settings.out,
        str(settings.fold),
        cases,
        stopped.epoch,
        duration_s,
        skipped=False,
        stopped_at=where,
    )


def _planned(settings: TrainSettings, inputs: Inputs, workspace: Workspace) -> tuple[Plans, dict[str, Any]]:
    """The plans, made or found; what nnU-Net's inference needs lies in the model folder afterwards."""
    marker = marker_of(settings.out)
    table = label_table(inputs.cases, inputs.classes)
    if content_of(marker).get("key") == inputs.plan_key:
        plans = parse_plans(content_of(marker)["plans"])
    else:
        facts = fingerprint(inputs.cases, inputs.classes, settings.workers)
        images = {case.id: case.image_path for case in inputs.cases}
        plans = plan(workspace, facts, table, images, preset_of(settings), settings.network)
        write_json(
            marker,
            {"key": inputs.plan_key, "planning": planning_of(settings), "plans": dict(plans.content)},
        )
    write_plans(settings.out, plans)
    write_json(settings.out / DATASET_FILE, table)
    return plans, table


def _fit(
    settings: TrainSettings, inputs: Inputs, plans: Plans, table: dict[str, Any], started_s: float
) -> tuple[int, str]:
    """Train the fold; epochs and the checksum of the weights."""
    from wirsung.training.learning import run

    job = _job(settings, inputs, plans, table, started_s)
    begin(job.folder, inputs, job.preset.epochs)
    # A call that was killed between the last epoch and the record left the final checkpoint.
    if not (job.folder / CHECKPOINT_FILE).is_file():
        try:
            with Workspace(settings.out).environment(0):
                run(job)
        except torch.OutOfMemoryError as error:
            raise out_of_memory(job, full_name(settings.network)) from error
    weights = checkpoint_weights(read_checkpoint(job.folder / CHECKPOINT_FILE))
    save_weights(job.folder / WEIGHTS_FILE, weights)
    return job.preset.epochs, weights.sha256


def _job(
    settings: TrainSettings, inputs: Inputs, plans: Plans, table: dict[str, Any], started_s: float
) -> Job:
    """What the training is given.

    Raises:
        ConfigError: This machine has no such device, or fewer GPUs than asked for.
    """
    device = choose_device(settings.device)
    check_gpus(settings.gpus, device, plans.configuration(CONFIGURATION).batch_size)
    hours = settings.max_hours
    return Job(
        plans,
        table,
        settings.fold,
        inputs.fold,
        fold_folder(settings.out, settings.fold),
        preset_of(settings),
        device,
        settings.seed,
        inputs.classes.name_sides,
        workers=settings.workers // settings.gpus if device.type == "cuda" else 0,
        gpus=settings.gpus,
        checkpoint_s=60.0 * settings.checkpoint_minutes,
        deadline_s=None if hours is None else started_s + 3600.0 * hours,
    )


def _record(settings: TrainSettings, inputs: Inputs) -> Record:
    chosen = inputs.classes
    learnt = enumerate(chosen.learnt, start=1)
    return Record(
        scheme=chosen.scheme.name,
        classes=tuple(ModelClass(index, item.value, item.name) for index, item in learnt),
        orientation=ORIENTATION,
        modality=joined_modalities(case.modality for case in inputs.cases),
        network=settings.network,
        preset=settings.preset,
        plan_key=inputs.plan_key,
    )
