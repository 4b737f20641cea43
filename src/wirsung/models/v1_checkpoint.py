"""Trained models of nnU-Net v1 and of PaNSegNet, into a model folder in the format of nnU-Net v2.

The weights keep their names: the networks here have v1's. What v1 did otherwise is kept by the plan, which
names a network with v1's rule for the decoder's kernels.
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from wirsung.compute.atomic import write_json
from wirsung.errors import CheckpointError, ConfigError
from wirsung.models.folder import fold_folder
from wirsung.models.importing_nnunet import IMPORT_FILE, ImportedFold, ImportedModel, import_nnunet
from wirsung.models.networks.pansegnet import PanSegNet
from wirsung.models.networks.unet_v1 import UNetV1
from wirsung.models.plans import DATASET_FILE, PLANS_FILE, read_label_table, read_plans
from wirsung.models.v1_checkpoint_files import V1Training, check_size, find_checkpoints, read_training
from wirsung.models.v1_checkpoint_plans import v2_dataset, v2_plans
from wirsung.models.weights import (
    WEIGHTS_FILE,
    State,
    Weights,
    listed,
    misfits,
    read_safetensors,
    read_torch_file,
    save_weights,
)

_PANSEGNET_TRAINER = "nnTransUNetTrainerV2"
_TRANSFORMER = "self_atten."
"""How the names of the weights begin that only PanSegNet has."""

_OTHER_NETWORK = re.compile(
    r"(?<!l)ReLU|LReLU_slope|GeLU|Mish|_GN|_FRN|NoNormalization|convlReLUIN|Cascade|Regions"
)
"""Trainers that change the network, or what its outputs mean, in ways that the weights do not show."""

_ORIGIN = "nnunet_v1"
"""Of each fold, in the record of what was imported."""

_NOTE_ON_ORDER = (
    "nnU-Net v1 resampled an image before it normalised it and v2, as Wirsung, does so after: "
    "label maps may differ from v1's in single voxels."
)


def import_v1(path: Path, out: Path, *, classes: Sequence[str] | None = None) -> ImportedModel:
    """Make a model folder from a training of nnU-Net v1 or PaNSegNet.

    Run again, what was imported is skipped; further folds of the same model are added.

    Args:
        path: A `.model`, with its `.model.pkl` beside it or plans.pkl above; or a folder of folds.
        out: The model folder to write.
        classes: Names of the foreground classes, as v1's plans have none; label_1 and so on if not told.

    Raises:
        CheckpointError: A file is missing, damaged or holds what could run code; the weights do not fit the
            plans; or the trainer changed the network.
        ConfigError: There are not as many names as classes, or `out` holds another model.
        StorageError: `out` can't be written.

    Source:
        The trainers and the `Generic_UNet` of nnU-Net 1.7, and what PaNSegNet adds to it; both Apache-2.0.
    """
    checkpoints = find_checkpoints(path)
    trainings = [read_training(checkpoint) for checkpoint in checkpoints]
    names = class_names(trainings[0], classes)
    before = _read_record(out)
    notes = (_NOTE_ON_ORDER, *_notes_on_classes(trainings[0], classes))
    origins = {
        training.fold: {"file": item.name, "files_sha256": _sha256_of(item), "trainer": training.trainer}
        for item, training in zip(checkpoints, trainings, strict=True)
    }
    done = _finished(out, before, origins, names)
    if done is not None:
        return replace(done, notes=(*done.notes, *notes))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-import-", dir=out.parent) as name:
        converted = Path(name) / path.name
        _convert(converted, checkpoints, trainings, names)
        imported = import_nnunet(converted, out)
    record = _read_record(out)
    known = {**before.get(_ORIGIN, {}), **origins}
    all_notes = [*imported.notes, *notes]
    write_json(out / IMPORT_FILE, {**record, "source": path.name, "notes": all_notes, _ORIGIN: known})
    return replace(imported, notes=tuple(all_notes))


def class_names(training: V1Training, classes: Sequence[str] | None) -> tuple[str, ...]:
    """The names of the foreground classes.

    Raises:
        ConfigError: There are not as many as the plans have classes, or one is there twice.
    """
    count = training.plans.classes
    if classes is None:
        if training.trainer == _PANSEGNET_TRAINER and count == 1:
            return ("pancreas",)
        return tuple(f"label_{value}" for value in range(1, count + 1))
    if len(classes) != count or len({*classes, "background"}) != count + 1:
        msg = f"The plans have {count} classes, but {len(classes)} names were told: {', '.join(classes)}."
        raise ConfigError(msg)
    return tuple(classes)


def _convert(
    folder: Path, checkpoints: Sequence[Path], trainings: Sequence[V1Training], names: Sequence[str]
) -> None:
    """Write the folds as a model folder of v2's."""
    plans: dict[str, Any] = {}
    for checkpoint, training in zip(checkpoints, trainings, strict=True):
        weights, made = _converted(checkpoint, training)
        if plans and made != plans:
            msg = f"{checkpoint} has other plans than the fold before it. Import them one by one."
            raise CheckpointError(msg)
        plans = made
        save_weights(fold_folder(folder, training.fold) / WEIGHTS_FILE, weights)
    write_json(folder / DATASET_FILE, v2_dataset(trainings[0].plans, names))
    write_json(folder / PLANS_FILE, plans)


def _converted(checkpoint: Path, training: V1Training) -> tuple[Weights, dict[str, Any]]:
    """The weights of one checkpoint, and the plans of v2."""
    if _OTHER_NETWORK.search(training.trainer):
        msg = (
            f"{checkpoint} was trained by {training.trainer}, which changes the network or its outputs in a "
            "way that can't be used here. Import a training of nnUNetTrainerV2 or nnTransUNetTrainerV2."
        )
        raise CheckpointError(msg)
    state = _state(checkpoint)
    stage = training.plans.stages[training.stage]
    arguments: dict[str, Any] = {
        "features_per_stage": list(stage.features),
        "kernel_sizes": [list(item) for item in stage.kernels],
        "strides": [list(item) for item in stage.strides],
        "convolutions": training.plans.convolutions,
        "decoder_kernels": "deeper",
    }
    network: type[UNetV1] = UNetV1
    if any(name.startswith(_TRANSFORMER) for name in state):
        network, arguments = PanSegNet, {"patch_size": list(stage.patch_size), **arguments}
    _check_fits(network, arguments, training, state, checkpoint)
    architecture = {
        "network_class_name": f"{network.__module__}.{network.__qualname__}",
        "arch_kwargs": arguments,
    }
    configuration = training.plans.name_of(training.stage)
    mirrored = () if "noMirroring" in training.trainer else (0, 1, 2)
    trainer = training.trainer or "nnU-Net v1"
    plans = v2_plans(training.plans, training.stage, architecture, training.dataset)
    return Weights(state, configuration, mirrored, trainer), plans


def _state(checkpoint: Path) -> State:
    """The weights, without the prefix of several devices."""
    check_size(checkpoint)
    content = read_torch_file(checkpoint)
    state = content.get("state_dict") if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(item, torch.Tensor) for item in state.values()):
        msg = (
            f"{checkpoint} is no checkpoint of nnU-Net v1: it has no state_dict of tensors. Get another file."
        )
        raise CheckpointError(msg)
    return {str(name).removeprefix("module."): value.detach() for name, value in state.items()}


def _check_fits(
    network: type[UNetV1], arguments: Mapping[str, Any], training: V1Training, state: State, checkpoint: Path
) -> None:
    # On the meta device a network has shapes and no memory.
    with torch.device("meta"):
        built = network(len(training.plans.channels), training.plans.classes + 1, **arguments)
    problems = misfits(built.state_dict(), state)
    if problems:
        msg = (
            f"{checkpoint}: the weights do not fit the {network.__name__} of the plans beside it: "
            f"{listed(problems)}. Get checkpoint and plans of one training."
        )
        raise CheckpointError(msg)


def _finished(
    out: Path, before: Mapping[str, Any], origins: Mapping[str, Any], names: Sequence[str]
) -> ImportedModel | None:
    """What an earlier call imported, where it is all of these folds, of the same files, and still whole."""
    known, folds = before.get(_ORIGIN, {}), before.get("folds", {})
    try:
        if any(known.get(fold) != origin for fold, origin in origins.items()):
            return None
        if read_label_table(out).class_names[1:] != tuple(names):
            return None
        read_plans(out)
        made = {fold: ImportedFold(**folds[fold]) for fold in origins}
        weights = [read_safetensors(fold_folder(out, fold) / WEIGHTS_FILE) for fold in origins]
    except (CheckpointError, KeyError, TypeError, AttributeError):
        return None
    if any(item.sha256 != made[fold].weights_sha256 for fold, item in zip(origins, weights, strict=True)):
        return None
    return ImportedModel(out, weights[0].configuration, weights[0].trainer, made, (), skipped=True)


def _read_record(out: Path) -> dict[str, Any]:
    """What earlier calls noted; nothing where they did not, or where it is damaged."""
    try:
        content = json.loads((out / IMPORT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _sha256_of(checkpoint: Path) -> str:
    """Of the checkpoint and of what lies beside it."""
    digest = hashlib.sha256()
    for path in (checkpoint, checkpoint.with_name(checkpoint.name + ".pkl")):
        if path.is_file():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _notes_on_classes(training: V1Training, classes: Sequence[str] | None) -> tuple[str, ...]:
    if classes is not None:
        return ()
    if training.trainer == _PANSEGNET_TRAINER and training.plans.classes == 1:
        return ("Its one class is taken to be the pancreas, as in the released models.",)
    return ("v1's plans name no classes, so they are called label_1 and so on in dataset.json.",)
