"""nnU-Net's own command line, `nnUNetv2_train`, with its own trainer but for the seed, no option there.

Nothing of the trainer is changed but where the random numbers start and how long it trains and validates; its
last validation, of whole cases, is left out, as no loss of a step comes from it. The seeded trainer takes the
place of nnU-Net's in its module: under a name of its own it would be looked up by importing every trainer
there is, and some need a torchvision that fits torch.

    python benchmarks/seeded_nnunet.py DATASET CONFIGURATION FOLD -device cpu
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from nnunetv2.run.run_training import run_training_entry
from nnunetv2.training.nnUNetTrainer import nnUNetTrainer as module  # noqa: N813 - a module

from wirsung.training.randomness import Stream, seed_everything, seed_words

SEED = int(os.environ.get("PARITY_SEED", "0"))
EPOCHS, ITERATIONS = 2, 10


class SeededTrainer(module.nnUNetTrainer):  # type: ignore[misc] # nnU-Net has no types
    """Draws what our driver draws."""

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device,
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs, self.num_iterations_per_epoch = EPOCHS, ITERATIONS
        self.num_val_iterations_per_epoch = 2
        self._losses: list[float] = []

    def initialize(self) -> None:
        """Seed the weights."""
        torch.manual_seed(SEED)
        super().initialize()

    def on_train_epoch_start(self) -> None:
        """Seed the epoch's first batch."""
        super().on_train_epoch_start()
        self._seed()

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Learn, write the loss down, and seed the next batch."""
        outcome: dict[str, Any] = super().train_step(batch)
        self._losses.append(float(outcome["loss"]))
        Path(os.environ["PARITY_LOSSES"]).write_text(json.dumps(self._losses), encoding="utf-8")
        self._seed()
        return outcome

    def perform_actual_validation(self, save_probabilities: bool = False) -> None:
        """Nothing."""

    def _seed(self) -> None:
        seed_everything(seed_words(SEED, Stream.TRAINING, len(self._losses)))


if __name__ == "__main__":
    module.nnUNetTrainer = SeededTrainer
    run_training_entry()
