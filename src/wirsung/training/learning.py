"""A fold's training from its latest checkpoint to its end, in one process or shared by several."""

import torch

from wirsung.training.checkpoints import LATEST
from wirsung.training.job import Job
from wirsung.training.parallel import shared
from wirsung.training.progress import TrainingBar
from wirsung.training.stopping import TrainingStopped
from wirsung.training.trainer import Trainer
from wirsung.training.watching import watchers_of
from wirsung.training.workspace import silence


def run(job: Job) -> None:
    """Train a fold to its end, from its latest checkpoint where there is one.

    Raises:
        TrainingStopped: It stopped before its end; a checkpoint was written.
        WirsungError: The loss is not a number, or a process was lost.
        torch.OutOfMemoryError: The GPU is too small.
    """
    if job.gpus > 1:
        shared(learn, job, job.gpus, job.device)
    else:
        learn(job)


def learn(job: Job) -> None:
    """Train a fold in this process, which may be one of several."""
    if job.device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # as nnU-Net's own command line
    with silence():
        trainer = Trainer.of(job)
        trainer.initialize()
        if (job.folder / LATEST).is_file():
            trainer.resume(job.folder / LATEST)
        with trainer.signals.watched():
            if trainer.local_rank == 0:
                _watched(trainer)
            else:
                trainer.run_training()


def _watched(trainer: Trainer) -> None:
    """Train with a progress bar, and with whoever looks on."""
    trainer.watchers = watchers_of(trainer.job)
    reason = "failed"
    length = (trainer.num_epochs, trainer.num_iterations_per_epoch)
    try:
        with TrainingBar(*length, trainer.current_epoch, trainer.iteration) as trainer.bar:
            trainer.run_training()
        trainer.write_history()
        reason = "finished"
    except TrainingStopped as stopped:
        reason = stopped.reason
        raise
    finally:
        for watcher in trainer.watchers:
            watcher.ended(trainer, reason)
