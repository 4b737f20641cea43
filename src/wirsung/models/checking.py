"""Whether weights from elsewhere fit their plans, and what of a model can't be predicted here."""

import json
import math
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from torch import nn

from wirsung.errors import CheckpointError, near_names
from wirsung.models.labels import Labels
from wirsung.models.networks import build_architecture, entry_of_class
from wirsung.models.networks.blueprint import blueprint
from wirsung.models.normalisation import CT_SCHEME
from wirsung.models.plans import (
    DATASET_FILE,
    PLANS_FILE,
    Architecture,
    Configuration,
    Outline,
    Plans,
    parse_plans,
)
from wirsung.models.stages import stage_outline
from wirsung.models.weights import Weights, listed, misfits, unique

_LARGEST_PATCH = 2048
"""Voxels along an axis; scanners give 1024 and 2000 slices."""
_OF_THE_DATASET = ("transpose_forward", "foreground_intensity_properties_per_channel")
_FLAT_PARTS = ("Conv2d", "InstanceNorm2d", "BatchNorm2d", "Dropout2d", "LeakyReLU", "ReLU", "GELU")
"""Of torch.nn; what plans of 2D networks may name as an argument."""
_OF_THE_CONFIGURATION = ("spacing_mm", "patch_size", "normalisations", "architecture")


def check_fits(plans: Plans, labels: Labels, weights: Weights, file: Path) -> None:
    """Do nothing where the weights fit the network of the plans, or where it can't be built here.

    Raises:
        CheckpointError: The plans lack the configuration, or a weight is missing, left over or of another
            shape.
        MissingDependencyError: The network needs a package that is not installed.
    """
    outline = plans.outline(weights.configuration)
    if not is_known(outline.architecture):
        return
    network = blueprint(lambda: network_of(outline, labels))
    problems = misfits(unique(network.state_dict()), weights.state)
    if problems:
        msg = (
            f"{file}: the weights do not fit the network of the plans: {listed(problems)}. "
            "Get checkpoint, plans.json and dataset.json of one training."
        )
        raise CheckpointError(msg)


def check_runs(plans: Plans, labels: Labels, configuration: Configuration) -> None:
    """Do nothing where plans and `dataset.json` say the same of the channels, and numbers that can be used.

    Raises:
        CheckpointError: They speak of different channels, a CT channel has no intensities, or the patch is
            larger than any image.
    """
    named, ways, known = len(labels.channels), len(configuration.normalisations), len(plans.intensities)
    if plans.by_modality:
        known = ways  # each modality has its own
    if not named == ways == known:
        msg = (
            f"{DATASET_FILE} and {PLANS_FILE} differ in the number of channels: {named} named, {ways} "
            f"normalised, intensities of {known}. Get both of one training."
        )
        raise CheckpointError(msg)
    for number, way in enumerate(plans.normalisations(configuration) if not plans.by_modality else ()):
        if way.scheme == CT_SCHEME and not all(map(math.isfinite, astuple(way.intensity))):
            msg = (
                f"{PLANS_FILE}: the intensities of channel {number} are no numbers, and CT is normalised by "
                "them. Get the whole model folder anew."
            )
            raise CheckpointError(msg)
    if max(configuration.patch_size) > _LARGEST_PATCH:
        sizes = " x ".join(map(str, configuration.patch_size))
        msg = f"{PLANS_FILE}: the patch of {sizes} is larger than any image. Get the model folder anew."
        raise CheckpointError(msg)


def network_of(outline: Outline, labels: Labels) -> nn.Module:
    """The network that the plans describe with fresh weights, be it 2D or the second stage of a cascade.

    Raises:
        CheckpointError: It is not in the catalog, or its arguments make no network.
        MissingDependencyError: It needs a package that is not installed.
    """
    channels, classes = outline.input_channels(labels), len(labels.outputs)
    if len(outline.patch_size) == 3:
        return build_architecture(outline.architecture, channels=channels, classes=classes)
    item = entry_of_class(outline.architecture.class_name)
    arguments = dict(outline.architecture.arguments)
    for key in outline.architecture.imported_arguments:
        if arguments.get(key) is not None:
            arguments[key] = _flat_part(arguments[key])
    try:
        made: nn.Module = item.load()(input_channels=channels, num_classes=classes, **arguments)
    except (TypeError, ValueError, AssertionError) as error:
        msg = f"The plans describe no valid two-dimensional {item.title}. Get the folder anew."
        raise CheckpointError(msg) from error
    return made


def _flat_part(path: object) -> type[nn.Module]:
    name = str(path).split(".")[-1]
    if name not in _FLAT_PARTS:
        near = near_names(name, _FLAT_PARTS)
        msg = f"The plans name {path!r}, which 2D networks are not built of here. {near}"
        raise CheckpointError(msg)
    part: type[nn.Module] = getattr(nn, name)
    return part


def check_same_plans(plans: Plans, content: Mapping[str, Any], configuration: str, file: Path) -> None:
    """Do nothing where a checkpoint was trained by these plans, as far as it says.

    Raises:
        CheckpointError: It was trained by others; the message names the first thing that differs.
    """
    own = content.get("init_args", {}).get("plans")
    if not isinstance(own, Mapping):
        return
    try:
        # Through JSON, as one side has been through it: no tuples, no numpy numbers.
        theirs = parse_plans(json.loads(json.dumps(own)))
        first, second = plans.outline(configuration), theirs.outline(configuration)
    except (TypeError, ValueError, CheckpointError):
        return
    different = [key for key in _OF_THE_DATASET if plans.content.get(key) != theirs.content.get(key)]
    different += [key for key in _OF_THE_CONFIGURATION if getattr(first, key) != getattr(second, key)]
    if different:
        msg = (
            f"{file} was trained by other plans than those beside it: they differ in {', '.join(different)}. "
            "Get checkpoint and plans.json of one training."
        )
        raise CheckpointError(msg)


def notes_on(plans: Plans, labels: Labels, configuration: str) -> tuple[str, ...]:
    """What can't be predicted here, and what predicting needs beside the model; a sentence each."""
    outline = stage_outline(plans, configuration)
    reasons = [f"the configuration {configuration} {reason}" for reason in outline.obstacles]
    if not is_known(outline.architecture):
        reasons.append(f"the network {outline.architecture.class_name} is not in the catalog")
    notes = [f"Wirsung can't predict with it: {reason}." for reason in reasons]
    if outline.previous_stage:
        notes.append(
            f"It is given the prediction of {outline.previous_stage}: import that model too, "
            "and name it with --previous-stage."
        )
    return tuple(notes)


def is_known(architecture: Architecture) -> bool:
    """Whether the network is in the catalog."""
    try:
        entry_of_class(architecture.class_name)
    except CheckpointError:
        return False
    return True
