"""From a name or the plans' words to a network, by an allow-list: foreign plans never import anything."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from wirsung.errors import CheckpointError, ConfigError, ImageError, near_names
from wirsung.models.networks.catalog import Entry, entry, entry_of_class
from wirsung.models.plans import Architecture, Configuration, Plans

if TYPE_CHECKING:
    from torch import nn

_PARTS = ("Conv3d", "InstanceNorm3d", "BatchNorm3d", "Dropout3d", "LeakyReLU", "ReLU", "GELU")
"""Of torch.nn; what plans may name as an argument."""

_FULL_RESOLUTION = "3d_fullres"


def build_network(
    name: str,
    plans: Plans | Configuration,
    channels: int,
    classes: int,
    *,
    deep_supervision: bool = False,
    arguments: Mapping[str, Any] | None = None,
) -> "nn.Module":
    """A network of the catalog with fresh weights, fitted to nnU-Net's plan.

    Args:
        name: As `wirsung models list` says it.
        plans: Of nnU-Net, or one configuration of them; of plans the configuration 3d_fullres is taken.
        channels: Of the image.
        classes: Background included.
        deep_supervision: Whether it answers at several resolutions, as for training.
        arguments: Of the network's class, in place of those that the plan gives, such as a width.

    Raises:
        ConfigError: No such network or argument, or it can't take this plan, or has no deep supervision.
        MissingDependencyError: A package that it needs is not installed.
    """
    item = entry(name)
    configuration = plans.configuration(_FULL_RESOLUTION) if isinstance(plans, Plans) else plans
    if deep_supervision and not item.deep_supervision:
        msg = f"The network {name} has no deep supervision. Build it without."
        raise ConfigError(msg)
    fitted = architecture_of(item, configuration)
    _check_arguments(item, arguments or {})
    wanted = replace(fitted, arguments={**fitted.arguments, **(arguments or {})})
    return build_architecture(wanted, channels=channels, classes=classes, deep_supervision=deep_supervision)


def _check_arguments(item: Entry, arguments: Mapping[str, Any]) -> None:
    """Refuse what the class does not take."""
    known = [name for name in signature(item.load()).parameters if name != "self"]
    for name in arguments:
        if name not in known:
            msg = f"The network {item.name} has no argument {name!r}. {near_names(name, known)}"
            raise ConfigError(msg)


def architecture_of(item: Entry, configuration: Configuration) -> Architecture:
    """How plans name the network, fitted to the configuration.

    Raises:
        ConfigError: The network can't take this plan.
        MissingDependencyError: A package that it needs is not installed.
    """
    return Architecture(item.class_path, item.fit(configuration), item.imported)


def build_architecture(
    architecture: Architecture, *, channels: int, classes: int, deep_supervision: bool = False
) -> "nn.Module":
    """The network that plans describe, with fresh weights.

    Args:
        architecture: From the plans.
        channels: Of the image.
        classes: Background included.
        deep_supervision: Whether it answers at several resolutions, as for training.

    Raises:
        CheckpointError: The plans name a network or a part that is not on the list, or arguments it refuses.
        MissingDependencyError: A package that it needs is not installed.
    """
    item = entry_of_class(architecture.class_name)
    arguments = _located(architecture)
    sizes = {"input_channels": channels, "num_classes": classes, "deep_supervision": deep_supervision}
    built = _made(item.load(), {**arguments, **sizes}, architecture)
    initialise = getattr(built, "initialize", None)
    if initialise is not None:
        built.apply(initialise)
    built.register_forward_pre_hook(partial(_check_image, channels))
    return built


def _check_image(channels: int, _: "nn.Module", inputs: tuple[Any, ...]) -> None:
    """One sentence in place of a convolution's complaint."""
    shape = tuple(inputs[0].shape)
    if len(shape) != 5 or shape[1] != channels:
        msg = (
            f"The network takes images as (batch, {channels}, z, y, x), where {channels} is the number of "
            f"channels it was built for, but this one is {shape}. Give it the channels that it learnt from."
        )
        raise ImageError(msg)


def _made(network: Callable[..., Any], arguments: Mapping[str, Any], said: Architecture) -> "nn.Module":
    try:
        built: nn.Module = network(**arguments)
    except (TypeError, ValueError, AssertionError) as error:
        msg = f"The plans describe no valid {said.class_name.split('.')[-1]}. Get the folder anew."
        raise CheckpointError(msg) from error
    return built


def _located(architecture: Architecture) -> dict[str, Any]:
    """The arguments, with the parts of torch that they name."""
    from torch import nn

    arguments = dict(architecture.arguments)
    for key in architecture.imported_arguments:
        if arguments.get(key) is not None:
            name = str(arguments[key]).split(".")[-1]
            if name not in _PARTS:
                near = near_names(name, _PARTS)
                msg = f"The plans name {arguments[key]!r}, which networks are not built of here. {near}"
                raise CheckpointError(msg)
            arguments[key] = getattr(nn, name)
    return arguments
