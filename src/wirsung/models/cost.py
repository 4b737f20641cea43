"""`wirsung models cost`: what a network will need, before it is built. Planning may ask `estimate`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wirsung.models.networks import build_network, entry
from wirsung.models.networks.topology import plan_of_patch
from wirsung.models.plans import Configuration, read_plans
from wirsung.models.settings import CostSettings

if TYPE_CHECKING:
    from wirsung.models.rates import Rates
    from wirsung.models.tracing import Trace

_WEIGHT = 4
"""Bytes of a parameter, of its gradient and of its momentum."""
_GIB = 2**30


@dataclass(frozen=True)
class Cost:
    """What one network needs at one patch."""

    network: str
    patch_size: tuple[int, int, int]
    batch_size: int
    channels: int
    classes: int
    parameters: int
    training_bytes: int
    """Weights, gradients, momentum and activations at the worst moment of a step in single precision."""
    training_mixed_bytes: int
    """The same under automatic mixed precision, as nnU-Net trains on a GPU."""
    activation_bytes: int
    """Held for the backward pass, in single precision."""
    activation_mixed_bytes: int
    inference_bytes: int
    """Weights and activations at the worst moment, one patch, single precision."""
    forward_flops: int
    """Of one patch; a multiplication and an addition are two."""
    training_flops: int
    """Of one step."""
    training_s: float | None
    """Of one step on the device measured; None where none was."""
    inference_s: float | None
    """Of one patch."""

    def lines(self) -> list[str]:
        """For the terminal."""
        size = " x ".join(map(str, self.patch_size))
        seconds = []
        if self.training_s is not None and self.inference_s is not None:
            took = f"{self.training_s:,.2g} a step, {self.inference_s:,.2g} a patch of inference"
            seconds = [f"  seconds             {took}; a rough estimate for this machine"]
        return [
            f"{self.network}, patch {size}, batch {self.batch_size}, {self.channels} channel"
            f"{'s' * (self.channels != 1)}, {self.classes} classes",
            f"  parameters          {self.parameters:,}",
            f"  training            {_gib(self.training_mixed_bytes)} in mixed precision, "
            f"{_gib(self.training_bytes)} in single precision",
            f"    of it activations {_gib(self.activation_mixed_bytes)} and {_gib(self.activation_bytes)}",
            f"  inference           {_gib(self.inference_bytes)} in single precision, one patch",
            f"  operations          {self.training_flops / 1e12:,.3g} TFLOP a step, "
            f"{self.forward_flops / 1e12:,.3g} a patch of inference",
            *seconds,
        ]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**self.__dict__, "patch_size": list(self.patch_size)}


def cost(settings: CostSettings) -> Cost:
    """Estimate what the settings' network needs.

    Raises:
        ConfigError: No such network, or it can't take this patch.
        CheckpointError: The plans can't be read.
        MissingDependencyError: A package that the network needs is not installed.
    """
    item = entry(settings.network)
    item.require()
    return estimate(
        settings.network,
        _configuration(settings),
        settings.channels,
        settings.classes,
        rates=_rates(settings.device),
    )


def estimate(
    network: str,
    configuration: Configuration,
    channels: int,
    classes: int,
    *,
    rates: "Rates | None" = None,
    arguments: Mapping[str, Any] | None = None,
) -> Cost:
    """What a network needs for a configuration: nothing is allocated for it.

    What is not counted: the context of a GPU, about half a GiB, and the workspace of its kernels.

    Args:
        network: As `wirsung models list` says it.
        configuration: Says patch, batch and the stages of U-Nets.
        channels: Of the image.
        classes: Background included.
        rates: How fast the device is; None leaves the seconds out.
        arguments: Of the network's class, in place of those that the configuration gives.

    Raises:
        ConfigError: No such network, or it can't take this configuration.
        MissingDependencyError: A package that the network needs is not installed.
    """
    from wirsung.models.networks.blueprint import blueprint, count_parameters
    from wirsung.models.tracing import trace_inference, trace_training

    deep = entry(network).deep_supervision
    drawn = blueprint(
        lambda: build_network(
            network, configuration, channels, classes, deep_supervision=deep, arguments=arguments
        )
    )
    patch = configuration.patch_size
    shape = (configuration.batch_size, channels, *patch)
    single, mixed = (trace_training(drawn, shape, classes, mixed=kind) for kind in (False, True))
    drawn_once = blueprint(
        lambda: build_network(network, configuration, channels, classes, arguments=arguments)
    )
    alone = trace_inference(drawn_once, (1, channels, *patch), mixed=False)
    parameters = count_parameters(drawn)
    return Cost(
        network=network,
        patch_size=patch,
        batch_size=configuration.batch_size,
        channels=channels,
        classes=classes,
        parameters=parameters,
        **_memory(parameters, single, mixed, alone),
        forward_flops=alone.flops,
        training_flops=single.flops,
        training_s=rates.seconds((*single.forward, *single.backward)) if rates else None,
        inference_s=rates.seconds(alone.forward) if rates else None,
    )


def _memory(parameters: int, single: "Trace", mixed: "Trace", alone: "Trace") -> Mapping[str, Any]:
    # The gradients are among what a step allocates; the weights and the momentum lie there before it.
    lasting = 2 * _WEIGHT * parameters
    return {
        "training_bytes": lasting + single.peak,
        "training_mixed_bytes": lasting + mixed.peak,
        "activation_bytes": single.kept,
        "activation_mixed_bytes": mixed.kept,
        "inference_bytes": _WEIGHT * parameters + alone.peak,
    }


def _configuration(settings: CostSettings) -> Configuration:
    if settings.plans is not None:
        return read_plans(settings.plans).configuration("3d_fullres")
    return plan_of_patch(
        settings.patch, settings.spacing_mm, features=settings.features, batch_size=settings.batch
    )


def _rates(device: str) -> "Rates | None":
    if device == "none":
        return None
    from wirsung.models.device import choose_device
    from wirsung.models.rates import measure_rates

    return measure_rates(choose_device(device))


def _gib(size: int) -> str:
    return f"{size / _GIB:,.2f} GiB"
