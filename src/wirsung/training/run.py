"""The stage `train`: cases, classes, plans, preprocessing, training, weights."""

import json
import shutil
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wirsung.anatomy.schemes import scheme
from wirsung.compute.atomic import write_json
from wirsung.datasets.annotated import annotated_structures
from wirsung.datasets.layout import Case, Dataset
from wirsung.datasets.splits import SPLIT_FILE, Fold, read_split
from wirsung.errors import ConfigError, ManifestError
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
from wirsung.training.classes import Classes, choose_classes
from wirsung.training.planning import fingerprint, label_table, plan, require_network
from wirsung.training.preparing import prepare
from wirsung.training.presets import preset_of
from wirsung.training.reading import ORIENTATION
from wirsung.training.record import fold_key, plan_key
from wirsung.training.settings import TrainSettings
from wirsung.training.stopping import TrainingStopped
from wirsung.training.workspace import CONFIGURATION, Workspace

_STARTED = "training.json"


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
        took = f"{self.epochs} epochs on {self.cases} cases in {self.duration_s:.0f} s"
        return [f"Fold {self.fold} of {self.folder} is trained: {took}."]

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


@dataclass(frozen=True)
class _Inputs:
    """What a training starts from."""

    cases: tuple[Case, ...]
    """Every case that may be learnt from, of all folds."""
    fold: Fold
    classes: Classes
    plan_key: str
    fold_key: str


def train(settings: TrainSettings) -> Trained:
    """Train one fold, go on where a killed call stopped, or skip a finished fold.

    Raises:
        ManifestError: The dataset has no split, or a case of the split is missing.
        LabelError: A case lacks masks, or a class of the scheme was not drawn in it.
        ConfigError: The fold does not exist, the folder holds a model of other data or settings, or the
            network can't take the planned patch.
        MissingDependencyError: A package that the network needs is not installed.
    """
    inputs = _inputs(settings)
    workspace = Workspace(settings.out)
    record = read_record(settings.out)
    name = str(settings.fold)
    done = record.folds.get(name) if record else None
    if done and done.key == inputs.fold_key and (fold_folder(settings.out, name) / WEIGHTS_FILE).is_file():
        return Trained(settings.out, name, len(done.train), done.epochs, done.duration_s, skipped=True)
    kept = _folds_to_keep(settings, record, inputs)
    started_s = time.monotonic()
    plans, table = _planned(settings, inputs, workspace)
    prepare(inputs.cases, inputs.classes, plans, workspace, settings.workers)
    try:
        epochs, sha256 = _fit(settings, inputs, plans, table, started_s)
    except TrainingStopped as stopped:
        return _stopped(settings, inputs, stopped, time.monotonic() - started_s)
    duration_s = time.monotonic() - started_s
    own = FoldRecord(
        inputs.fold.train, inputs.fold.validation, inputs.fold_key, epochs, round(duration_s, 1), sha256
    )
    write_record(settings.out, replace(_record(settings, inputs), folds={**kept, name: own}))
    return Trained(settings.out, name, len(own.train), epochs, duration_s, skipped=False)


def _stopped(
    settings: TrainSettings, inputs: _Inputs, stopped: TrainingStopped, duration_s: float
) -> Trained:
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


def _inputs(settings: TrainSettings) -> _Inputs:
    require_network(settings.network)
    dataset = Dataset.open(settings.dataset)
    cases, fold = _fold(settings, dataset)
    drawn = annotated_structures(dataset) if dataset.description.annotated else None
    classes = choose_classes(scheme(settings.scheme), cases, drawn)
    plans = plan_key(settings, cases, classes.labels)
    return _Inputs(cases, fold, classes, plans, fold_key(settings, plans, fold))


def _fold(settings: TrainSettings, dataset: Dataset) -> tuple[tuple[Case, ...], Fold]:
    """Every case that may be learnt from, and those of this fold."""
    if settings.fold == "all" and not (dataset.root / SPLIT_FILE).is_file():
        usable = tuple(case for case in dataset.cases if case.subset == "train")
        if not usable:
            msg = f"{dataset.root} has test cases only, which nobody may learn from."
            raise ManifestError(msg)
        ids = tuple(case.id for case in usable)
        return usable, Fold(ids, ids)
    split = read_split(dataset.root)
    ids = tuple(sorted({case for fold in split.folds for case in (*fold.train, *fold.validation)}))
    usable = tuple(dataset.case(case) for case in ids)
    if settings.fold == "all":
        return usable, Fold(ids, ids)
    if int(settings.fold) >= len(split.folds):
        msg = (
            f"There is no fold {settings.fold}: {dataset.root / SPLIT_FILE} has 0 to {len(split.folds) - 1}."
        )
        raise ConfigError(msg)
    return usable, split.folds[int(settings.fold)]


def _folds_to_keep(settings: TrainSettings, record: Record | None, inputs: _Inputs) -> dict[str, FoldRecord]:
    """The folder's other folds; they share the plans, so they must have been made from the same data."""
    if record is None:
        return {}
    others = {name: fold for name, fold in record.folds.items() if name != str(settings.fold)}
    if others and record.plan_key != inputs.plan_key:
        msg = (
            f"{settings.out} holds folds {', '.join(others)} of other data or settings, but the folds of a "
            "model share their plans. Choose another folder, or delete this one."
        )
        raise ConfigError(msg)
    return others


def _planned(settings: TrainSettings, inputs: _Inputs, workspace: Workspace) -> tuple[Plans, dict[str, Any]]:
    """The plans, made or found; what nnU-Net's inference needs lies in the model folder afterwards."""
    marker = workspace.root / "plan.json"
    table = label_table(inputs.cases, inputs.classes)
    if _content(marker).get("key") == inputs.plan_key:
        plans = parse_plans(_content(marker)["plans"])
    else:
        facts = fingerprint(inputs.cases, inputs.classes, settings.workers)
        images = {case.id: case.image_path for case in inputs.cases}
        preset = preset_of(settings)
        plans = plan(workspace, facts, table, images, preset, settings.network)
        plans = _with_batch(plans, preset.batch_size)
        write_json(marker, {"key": inputs.plan_key, "plans": dict(plans.content)})
    write_plans(settings.out, plans)
    write_json(settings.out / DATASET_FILE, table)
    return plans, table


def _with_batch(plans: Plans, batch_size: int | None) -> Plans:
    """The plans with the batch size that was said, if one was."""
    if batch_size is None:
        return plans
    configurations = dict(plans.content["configurations"])
    configurations[CONFIGURATION] = {**configurations[CONFIGURATION], "batch_size": batch_size}
    return parse_plans({**plans.content, "configurations": configurations})


def _fit(
    settings: TrainSettings, inputs: _Inputs, plans: Plans, table: dict[str, Any], started_s: float
) -> tuple[int, str]:
    """Train the fold; epochs and the checksum of the weights."""
    from wirsung.training.job import Job
    from wirsung.training.learning import run

    folder = fold_folder(settings.out, settings.fold)
    _start(folder, inputs.fold_key)
    device = choose_device(settings.device)
    hours = settings.max_hours
    job = Job(
        plans,
        table,
        settings.fold,
        inputs.fold,
        folder,
        preset_of(settings),
        device,
        settings.seed,
        inputs.classes.name_sides,
        workers=settings.workers // settings.gpus if device.type == "cuda" else 0,
        gpus=settings.gpus,
        checkpoint_s=60.0 * settings.checkpoint_minutes,
        deadline_s=None if hours is None else started_s + 3600.0 * hours,
    )
    # A call that was killed between the last epoch and the record left the final checkpoint.
    if not (folder / CHECKPOINT_FILE).is_file():
        with Workspace(settings.out).environment(0):
            run(job)
    weights = checkpoint_weights(read_checkpoint(folder / CHECKPOINT_FILE))
    save_weights(folder / WEIGHTS_FILE, weights)
    return job.preset.epochs, weights.sha256


def _start(folder: Path, key: str) -> None:
    """Keep the checkpoints of the same training; those of another are no start for this one."""
    if folder.is_dir() and _content(folder / _STARTED).get("key") != key:
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / _STARTED, {"key": key})


def _record(settings: TrainSettings, inputs: _Inputs) -> Record:
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


def _content(path: Path) -> dict[str, Any]:
    """A JSON object of our own making; empty where it is missing or cut short."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
