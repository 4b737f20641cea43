"""Checkpoints: nnU-Net's own content, and beside it what it takes to go on from the very batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from wirsung.compute.atomic import atomic_path
from wirsung.errors import CheckpointError
from wirsung.models.weights import read_checkpoint
from wirsung.training.watching.best import BestSoFar

LATEST = "checkpoint_latest.pth"
BEST = "checkpoint_best.pth"

_OWN = "wirsung"
"""The key of what nnU-Net's checkpoints do not have, and do not mind."""


@dataclass(frozen=True)
class Place:
    """Where in a training a checkpoint stands: batches are drawn by number, so this is all there is to it."""

    epoch: int
    """In which it goes on, from 0."""
    iteration: int
    """Batches of that epoch that are learnt; all of them where only the validation is left."""
    losses: tuple[tuple[float, ...], ...]
    """Of those batches, a row for each process that shares them."""
    best: BestSoFar
    """How good the epochs were up to now."""

    def losses_of(self, rank: int) -> list[float]:
        """Those of one process; of the first, where there are more processes than before."""
        return list(self.losses[rank if rank < len(self.losses) else 0]) if self.losses else []


def write_checkpoint(path: Path, content: Mapping[str, Any], place: Place) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: Where.
        content: What nnU-Net's own checkpoints have, without the epoch.
        place: Where the training stands.
    """
    own = {
        "iteration": place.iteration,
        "losses": [list(row) for row in place.losses],
        "best": place.best.as_json(),
    }
    with atomic_path(path) as partial:
        torch.save({**content, "current_epoch": place.epoch, _OWN: own}, partial)


def read_place(
    path: Path, device: torch.device | str, leading: Sequence[str]
) -> tuple[dict[str, Any], Place]:
    """The content of a checkpoint, and where it stands.

    Args:
        path: The checkpoint.
        device: Where its tensors go.
        leading: The classes that decide which epoch is the best, for checkpoints that do not say it.

    Raises:
        CheckpointError: It is damaged.
    """
    content = read_checkpoint(path, device)
    try:
        epoch = int(content["current_epoch"])
        own = content.get(_OWN)
        if own is None:  # of an earlier version, or of nnU-Net itself: always at the end of an epoch
            return content, Place(epoch, 0, (), BestSoFar(tuple(leading)))
        losses = tuple(tuple(map(float, row)) for row in own["losses"])
        return content, Place(epoch, int(own["iteration"]), losses, BestSoFar.from_json(own["best"]))
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{path} does not say where it stands. Delete it to train this fold from the start."
        raise CheckpointError(msg) from error


def core_of(network: Any) -> torch.nn.Module:  # noqa: ANN401 - whatever wraps it
    """The network without what compiling and sharing among processes put around it."""
    while True:
        inner = getattr(network, "_orig_mod", None) or (
            network.module if isinstance(network, torch.nn.parallel.DistributedDataParallel) else None
        )
        if inner is None:
            core: torch.nn.Module = network
            return core
        network = inner


def are_weights_finite(network: torch.nn.Module) -> bool:
    """Whether every weight is a number."""
    return all(bool(torch.isfinite(item).all()) for item in network.parameters())
