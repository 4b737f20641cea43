"""Where nnU-Net v1 keeps a training: one `.model` a fold, its `.model.pkl` beside it, and plans.pkl above."""

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wirsung.errors import CheckpointError
from wirsung.models.v1_checkpoint_pickle import read_pickle
from wirsung.models.v1_checkpoint_plans import V1Plans, parse_v1_plans

CHECKPOINTS = ("model_final_checkpoint.model", "model_best.model", "model_latest.model")
"""The first that is there is taken."""

MOST_BYTES = 4 * 2**30
"""Of a checkpoint; a 3D U-Net of v1 and its optimiser take less than half of one GiB."""

_NAMED = 4
"""Trainings that a message names."""
_UNNAMED = "Dataset000_Imported"
_FOLD = re.compile(r"fold_(\d+)|(all)")
_STAGE = 5
"""Its place among the trainer's arguments; the fold's is 1."""


@dataclass(frozen=True)
class V1Training:
    """What is written beside a checkpoint."""

    plans: V1Plans
    trainer: str
    """The class's name; empty where only plans are there."""
    fold: str
    """A number, or all."""
    stage: int
    """Of the plans."""
    dataset: str
    """v2's name of the task, such as Dataset110_PancreasT1MRI."""


def find_checkpoints(path: Path) -> tuple[Path, ...]:
    """The checkpoints of a training, one a fold.

    Args:
        path: A `.model`, the folder of a fold, that of its folds, or one above with one training in it.

    Raises:
        CheckpointError: There is none, or there are several trainings.
    """
    if path.name.endswith(".pkl"):
        # Of plans.pkl and x.model.pkl, what they lie beside is meant.
        path = path.parent if path.name == "plans.pkl" else path.with_suffix("")
    found = (path,) if path.is_file() else _in_folder(path) or _below(path)
    if not found:
        msg = (
            f"{path} holds no checkpoint of nnU-Net v1. Name a {CHECKPOINTS[0]}, the folder of a fold that "
            "it lies in, or the folder of the folds."
        )
        raise CheckpointError(msg)
    return found


def read_training(checkpoint: Path) -> V1Training:
    """What lies beside a checkpoint: its own `.model.pkl`, or else the plans of its folder or the one above.

    Raises:
        CheckpointError: There is neither, or it is damaged or not of nnU-Net v1.
    """
    own = checkpoint.with_name(checkpoint.name + ".pkl")
    if own.is_file():
        content = read_pickle(own)
        if not isinstance(content, Mapping) or not isinstance(content.get("init"), list | tuple):
            msg = f"{own} does not say how the network was trained. Get the file that nnU-Net v1 wrote."
            raise CheckpointError(msg)
        return _training(content, own, checkpoint)
    for folder in checkpoint.parent, checkpoint.parent.parent:
        if (folder / "plans.pkl").is_file():
            plans = parse_v1_plans(read_pickle(folder / "plans.pkl"), str(folder / "plans.pkl"))
            return V1Training(plans, "", fold_of(checkpoint), len(plans.stages) - 1, _UNNAMED)
    msg = f"{checkpoint} lacks its plans. nnU-Net v1 writes them as {own.name} beside it; copy that too."
    raise CheckpointError(msg)


def fold_of(checkpoint: Path) -> str:
    """The fold by the name of the checkpoint's folder; 0 where it does not say.

    Example:
        >>> fold_of(Path("fold_3/model_best.model")), fold_of(Path("model_best.model"))
        ('3', '0')
    """
    found = _FOLD.fullmatch(checkpoint.parent.name)
    return (found[1] or found[2]) if found else "0"


def check_size(checkpoint: Path) -> None:
    """Do nothing where opening the file takes no more memory than its size.

    Raises:
        CheckpointError: It is larger than any checkpoint, or compressed, which torch's files never are.
    """
    size = checkpoint.stat().st_size
    unpacked = size
    if zipfile.is_zipfile(checkpoint):
        try:
            with zipfile.ZipFile(checkpoint) as archive:
                unpacked = sum(item.file_size for item in archive.infolist())
        except (zipfile.BadZipFile, NotImplementedError) as error:
            msg = f"{checkpoint} is damaged. Copy it anew."
            raise CheckpointError(msg) from error
    if max(size, unpacked) > MOST_BYTES or unpacked > size:
        msg = (
            f"{checkpoint} has {size} bytes and {unpacked} unpacked, but a checkpoint is not compressed and "
            f"has at most {MOST_BYTES}. Get the file that nnU-Net v1 wrote."
        )
        raise CheckpointError(msg)


def _training(content: Mapping[str, Any], own: Path, checkpoint: Path) -> V1Training:
    plans = parse_v1_plans(content.get("plans"), str(own))
    arguments, trainer = list(content["init"]), str(content.get("name", ""))
    stage = arguments[_STAGE] if len(arguments) > _STAGE else None
    fold = arguments[1] if len(arguments) > 1 else None
    if stage is None:
        stage = len(plans.stages) - 1
    if not isinstance(stage, int) or not 0 <= stage < len(plans.stages):
        msg = f"{own} names a stage that its plans lack; they have {len(plans.stages)}. Get the file anew."
        raise CheckpointError(msg)
    known = isinstance(fold, int) or fold == "all"
    task = re.search(r"Task(\d+_\w+)", " ".join(item for item in arguments if isinstance(item, str)))
    return V1Training(
        plans,
        trainer,
        str(fold) if known else fold_of(checkpoint),
        stage,
        f"Dataset{task[1]}" if task else _UNNAMED,
    )


def _in_folder(folder: Path) -> tuple[Path, ...]:
    here = _first(folder)
    if here is not None:
        return (here,)
    folds = sorted(item for item in folder.glob("*") if item.is_dir() and _FOLD.fullmatch(item.name))
    found = (_first(item) for item in folds)
    return tuple(item for item in found if item is not None)


def _below(folder: Path) -> tuple[Path, ...]:
    """The checkpoints of the only training anywhere in the folder."""
    folds = {item.parent for name in CHECKPOINTS for item in folder.rglob(name)}
    trainings = sorted({fold.parent if _FOLD.fullmatch(fold.name) else fold for fold in folds})
    if len(trainings) > 1:
        names = ", ".join(str(item.relative_to(folder)) for item in trainings[:_NAMED])
        more = f" and {len(trainings) - _NAMED} more" if len(trainings) > _NAMED else ""
        msg = f"{folder} holds {len(trainings)} trainings of nnU-Net v1: {names}{more}. Name one of them."
        raise CheckpointError(msg)
    return _in_folder(trainings[0]) if trainings else ()


def _first(folder: Path) -> Path | None:
    return next((folder / name for name in CHECKPOINTS if (folder / name).is_file()), None)
