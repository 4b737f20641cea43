"""nnU-Net's trainer with our schedule, progress, folds and checkpoints; the training itself is its own."""

import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, Self

import numpy as np
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer as NnUNetTrainer

from wirsung.compute.atomic import atomic_path, write_json
from wirsung.datasets.splits import Fold
from wirsung.models.networks import entry_of_class
from wirsung.models.plans import Plans
from wirsung.models.weights import read_checkpoint
from wirsung.training.presets import Preset
from wirsung.training.progress import TrainingBar
from wirsung.training.workspace import CONFIGURATION

LATEST = "checkpoint_latest.pth"
HISTORY = "history.json"

_LEFT_TO_RIGHT = 2
"""The x axis of (z, y, x)."""


@dataclass(frozen=True)
class Job:
    """What one fold's training is given."""

    plans: Plans
    label_table: Mapping[str, Any]
    fold: int | str
    cases: Fold
    folder: Path
    """Of the fold, inside the model folder."""
    preset: Preset
    device: torch.device
    seed: int
    names_sides: bool
    """Whether mirroring from left to right is forbidden."""


class Trainer(NnUNetTrainer):  # type: ignore[misc] # nnU-Net has no types
    """nnU-Net's default trainer for one job."""

    job: Job
    bar: TrainingBar | None = None
    current_epoch: int
    _best_ema: float | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """The trainer for a job; the arguments of nnU-Net's own constructor go into its checkpoints."""
        plans = {**job.plans.content, "continue_training": False}
        trainer = cls(plans, CONFIGURATION, job.fold, dict(job.label_table), job.device)
        trainer.job = job
        trainer.output_folder_base = str(job.folder.parent)
        trainer.output_folder = str(job.folder)
        trainer.log_file = str(job.folder / "training_log.txt")
        trainer._apply(job.preset)
        network = job.plans.configuration(CONFIGURATION).architecture.class_name
        trainer.enable_deep_supervision = entry_of_class(network).deep_supervision
        return trainer

    def _apply(self, preset: Preset) -> None:
        self.num_epochs = preset.epochs
        self.num_iterations_per_epoch = preset.iterations
        self.num_val_iterations_per_epoch = preset.validation_iterations
        self.initial_lr = preset.learning_rate
        self.oversample_foreground_percent = preset.foreground
        self.probabilistic_oversampling = preset.foreground != 0.33
        self.save_every = preset.checkpoint_every

    def initialize(self) -> None:
        """Build the network; on a CPU lay it out channels last, which is a quarter faster there."""
        torch.manual_seed(self.job.seed)
        super().initialize()
        if self.device.type == "cpu":
            self.network.to(memory_format=torch.channels_last_3d)
            self.network.register_forward_pre_hook(_channels_last)

    def configure_optimizers(self) -> tuple[torch.optim.Optimizer, Any]:
        """nnU-Net's SGD, or AdamW, which learns more in few steps."""
        if self.job.preset.optimiser == "sgd":
            optimiser, schedule = super().configure_optimizers()
            return optimiser, schedule
        adamw = torch.optim.AdamW(self.network.parameters(), self.initial_lr, weight_decay=self.weight_decay)
        return adamw, PolyLRScheduler(adamw, self.initial_lr, self.num_epochs)

    def configure_rotation_dummyDA_mirroring_and_inital_patch_size(  # noqa: N802 - nnU-Net's name
        self,
    ) -> tuple[Any, Any, Any, Any]:
        """nnU-Net's augmentation without the mirroring that the classes forbid."""
        made = super().configure_rotation_dummyDA_mirroring_and_inital_patch_size()
        rotation, dummy_2d, initial_patch, axes = made
        allowed = tuple(axis for axis in axes if self._may_mirror(axis))
        self.inference_allowed_mirroring_axes = allowed or None
        return rotation, dummy_2d, initial_patch, allowed or None

    def _may_mirror(self, axis: int) -> bool:
        if not self.job.preset.mirror:
            return False
        return not (self.job.names_sides and self.job.plans.transpose_forward[axis] == _LEFT_TO_RIGHT)

    def do_split(self) -> tuple[list[str], list[str]]:
        """The fold's cases, from the dataset's own split."""
        return list(self.job.cases.train), list(self.job.cases.validation)

    def plot_network_architecture(self) -> None:
        """Nothing: it needs a package that no longer works."""

    def _save_debug_information(self) -> None:
        """Nothing: it would write the host's name into the model folder."""

    def print_to_log_file(
        self, *words: object, also_print_to_console: bool = True, add_timestamp: bool = True
    ) -> None:
        """Into the log only; the terminal has the progress bar."""
        super().print_to_log_file(*words, also_print_to_console=False, add_timestamp=add_timestamp)

    def on_train_epoch_start(self) -> None:
        """Seed by the epoch, so that a resumed training draws what an unbroken one would have drawn."""
        seed = self.job.seed * 100_003 + self.current_epoch
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - what nnU-Net's loader draws from
        torch.manual_seed(seed)
        super().on_train_epoch_start()

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """nnU-Net's step, counted."""
        outcome: dict[str, Any] = super().train_step(batch)
        if self.bar is not None:
            self.bar.batch()
        return outcome

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """nnU-Net's pseudo-Dice, quiet about the classes that no validation patch happened to hold."""
        with np.errstate(invalid="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
            super().on_validation_epoch_end(val_outputs)

    def on_epoch_end(self) -> None:
        """Checkpoints and numbers as nnU-Net's, without its prints and its plot of every epoch."""
        self.logger.log("epoch_end_timestamps", time(), self.current_epoch)
        loss, dice = (float(self.logger.get_value(key, step=-1)) for key in ("train_losses", "mean_fg_dice"))
        self.print_to_log_file(f"epoch {self.current_epoch} loss {loss:.4f} pseudo dice {dice:.4f}")
        mean = self.logger.get_value("ema_fg_dice", step=-1)
        if self.job.preset.keep_best and (self._best_ema is None or mean > self._best_ema):
            self._best_ema = mean
            self.save_checkpoint(str(self.job.folder / "checkpoint_best.pth"))
        done = self.current_epoch + 1
        if done % self.save_every == 0 and done < self.num_epochs:
            self.save_checkpoint(str(self.job.folder / LATEST))
        if self.bar is not None:
            self.bar.epoch(done, loss, dice)
        self.current_epoch = done

    def save_checkpoint(self, filename: str) -> None:
        """nnU-Net's checkpoint, whole or not at all."""
        with atomic_path(Path(filename)) as partial:
            super().save_checkpoint(str(partial))

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            CheckpointError: It is damaged.
        """
        content = read_checkpoint(path, self.device)
        self.network_core.load_state_dict(content["network_weights"])
        self.optimizer.load_state_dict(content["optimizer_state"])
        if self.grad_scaler is not None and content["grad_scaler_state"] is not None:
            self.grad_scaler.load_state_dict(content["grad_scaler_state"])
        self.logger.load_checkpoint(content["logging"])
        self._best_ema = content["_best_ema"]
        self.current_epoch = int(content["current_epoch"])

    @property
    def network_core(self) -> torch.nn.Module:
        """The network without the wrapper that compiling puts around it."""
        network: Any = self.network
        core: torch.nn.Module = getattr(network, "_orig_mod", network)
        return core

    def write_history(self) -> None:
        """The course of the training as `history.json`."""
        kept = ("train_losses", "val_losses", "mean_fg_dice", "lrs")
        course = {key: [_number(value) for value in self.logger.get_value(key, step=None)] for key in kept}
        write_json(self.job.folder / HISTORY, {"schema": 1, **course})


# nnU-Net finds the trainer of a checkpoint by this name, and must find its own.
Trainer.__name__ = "nnUNetTrainer"


def run(job: Job) -> None:
    """Train a fold to its end, from its latest checkpoint where there is one."""
    trainer = Trainer.of(job)
    trainer.initialize()
    latest = job.folder / LATEST
    if latest.is_file():
        trainer.resume(latest)
    with TrainingBar(trainer.num_epochs, trainer.num_iterations_per_epoch, trainer.current_epoch) as bar:
        trainer.bar = bar
        trainer.run_training()
    trainer.write_history()


def _channels_last(_: torch.nn.Module, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    return tuple(item.contiguous(memory_format=torch.channels_last_3d) for item in inputs)


def _number(value: object) -> float | None:
    """For JSON, which has no NaN."""
    number = float(value)  # type: ignore[arg-type]
    return number if np.isfinite(number) else None
