"""What processes that share a training are told to do; they import it by this name."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from wirsung.errors import WirsungError
from wirsung.training.parallel import agreed, gathered
from wirsung.training.stopping import TrainingStopped


@dataclass(frozen=True)
class Order:
    """What the processes are told to do."""

    folder: Path
    act: str


def obey(order):
    rank = dist.get_rank()
    agreement = agreed(rank), gathered([float(rank), 0.5])
    (order.folder / f"{rank}.txt").write_text(repr(agreement))
    if order.act == "stop":
        reason = "max-hours"
        raise TrainingStopped(reason, 4, 2)
    if rank == 1 and order.act == "fail":
        msg = "the reason"
        raise WirsungError(msg)
    if rank == 1 and order.act == "memory":
        msg = "tried to allocate 3 GiB"
        raise torch.OutOfMemoryError(msg)
    if rank == 1 and order.act == "vanish":
        os.kill(os.getpid(), signal.SIGKILL)
    agreed(0)


def learn_and_keep(job):
    """Learn as ever, and leave each rank's weights and share of the batch beside the model."""
    from wirsung.training.trainer import Trainer
    from wirsung.training.workspace import silence

    with silence():
        trainer = Trainer.of(job)
        trainer.initialize()
        trainer.run_training()
    sizes = trainer.batch_size, [len(batch) for batch in [next(trainer.dataloader_train)["keys"]]]
    kept = {"weights": trainer.network_core.state_dict(), "sizes": sizes}
    torch.save(kept, job.folder / f"rank{trainer.local_rank}.pt")
