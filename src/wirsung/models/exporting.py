"""Trained models for elsewhere: a model folder that nnU-Net itself reads, or ONNX files."""

import copy
import json
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wirsung import __version__
from wirsung.compute.atomic import atomic_path, write_bytes, write_json
from wirsung.errors import CheckpointError, ConfigError
from wirsung.models.checking import network_of
from wirsung.models.folder import finished_folds, fold_folder, read_record
from wirsung.models.labels import Labels
from wirsung.models.networks import entry_of_class
from wirsung.models.nnunet_folder import BESIDE
from wirsung.models.normalisation import BY_MODALITY, listed, missed_by_nnunet, told_to_nnunet
from wirsung.models.onnx_graph import Facts, write_onnx
from wirsung.models.plans import (
    DATASET_FILE,
    PLANS_FILE,
    Outline,
    Plans,
    parse_plans,
    read_labels,
    read_plans,
)
from wirsung.models.transfer_settings import ExportSettings, Form
from wirsung.models.weights import CHECKPOINT_FILE, Weights, fill, load_weights

EXPORT_FILE = "exported.json"
_SCHEMA = 1
_TRAINER = "nnUNetTrainer"


@dataclass(frozen=True)
class ExportedModel:
    """What was written."""

    path: Path
    """The folder or zip."""
    form: Form
    folds: Mapping[str, str]
    """Fold to the checksum of its weights."""
    notes: tuple[str, ...]
    """What whoever uses it must know; whole sentences."""
    skipped: bool
    """Whether all of it was there already."""

    def __fspath__(self) -> str:
        return str(self.path)

    def lines(self) -> list[str]:
        """For the terminal."""
        done = "was exported already" if self.skipped else "exported"
        folds = f"fold{'s' if len(self.folds) > 1 else ''} {', '.join(self.folds)}"
        return [f"{self.path}: {folds} {done}.", *self.notes]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "path": str(self.path),
            "form": self.form,
            "folds": dict(self.folds),
            "notes": list(self.notes),
            "skipped": self.skipped,
        }


@dataclass(frozen=True)
class _Model:
    """A model folder, opened."""

    folder: Path
    plans: Plans
    labels: Labels
    folds: tuple[str, ...]
    modality: str | None
    """The one that nnU-Net is told of."""

    def outline(self, weights: Weights) -> Outline:
        """The configuration of a fold."""
        return self.plans.outline(weights.configuration)

    def network(self, weights: Weights) -> nn.Module:
        """The network of a fold, ready to answer."""
        network = network_of(self.outline(weights), self.labels)
        fill(network, weights.state)
        return network.eval()


def run(settings: ExportSettings) -> ExportedModel:
    """The stage `models export`.

    Raises:
        CheckpointError: The model can't be read, or has no such fold.
        ConfigError: OUT is the model itself, or its network can't be written as ONNX.
        MissingDependencyError: What writes ONNX is not installed.
        StorageError: OUT can't be written.
    """
    return export_model(
        settings.model,
        settings.out,
        form=settings.form,
        folds=settings.folds or None,
        modality=settings.modality,
    )


def export_model(
    model: Path,
    out: Path,
    *,
    form: Form = "nnunet",
    folds: Sequence[int | str] | None = None,
    modality: str | None = None,
) -> ExportedModel:
    """Write a model for nnU-Net or for ONNX.

    For nnU-Net: a model folder with `checkpoint_final.pth`, which nnUNetv2_predict_from_modelfolder reads;
    or, where `out` ends with .zip, an archive for nnUNetv2_install_pretrained_model_from_zip. For ONNX: a
    folder with a `.onnx` a fold, of one patch and without sliding window. Run again, what did not change is
    skipped.

    Args:
        model: A model folder.
        out: The folder or zip to write.
        form: nnunet or onnx.
        folds: Which folds; None is every finished one.
        modality: Of a model of several: the one that nnU-Net is to normalise as it was learnt; of the others
            it then normalises some wrongly, as the notes say.

    Raises:
        CheckpointError: The model can't be read, or has no such fold.
        ConfigError: `out` is the model itself, its network can't be written as ONNX, or it did not learn that
            modality beside others.
        MissingDependencyError: What writes ONNX is not installed.
        StorageError: `out` can't be written.
    """
    if out.resolve() == model.resolve():
        msg = f"{out} is the model itself. Export into another folder."
        raise ConfigError(msg)
    plans = read_plans(model)
    if modality is not None:
        plans = parse_plans(told_to_nnunet(plans.content, modality))
    opened = _Model(model, plans, read_labels(model), _chosen(model, folds), modality)
    if form == "onnx" and out.suffix in {".zip", ".onnx"}:
        msg = f"{out} is named as a file, but ONNX files, one a fold, are written into a folder. Name one."
        raise ConfigError(msg)
    if out.suffix == ".zip":
        return _export_zip(opened, out)
    return _export_folder(opened, out, form)


def _export_folder(model: _Model, out: Path, form: Form) -> ExportedModel:
    before = _read_export(out, form, model.modality)
    made: dict[str, str] = {}
    notes: list[str] = []
    is_new = False
    for fold in model.folds:
        weights = load_weights(fold_folder(model.folder, fold))
        target = fold_folder(out, fold) / CHECKPOINT_FILE if form == "nnunet" else out / f"fold_{fold}.onnx"
        made[fold] = weights.sha256
        notes += _notes(model, weights, form)
        if before.get(fold) == made[fold] and target.is_file():
            continue
        is_new = True
        if form == "nnunet":
            _write_checkpoint(target, model, weights, fold)
        else:
            write_onnx(target, model.network(weights), _facts(model, weights))
    _write_beside(model, out)
    _write_export(out, form, {**before, **made}, model.modality)
    return ExportedModel(out, form, made, tuple(dict.fromkeys(notes)), skipped=not is_new)


def _export_zip(model: _Model, out: Path) -> ExportedModel:
    """The folder as nnU-Net's results have it, zipped."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-export-", dir=out.parent) as name:
        made = _export_folder(model, Path(name), "nnunet")
        weights = load_weights(fold_folder(model.folder, model.folds[0]))
        identifier = f"{_trainer(weights)}__{model.plans.content['plans_name']}__{weights.configuration}"
        root = Path(model.plans.dataset_name) / identifier
        with atomic_path(out) as partial, zipfile.ZipFile(partial, "w") as archive:
            for file in sorted(path for path in Path(name).rglob("*") if path.is_file()):
                archive.write(file, root / file.relative_to(name))
    return ExportedModel(out, "nnunet", made.folds, made.notes, skipped=False)


def _write_checkpoint(path: Path, model: _Model, weights: Weights, fold: str) -> None:
    """nnU-Net's own format; without an optimiser, so training can start from it but not go on."""
    checkpoint = {
        "network_weights": model.network(weights).state_dict(),
        "optimizer_state": {},
        "grad_scaler_state": None,
        "logging": {},
        "_best_ema": None,
        "current_epoch": 0,
        "init_args": {
            "plans": _plans(model.plans),
            "configuration": weights.configuration,
            "fold": int(fold) if fold.isdigit() else fold,
            "dataset_json": _dataset(model),
            "device": torch.device("cpu"),
        },
        "trainer_name": _trainer(weights),
        "inference_allowed_mirroring_axes": weights.mirror_axes or None,
    }
    with atomic_path(path) as partial:
        torch.save(checkpoint, partial)


def _write_beside(model: _Model, out: Path) -> None:
    for name in BESIDE:
        if (model.folder / name).is_file():
            write_bytes(out / name, (model.folder / name).read_bytes())
    write_json(out / DATASET_FILE, _dataset(model))
    write_json(out / PLANS_FILE, _plans(model.plans))


def _plans(plans: Plans) -> dict[str, Any]:
    """The plans with each known network under the path that it can be imported by."""
    content = copy.deepcopy(dict(plans.content))
    for table in content["configurations"].values():
        named = table.get("architecture", {}).get("network_class_name")
        if named is None:
            continue
        try:
            table["architecture"]["network_class_name"] = entry_of_class(named).class_path
        except CheckpointError:
            continue  # of a configuration that is not exported
    return content


def _dataset(model: _Model) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((model.folder / DATASET_FILE).read_text(encoding="utf-8"))
    return content


def _notes(model: _Model, weights: Weights, form: Form) -> list[str]:
    """What whoever uses the export must know."""
    notes = []
    record = read_record(model.folder)
    if record is not None:
        notes.append(
            f"It takes images whose axes lie as {record.orientation}, and says classes by their index."
        )
    if form == "onnx":
        notes.append("Each file says how an image must be prepared, under its metadata key wirsung.")
    missed = missed_by_nnunet(model.plans.content) if form == "nnunet" else ()
    if missed:
        notes.append(
            f"nnU-Net normalises every image alike, but the model learnt {listed(missed)} otherwise: let it "
            f"predict none of those. Export another folder for them, with --modality {missed[0]}."
        )
    entry = entry_of_class(model.outline(weights).architecture.class_name)
    if form == "nnunet" and entry.class_path.startswith("wirsung."):
        notes.append(f"nnU-Net reads it where pip install 'wirsung[{entry.extra}]' was run.")
    if form == "nnunet" and _trainer(weights) != weights.trainer:
        notes.append(f"nnU-Net has no trainer {weights.trainer}; {_TRAINER} stands in its place.")
    return notes


def _trainer(weights: Weights) -> str:
    """The trainer that nnU-Net is to look for: the one that it was trained by, where nnU-Net has it."""
    spec = find_spec("nnunetv2")
    if weights.trainer == _TRAINER or spec is None or not spec.submodule_search_locations:
        return _TRAINER
    folder = Path(spec.submodule_search_locations[0]) / "training" / "nnUNetTrainer"
    # By its text: importing the trainers takes seconds and packages that may be missing.
    wanted = f"class {weights.trainer}("
    known = any(wanted in path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    return weights.trainer if known else _TRAINER


def _facts(model: _Model, weights: Weights) -> Facts:
    outline = model.outline(weights)
    if len(outline.patch_size) != 3:
        msg = f"The configuration {outline.name} is two-dimensional; only 3D is written as ONNX."
        raise ConfigError(msg)
    intensities = model.plans.content["foreground_intensity_properties_per_channel"]
    said = {
        "created_by": f"wirsung {__version__}",
        "configuration": outline.name,
        "network": outline.architecture.class_name,
        "axes": "batch, channel, then z, y, x after transpose_forward",
        "transpose_forward": list(model.plans.transpose_forward),
        "spacing_mm": list(outline.spacing_mm),
        "patch_size": list(outline.patch_size),
        "channels": list(model.labels.channels),
        "normalisations": list(outline.normalisations),
        "intensities": intensities,
        **({BY_MODALITY: model.plans.content[BY_MODALITY]} if model.plans.by_modality else {}),
        "outputs": list(model.labels.outputs),
        "mirror_axes": list(weights.mirror_axes),
        "weights_sha256": weights.sha256,
    }
    return Facts((1, outline.input_channels(model.labels), *outline.patch_size), said)


def _chosen(model: Path, folds: Sequence[int | str] | None) -> tuple[str, ...]:
    there = finished_folds(model)
    if not there:
        msg = f"{model} has no finished fold. Train one, or choose another folder."
        raise CheckpointError(msg)
    chosen = there if folds is None else tuple(map(str, folds))
    for fold in chosen:
        if fold not in there:
            msg = f"{model} has no finished fold {fold}, only {', '.join(there)}. Choose one of those."
            raise CheckpointError(msg)
    return chosen


def _read_export(out: Path, form: Form, modality: str | None) -> dict[str, str]:
    """Fold to checksum of an earlier export of this kind; empty where it is missing or damaged."""
    try:
        content = json.loads((out / EXPORT_FILE).read_text(encoding="utf-8"))
        is_same = (content["form"], content.get("modality")) == (form, modality)
        known = content["folds"] if is_same else {}
        return {str(fold): str(sha256) for fold, sha256 in known.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write_export(out: Path, form: Form, folds: Mapping[str, str], modality: str | None) -> None:
    content = {
        "schema": _SCHEMA,
        "created_by": f"wirsung {__version__}",
        "form": form,
        "modality": modality,
        "folds": dict(sorted(folds.items())),
    }
    write_json(out / EXPORT_FILE, content)
