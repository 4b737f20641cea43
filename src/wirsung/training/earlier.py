"""What earlier trainings left in the model folder, and what this one may go on from or put in its place."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wirsung.compute.atomic import write_json
from wirsung.errors import ConfigError
from wirsung.models.folder import RECORD_FILE, FoldRecord, Record, fold_folder
from wirsung.models.plans import PLANS_FILE
from wirsung.training.inputs import Inputs
from wirsung.training.presets import preset_of
from wirsung.training.record import fold_key, planning_of
from wirsung.training.settings import TrainSettings
from wirsung.training.workspace import CONFIGURATION, Workspace

STARTED_FILE = "training.json"
"""In a fold's folder: of which training its checkpoints are."""

_LATEST = "checkpoint_latest.pth"


def folds_to_keep(settings: TrainSettings, record: Record | None, inputs: Inputs) -> dict[str, FoldRecord]:
    """The folder's other finished folds.

    Raises:
        ConfigError: The folder holds a model of another plan, one that somebody else trained, or this fold
            with another number of epochs.
    """
    _refuse_strangers(settings.out, record)
    folds = dict(record.folds) if record else {}
    if record is not None and folds and record.plan_key != inputs.plan_key:
        _refuse_other_plan(settings, f"folds {', '.join(folds)}")
    begun = _begun(settings)
    if begun.get("plan_key", inputs.plan_key) != inputs.plan_key:
        _refuse_other_plan(settings, f"an unfinished fold {settings.fold}")
    own = folds.pop(str(settings.fold), None)
    if own is not None:
        _refuse_other_length(settings, inputs, own.key, own.epochs, "is finished with")
    elif begun:
        _refuse_other_length(settings, inputs, begun["key"], begun.get("epochs"), "was begun with")
    return folds


def _begun(settings: TrainSettings) -> dict[str, Any]:
    """What is written of this fold where a checkpoint could be gone on from."""
    folder = fold_folder(settings.out, settings.fold)
    return content_of(folder / STARTED_FILE) if (folder / _LATEST).is_file() else {}


def _refuse_strangers(out: Path, record: Record | None) -> None:
    """A model of nnU-Net's own making must not be written over."""
    plans = content_of(out / PLANS_FILE)
    if record is not None or not plans or any(out.glob(f"fold_*/{STARTED_FILE}")):
        return
    if content_of(marker_of(out)):
        return
    msg = (
        f"{out} holds a model{_spacing(plans)} that has no {RECORD_FILE}, so it was not trained here. "
        "Choose another folder."
    )
    raise ConfigError(msg)


def _refuse_other_plan(settings: TrainSettings, held: str) -> None:
    spacing = _spacing(content_of(settings.out / PLANS_FILE))
    told = _differences(content_of(marker_of(settings.out)).get("planning"), planning_of(settings))
    msg = (
        f"{settings.out} holds {held} of other data or settings{spacing}: {told}. "
        "The folds of a model share their plans: choose another folder, or delete this one."
    )
    raise ConfigError(msg)


def _spacing(plans: Mapping[str, Any]) -> str:
    try:
        spacing = plans["configurations"][CONFIGURATION]["spacing"]
        return f", planned for {' x '.join(f'{float(value):.2f}' for value in spacing)} mm (z, y, x)"
    except (KeyError, TypeError, ValueError):
        return ""


def _differences(there: Mapping[str, Any] | None, now: Mapping[str, Any]) -> str:
    """What was said otherwise; where nothing was, the cases must be others."""
    if there is None:
        return "its cases, its scheme, its network or what says how to plan"
    told = [
        f"{name} {_said(there.get(name))} there and {_said(value)} now"
        for name, value in now.items()
        if there.get(name) != value
    ]
    return ", ".join(told) or "its cases or their files have changed"


def _said(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else "unsaid" if value is None else str(value)


def _refuse_other_length(
    settings: TrainSettings, inputs: Inputs, key: str, epochs: int | None, state: str
) -> None:
    """The same training but for its epochs can neither be gone on with nor be thrown away in silence."""
    wanted = preset_of(settings).epochs
    if epochs is None or epochs == wanted:
        return
    if fold_key(replace(settings, epochs=epochs), inputs.plan_key, inputs.fold) != key:
        return
    folder = fold_folder(settings.out, settings.fold)
    msg = (
        f"{folder} {state} {epochs} epochs, over which the learning rate falls to 0, so {wanted} can't be "
        f"made of them. Say --epochs {epochs}, take another OUT, or delete {folder} to train it anew."
    )
    raise ConfigError(msg)


def begin(folder: Path, inputs: Inputs, epochs: int) -> None:
    """Keep the checkpoints of the same training; those of another are no start for this one."""
    if folder.is_dir() and content_of(folder / STARTED_FILE).get("key") != inputs.fold_key:
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    started = {"key": inputs.fold_key, "plan_key": inputs.plan_key, "epochs": epochs}
    write_json(folder / STARTED_FILE, started)


def marker_of(out: Path) -> Path:
    """Where the plans are kept with the key of what they were made from."""
    return Workspace(out).root / "plan.json"


def content_of(path: Path) -> dict[str, Any]:
    """A JSON object of our own making; empty where it is missing or cut short."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
