"""From the plans' words to a network, by an allow-list: a plans file from outside never imports anything."""

from collections.abc import Callable
from typing import Any

from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from torch import nn

from wirsung.errors import CheckpointError, near_names
from wirsung.models.plans import Architecture

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "PlainConvUNet": PlainConvUNet,
    "ResidualEncoderUNet": ResidualEncoderUNet,
}
"""By the last part of their import path: old plans name other modules."""

_PARTS: dict[str, type[nn.Module]] = {
    "Conv3d": nn.Conv3d,
    "InstanceNorm3d": nn.InstanceNorm3d,
    "BatchNorm3d": nn.BatchNorm3d,
    "Dropout3d": nn.Dropout3d,
    "LeakyReLU": nn.LeakyReLU,
    "ReLU": nn.ReLU,
    "GELU": nn.GELU,
}


def build_network(
    architecture: Architecture, *, channels: int, classes: int, deep_supervision: bool = False
) -> nn.Module:
    """The network with fresh weights.

    Args:
        architecture: From the plans.
        channels: Of the image.
        classes: Background included.
        deep_supervision: Whether it answers at several resolutions, as for training.

    Raises:
        CheckpointError: The plans name a network or a part that is not on the list, or arguments it refuses.
    """
    network = _known(architecture.class_name, NETWORKS)
    arguments: dict[str, Any] = dict(architecture.arguments)
    for key in architecture.imported_arguments:
        if arguments.get(key) is not None:
            arguments[key] = _known(arguments[key], _PARTS)
    arguments |= {
        "input_channels": channels,
        "num_classes": classes,
        "deep_supervision": deep_supervision,
    }
    try:
        built: nn.Module = network(**arguments)
    except (TypeError, ValueError, AssertionError) as error:
        msg = f"The plans describe no valid {architecture.class_name.split('.')[-1]}. Get the folder anew."
        raise CheckpointError(msg) from error
    initialise = getattr(built, "initialize", None)
    if initialise is not None:
        built.apply(initialise)
    return built


def _known(path: object, known: dict[str, Any]) -> Any:  # noqa: ANN401 - a class of either list
    name = str(path).split(".")[-1]
    if name not in known:
        msg = f"The plans name {path!r}, which networks are not built of here. {near_names(name, known)}"
        raise CheckpointError(msg)
    return known[name]
