"""From a model folder to a stage that is ready to run."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from wirsung.errors import CheckpointError
from wirsung.inference.cpu_layers import quickened
from wirsung.inference.model_files import fold_weights, opened_model, previous_folder
from wirsung.inference.presets import PRESETS, PresetName
from wirsung.inference.stage import Stage
from wirsung.models.checking import check_fits, check_runs, network_of
from wirsung.models.device import choose_device
from wirsung.models.folder import ModelClass, Record, record_to_predict_by
from wirsung.models.labels import Labels
from wirsung.models.plans import Configuration, Plans, read_labels, read_plans
from wirsung.models.stages import stage_configuration, stage_outline
from wirsung.models.transfer_settings import Checkpoint
from wirsung.models.weights import Weights, fill

LESION = "pancreatic_lesion"
_MAPS_AT_ONCE = 6
"""Feature maps of full size that a U-Net holds while it computes."""
_SHARE_OF_MEMORY = 0.25


@dataclass(frozen=True)
class How:
    """How models are loaded and run."""

    device: str = "auto"
    """auto, cpu, cuda or mps."""
    folds: tuple[int | str, ...] | None = None
    """Whose logits are averaged; None for every finished one."""
    checkpoint: Checkpoint = "final"
    mirror: bool = False
    """Whether to average over mirrored images."""
    preset: PresetName = "exact"
    """How much accuracy is given for speed."""
    step: float | None = None
    """How far tiles are apart, as a fraction of the patch; None for as the preset says."""
    threads: int | None = None
    """Of the CPU; None for as many as torch takes."""
    choose: str | None = None
    """Where a folder or zip holds several models: a part of one's name."""
    previous_stage: Path | None = None
    """The model of a cascade's first stage; None where it lies beside."""
    lesion: str = LESION
    """The class whose probability is the lesion's."""


@dataclass(frozen=True)
class Loaded:
    """One model, ready, and what its folder says of it."""

    stage: Stage
    classes: tuple[ModelClass, ...]
    """Background excluded; the index of a region is one more than that of its output."""
    record: Record | None
    """None where nnU-Net itself wrote the folder."""
    sha256: str
    """Of the weights of all folds, and of the stage before."""

    @property
    def orientation(self) -> str | None:
        """The axis order that it learnt from; None leaves the volume as it lies in the file."""
        if self.record is not None:
            return self.record.orientation
        reader = str(self.stage.plans.content.get("image_reader_writer"))
        return "RAS" if reader.endswith("WithReorient") else None


def load_model(path: Path, how: How) -> Loaded:
    """A model folder or zip, of Wirsung's or of nnU-Net v2's own making.

    Raises:
        CheckpointError: It is no model, is damaged, or needs what is unknown here.
        ConfigError: There is no such device.
        MissingDependencyError: The network needs a package that is not installed.
    """
    with opened_model(path, how.choose) as folder:
        plans, labels, record = read_plans(folder), read_labels(folder), record_to_predict_by(folder)
        weights = fold_weights(folder, how.folds, how.checkpoint)
        for item in weights:
            # Before a network of the size that the plans ask for is built.
            check_fits(plans, labels, item, folder)
        stage = _stage(plans, labels, weights, how)
        sha256 = "-".join(item.sha256 for item in weights)
        outline = stage_outline(plans, weights[0].configuration)
        if outline.previous_stage:
            place = previous_folder(folder, outline.name, outline.previous_stage, how.previous_stage)
            before = _load_previous(place, outline.previous_stage, labels, how)
            stage = stage.after(before.stage)
            sha256 = f"{before.sha256}-{sha256}"
        return Loaded(stage, _classes(labels, record), record, sha256)


def _load_previous(place: Path, name: str, labels: Labels, how: How) -> Loaded:
    own = replace(how, choose=None, previous_stage=None)
    found = load_model(place, own)
    if found.stage.configuration.name != name:
        msg = f"{place} is {found.stage.configuration.name}, but the cascade follows {name}. Name another."
        raise CheckpointError(msg)
    if found.stage.labels.foreground != labels.foreground:
        msg = f"{place} knows other labels than the second stage of the cascade. Name that of one training."
        raise CheckpointError(msg)
    return found


def _stage(plans: Plans, labels: Labels, weights: Sequence[Weights], how: How) -> Stage:
    configuration = stage_configuration(plans, weights[0].configuration)
    outline = stage_outline(plans, weights[0].configuration)
    check_runs(plans, labels, configuration)
    device = choose_device(how.device)
    networks = []
    for item in weights:
        network = network_of(outline, labels)
        fill(network, item.state)
        networks.append(_placed(network, device))
    return Stage(
        plans=plans,
        configuration=configuration,
        labels=labels,
        networks=tuple(networks),
        mirror_axes=weights[0].mirror_axes if how.mirror else (),
        device=device,
        is_flat=len(outline.patch_size) == 2,
        preset=PRESETS[how.preset].with_step(how.step),
        workers=_workers(configuration, how.threads or torch.get_num_threads()),
    )


def _placed(network: nn.Module, device: torch.device) -> nn.Module:
    network.eval().requires_grad_(requires_grad=False)
    return quickened(network) if device.type == "cpu" else network.to(device)


def _workers(configuration: Configuration, threads: int) -> int:
    """One a thread, as long as the feature maps of all together take no more than a quarter of the memory."""
    features = configuration.architecture.arguments.get("features_per_stage")
    width = features[0] if isinstance(features, list | tuple) and features else 32
    z, y, x = configuration.patch_size
    tile_bytes = z * y * x * int(width) * 4 * _MAPS_AT_ONCE
    return max(1, min(threads, int(_memory_bytes() * _SHARE_OF_MEMORY / tile_bytes)))


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 * 2**30  # Windows; a guess that suits a laptop


def _classes(labels: Labels, record: Record | None) -> tuple[ModelClass, ...]:
    if labels.has_regions:
        pairs = zip(labels.region_order, labels.outputs, strict=True)
        own = tuple(ModelClass(index + 1, value, name) for index, (value, name) in enumerate(pairs))
    else:
        own = tuple(ModelClass(index, index, name) for index, name in enumerate(labels.outputs) if index)
    if record is None:
        return own
    if tuple(item.name for item in record.classes) != tuple(item.name for item in own):
        msg = "wirsung.json and dataset.json of the model name different classes. Copy or train it anew."
        raise CheckpointError(msg)
    return record.classes
