"""nnU-Net's trainer with our schedule, progress, folds and checkpoints; the training itself is its own."""

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, time
from typing import Any, Self

import numpy as np
import torch
from nnunetv2.training.lr_scheduler.polylr import PolyLRScheduler
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer as NnUNetTrainer

from wirsung.compute.atomic import write_json
from wirsung.errors import WirsungError
from wirsung.models.networks import entry_of_class
from wirsung.training.augmentation.loader import Augmented, Crops, recipe_of
from wirsung.training.checkpoints import (
    BEST,
    LATEST,
    Place,
    are_weights_finite,
    core_of,
    read_place,
    write_checkpoint,
)
from wirsung.training.history import history_of
from wirsung.training.job import Job
from wirsung.training.lesion_centring import centre_on_lesion
from wirsung.training.loading import BatchLoader, NumberedBatches
from wirsung.training.parallel import agreed, gathered, wrapped
from wirsung.training.presets import Preset
from wirsung.training.progress import TrainingBar
from wirsung.training.randomness import Stream, seed_everything, seed_words
from wirsung.training.stopping import Clock, Reason, Signals, TrainingStopped
from wirsung.training.watching.best import BestSoFar, leading_classes
from wirsung.training.watching.events import Epoch, Step, Watcher
from wirsung.training.workspace import CONFIGURATION

__all__ = ["HISTORY", "Job", "Trainer"]

HISTORY = "history.json"

_LEFT_TO_RIGHT = 2
"""The x axis of (z, y, x)."""
_GO_ON, _SAVE, _OVER, _ASKED = range(4)
"""What the processes of a training agree upon before each batch, the strongest last."""
_LOGGED = (
    "train_losses",
    "val_losses",
    "dice_per_class_or_region",
    "lrs",
    "epoch_start_timestamps",
    "epoch_end_timestamps",
)


class Trainer(NnUNetTrainer):  # type: ignore[misc] # nnU-Net has no types
    """nnU-Net's default trainer for one job."""

    job: Job
    bar: TrainingBar | None = None
    watchers: tuple[Watcher, ...] = ()
    network: Any
    is_ddp: bool
    current_epoch: int
    iteration: int = 0
    """Batches of the current epoch that are learnt."""
    best: BestSoFar
    clock: Clock
    signals: Signals
    _best_ema: float | None
    _losses: list[float]
    """Of those batches."""
    _validated: int = 0
    """Batches of the current epoch's validation."""
    _cases: tuple[str, ...] = ()
    """Of the last batch."""

    @classmethod
    def of(cls, job: Job) -> Self:
        """The trainer for a job; the arguments of nnU-Net's own constructor go into its checkpoints."""
        plans = {**job.plans.content, "continue_training": False}
        with warnings.catch_warnings():  # in several processes it takes a GPU for granted
            warnings.filterwarnings("ignore", ".*GradScaler is enabled, but CUDA is not available")
            trainer = cls(plans, CONFIGURATION, job.fold, dict(job.label_table), job.device)
        if job.device.type != "cuda":
            trainer.device, trainer.grad_scaler = job.device, None
        trainer.job = job
        trainer.best = BestSoFar(leading_classes(job.label_table))
        trainer.clock = Clock(job.deadline_s, job.checkpoint_s)
        trainer.signals = Signals(is_patient=job.gpus > 1)
        trainer._losses = []
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
        # nnU-Net shares a network among GPUs only, so it builds ours as if it were alone.
        is_shared, self.is_ddp = self.is_ddp, False
        super().initialize()
        self.is_ddp = is_shared
        if self.device.type == "cpu" and not self.is_ddp:  # gradients are shared in the plain layout
            self.network.to(memory_format=torch.channels_last_3d)
            self.network.register_forward_pre_hook(_channels_last)
        if self.is_ddp:
            self._set_batch_size_and_oversample()
            self.loss = self._build_loss()
            self.network = wrapped(self.network, self.device)

    def _set_batch_size_and_oversample(self) -> None:
        """nnU-Net's share of the batch; patches that are drawn by chance are so in every process."""
        super()._set_batch_size_and_oversample()
        if self.probabilistic_oversampling:
            self.oversample_foreground_percent = self.job.preset.foreground

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

    def get_dataloaders(self) -> tuple[BatchLoader | Augmented, BatchLoader | Augmented]:
        """nnU-Net's loaders, told which batch to draw."""
        train, validation = (item.data_loader for item in super().get_dataloaders())
        for loader in (train, validation):
            folder = Path(self.preprocessed_dataset_folder)
            centre_on_lesion(loader, self.job.plans, folder, self.local_rank, self.job.gpus)
        return (
            self._numbered(train, Stream.TRAINING, self.job.workers),
            self._numbered(validation, Stream.VALIDATION, (self.job.workers + 1) // 2),
        )

    def _numbered(self, source: Any, stream: Stream, workers: int) -> BatchLoader | Augmented:  # noqa: ANN401
        """Batches by their number, counted over all epochs."""
        wanted = self._wanted_training if stream == Stream.TRAINING else self._wanted_validation
        is_ours = self.job.preset.augmentation == "gpu"
        recipe = recipe_of(self, still=stream == Stream.VALIDATION) if is_ours else None
        drawn = Crops(source, recipe) if recipe else source
        batches = NumberedBatches(drawn, self.job.seed, stream, self.local_rank)
        loader = BatchLoader(batches, wanted, workers, pin=self.device.type == "cuda")
        return Augmented(loader, recipe, self.device) if recipe else loader

    def _wanted_training(self) -> int:
        return self.current_epoch * self.num_iterations_per_epoch + self.iteration

    def _wanted_validation(self) -> int:
        return self.current_epoch * self.num_val_iterations_per_epoch + self._validated

    def run_training(self) -> None:
        """nnU-Net's loop, which may begin, stop and be saved at any batch.

        Raises:
            TrainingStopped: Its hours are over or somebody asked for it; a checkpoint was written.
            WirsungError: The loss is not a number; the last checkpoint is kept.
        """
        self.on_train_start()
        try:
            for watcher in self.watchers:
                watcher.started(self)
            self.clock.saved()
            while self.current_epoch < self.num_epochs:
                self._train_epoch()
                with torch.no_grad():
                    self._validate_epoch()
                with self.clock.timed():
                    self.on_epoch_end()
            self.on_train_end()
        finally:
            self.dataloader_train.close()
            self.dataloader_val.close()

    def _train_epoch(self) -> None:
        self.on_epoch_start()
        self.on_train_epoch_start()
        while self.iteration < self.num_iterations_per_epoch:
            self._pause()
            with self.clock.timed():
                self._losses.append(float(self.train_step(next(self.dataloader_train))["loss"]))
            self.iteration += 1
        self.on_train_epoch_end([{"loss": np.array(loss, np.float32)} for loss in self._losses])

    def _validate_epoch(self) -> None:
        self.on_validation_epoch_start()
        outputs = []
        for number in range(self.num_val_iterations_per_epoch):
            self._validated = number
            self._pause()
            with self.clock.timed():
                outputs.append(self.validation_step(next(self.dataloader_val)))
        self.on_validation_epoch_end(outputs)

    def _pause(self) -> None:
        """Between two batches: stop where it is time to, save where the last checkpoint is old."""
        wish = _ASKED if self.signals.received else _OVER if self.clock.is_over() else _GO_ON
        if wish == _GO_ON and self.clock.is_checkpoint_due():
            wish = _SAVE
        wish = agreed(wish)
        if wish == _GO_ON:
            return
        self._save_here()
        if wish != _SAVE:
            reason: Reason = "interrupted" if wish == _ASKED else "max-hours"
            raise TrainingStopped(reason, self.current_epoch, self.iteration, self.signals.received)

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """nnU-Net's step, counted and told.

        Raises:
            WirsungError: The loss is not a number.
        """
        number = self._wanted_training()
        seed_everything(seed_words(self.job.seed, Stream.LEARNING, number, self.local_rank))
        started = perf_counter()
        outcome: dict[str, Any] = super().train_step(batch)
        loss = float(outcome["loss"])
        self._cases = tuple(str(case) for case in batch.get("keys", ()))
        if not math.isfinite(loss):
            raise self._lost(of="the loss")
        if self.bar is not None:
            self.bar.batch()
        rate = float(self.optimizer.param_groups[0]["lr"])
        taken = perf_counter() - started
        for watcher in self.watchers:
            watcher.step(Step(self.current_epoch, self.iteration, loss, rate, taken, self._cases))
        return outcome

    def _lost(self, of: str) -> WirsungError:
        """The error of a training that left the numbers."""
        where = f"epoch {self.current_epoch + 1}, batch {self.iteration + 1}"
        kept = (self.job.folder / LATEST).is_file()
        msg = (
            f"Fold {self.job.fold}: {of} is not a number any more in {where} "
            f"(cases {', '.join(self._cases) or 'unknown'}). "
            f"{'The last good checkpoint is kept. ' if kept else ''}"
            "Look at those cases with wirsung check, or train anew with a lower --learning-rate."
        )
        return WirsungError(msg)

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """nnU-Net's pseudo-Dice, quiet about the classes that no validation patch happened to hold."""
        with np.errstate(invalid="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
            super().on_validation_epoch_end(val_outputs)

    def on_epoch_end(self) -> None:
        """Checkpoints and numbers as nnU-Net's, without its prints and its plot of every epoch."""
        self.logger.log("epoch_end_timestamps", time(), self.current_epoch)
        event = self._event()
        dice = float(self.logger.get_value("mean_fg_dice", step=-1))
        self.print_to_log_file(f"epoch {event.epoch} loss {event.loss:.4f} pseudo dice {dice:.4f}")
        self.best = self.best.updated(event)
        for watcher in self.watchers:
            watcher.epoch(self, event)
        if self.job.preset.keep_best and self.best.improved and self.best.best is not None:
            self._best_ema = self.best.best.score
            self.save_checkpoint(str(self.job.folder / BEST))
        self.current_epoch += 1
        self.iteration, self._losses, self._validated = 0, [], 0
        if self.current_epoch % self.save_every == 0 and self.current_epoch < self.num_epochs:
            self._save_here()
        if self.bar is not None:
            self.bar.epoch(self.current_epoch, event.loss, dice)

    def _event(self) -> Epoch:
        """What watchers are told of the epoch."""
        named = sorted((int(value), name) for name, value in self.job.label_table["labels"].items())[1:]
        last = {key: self.logger.get_value(key, step=-1) for key in _LOGGED}
        return Epoch(
            self.current_epoch,
            float(last["train_losses"]),
            float(last["val_losses"]),
            {
                name: float(dice)
                for (_, name), dice in zip(named, last["dice_per_class_or_region"], strict=True)
            },
            float(last["lrs"]),
            float(last["epoch_end_timestamps"] - last["epoch_start_timestamps"]),
        )

    def save_checkpoint(self, filename: str) -> None:
        """nnU-Net's checkpoint of the end of the current epoch, whole or not at all."""
        self._save(Path(filename), Place(self.current_epoch + 1, 0, (), self.best))

    def _save_here(self) -> None:
        """The checkpoint that a later call goes on from."""
        with self.clock.timed():
            losses = gathered(self._losses)
            self._save(self.job.folder / LATEST, Place(self.current_epoch, self.iteration, losses, self.best))
        self.clock.saved()

    def _save(self, path: Path, place: Place) -> None:
        if self.local_rank != 0 or self.disable_checkpointing:
            return
        if not are_weights_finite(self.network_core):
            raise self._lost(of="a weight")
        finished = {key: values[: place.epoch] for key, values in self.logger.get_checkpoint().items()}
        content = {
            "network_weights": self.network_core.state_dict(),
            "optimizer_state": self.optimizer.state_dict(),
            "grad_scaler_state": self.grad_scaler.state_dict() if self.grad_scaler is not None else None,
            "logging": finished,
            "_best_ema": self._best_ema,
            "init_args": self.my_init_kwargs,
            "trainer_name": type(self).__name__,
            "inference_allowed_mirroring_axes": self.inference_allowed_mirroring_axes,
        }
        write_checkpoint(path, content, place)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            CheckpointError: It is damaged.
        """
        content, place = read_place(path, self.device, self.best.leading)
        self.network_core.load_state_dict(content["network_weights"])
        self.optimizer.load_state_dict(content["optimizer_state"])
        if self.grad_scaler is not None and content["grad_scaler_state"] is not None:
            self.grad_scaler.load_state_dict(content["grad_scaler_state"])
        self.logger.load_checkpoint(content["logging"])
        self._best_ema = content["_best_ema"]
        self.best = place.best
        self.current_epoch, self.iteration = place.epoch, place.iteration
        self._losses = place.losses_of(self.local_rank)

    @property
    def network_core(self) -> torch.nn.Module:
        """The network without what compiling and sharing put around it."""
        return core_of(self.network)

    def write_history(self) -> None:
        """The course of the training as `history.json`."""
        write_json(self.job.folder / HISTORY, history_of(self.logger, self.best))


# nnU-Net finds the trainer of a checkpoint by this name, and must find its own.
Trainer.__name__ = "nnUNetTrainer"


def _channels_last(_: torch.nn.Module, inputs: Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    return tuple(item.contiguous(memory_format=torch.channels_last_3d) for item in inputs)
