"""What to say when a GPU is too small: what a step takes, and the patch and batch that would fit."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from wirsung.errors import ConfigError, MissingDependencyError
from wirsung.models.cost import estimate
from wirsung.models.networks.topology import plan_of_patch
from wirsung.models.plans import Configuration, Shape
from wirsung.training.job import Job
from wirsung.training.workspace import CONFIGURATION

_GIB = 2**30
_CONTEXT_BYTES = 0.5 * _GIB
"""What a GPU holds for itself."""
_USABLE = 0.9
"""Fraction of the rest that is not lost between blocks."""
_LESS = 0.75
"""How much of a step must be enough where nobody knows the memory."""
_SHARES = (0.75, 0.5, 0.375, 0.25)
"""Of the patch's edges, largest first."""
_STEP = 16
"""Voxels; every network of the catalog halves a patch four times at least."""


@dataclass(frozen=True)
class Fit:
    """A patch and a batch, and what a step of it takes."""

    patch: Shape
    batch: int
    needed_bytes: int


def out_of_memory(job: Job, network: str) -> ConfigError:
    """The error for a GPU that ran out of memory.

    Args:
        job: That did not fit.
        network: As `wirsung models list` says it.
    """
    configuration = job.plans.configuration(CONFIGURATION)
    share = -(-configuration.batch_size // job.gpus)
    taken = _fit(job, network, configuration, share)
    budget = _budget(job.device)
    patch = _by(configuration.patch_size)
    batch = f"{configuration.batch_size} patches" + (f" on {job.gpus} GPUs" if job.gpus > 1 else "")
    asked = f"The GPU ran out of memory with patch {patch} and batches of {batch}"
    asked += f": a step takes about {taken.needed_bytes / _GIB:.1f} GiB" if taken else ""
    asked += f" of {budget / _GIB:.1f} GiB" if taken and budget else ""
    limit = budget or (_LESS * taken.needed_bytes if taken else 0)
    found = next((fit for fit in _smaller(job, network, share) if fit.needed_bytes <= limit), None)
    return ConfigError(f"{asked}. {_advice(found, job, share)}")


def _advice(found: Fit | None, job: Job, share: int) -> str:
    if found is None:
        return "Say a smaller --batch-size or --patch, or choose a smaller --network."
    batch = found.batch * job.gpus
    planned = job.plans.configuration(CONFIGURATION).patch_size
    takes = f"would take about {found.needed_bytes / _GIB:.1f} GiB"
    if found.patch == planned:
        return f"Say --batch-size {batch}, which {takes}."
    smaller = f" --batch-size {batch}" if found.batch < share else ""
    return f"Say --patch {' '.join(map(str, found.patch))}{smaller}, which {takes}."


def _smaller(job: Job, network: str, share: int) -> Iterator[Fit]:
    """Ever smaller steps: fewer patches first, down to two in all, then smaller ones, then one alone."""
    configuration = job.plans.configuration(CONFIGURATION)
    patches = [configuration.patch_size, *_smaller_patches(configuration.patch_size)]
    least = min(share, -(-2 // job.gpus))
    for batch in range(share - 1, least - 1, -1):
        yield from _made(_fit(job, network, configuration, batch))
    for patch in patches[1:]:
        yield from _made(_fit(job, network, _planned(configuration, patch), least))
    for patch in patches if least > 1 else []:
        yield from _made(_fit(job, network, _planned(configuration, patch), 1))


def _smaller_patches(patch: Shape) -> list[Shape]:
    made: list[Shape] = []
    for share in _SHARES:
        edges = [min(edge, max(_STEP, int(edge * share) // _STEP * _STEP)) for edge in patch]
        smaller = (edges[0], edges[1], edges[2])
        if smaller not in {patch, *made}:
            made.append(smaller)
    return made


def _planned(configuration: Configuration, patch: Shape) -> Configuration:
    """As planning would plan that patch."""
    if patch == configuration.patch_size:
        return configuration
    features = configuration.architecture.arguments.get("features_per_stage")
    first_and_most = (int(features[0]), int(max(features))) if isinstance(features, list) else (32, 320)
    return plan_of_patch(patch, configuration.spacing_mm, features=first_and_most)


def _fit(job: Job, network: str, configuration: Configuration, batch: int) -> Fit | None:
    """What a step takes; None where the network can't take the patch."""
    channels = len(job.label_table["channel_names"])
    classes = len(job.label_table["labels"])
    try:
        cost = estimate(network, replace(configuration, batch_size=batch), channels, classes)
    except (ConfigError, MissingDependencyError):
        return None
    is_mixed = job.device.type == "cuda"
    needed = cost.training_mixed_bytes if is_mixed else cost.training_bytes
    return Fit(configuration.patch_size, batch, needed)


def _made(fit: Fit | None) -> Iterator[Fit]:
    if fit is not None:
        yield fit


def _budget(device: torch.device) -> float | None:
    """Bytes that a training may take; None where nobody knows."""
    if device.type != "cuda":
        return None
    _, total = torch.cuda.mem_get_info(device)
    return _USABLE * (total - _CONTEXT_BYTES)


def _by(patch: Shape) -> str:
    return " x ".join(map(str, patch))
