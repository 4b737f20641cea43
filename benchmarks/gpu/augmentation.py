"""A training step with nnU-Net's augmentation by CPU processes against ours on the GPU, as many processes.

nnU-Net's own trainer and loader against `--augmentation gpu`: the same network, cases of 28 structures, patch
and batch. The floor is the step on a batch that lies ready. Without a GPU it says so and ends with status 0.

    .venv/bin/python benchmarks/gpu/augmentation.py     about six minutes
    .venv/bin/python benchmarks/gpu/augmentation.py --device cpu --tiny    (no record)
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from asking import asked, ended, synchronise
from prepared import Setting, nnunets_environment, nnunets_trainer, our_trainer, write_cases
from stepping import step_s

from wirsung.training.augmentation.batched import BatchedAugmentation
from wirsung.training.augmentation.loader import recipe_of
from wirsung.training.workspace import silence

LIMIT_S = 400
"""No further count of processes is begun after this."""


def main() -> None:
    """Measure and record."""
    found = asked(__doc__, steps={"type": int, "default": 80})
    torch.manual_seed(0)
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        size, features = ((32,) * 3, (4, 16)) if found.tiny else ((128,) * 3, (32, 320))
        cases = 64 if found.tiny else 280
        setting = Setting(Path(folder), size, 2, 28, cases, found.device, features)
        write_cases(setting)
        steps = 4 if found.tiny else found.steps
        workers = (1,) if found.tiny else tuple(count for count in (16, 8, 4) if count <= cores)
        figures = measured(setting, workers, steps)
    ended("augmentation", {"cores": cores, "patch": setting.patch[0], "batch": 2, **figures}, found)


def measured(setting: Setting, workers: tuple[int, ...], steps: int) -> dict[str, Any]:
    """The floor, our transforms alone, and both whole steps by processes."""
    begun = time.perf_counter()
    with nnunets_environment(setting, 0), silence():
        floor_s = step_s(nnunets_trainer(setting), setting)
    figures: dict[str, Any] = {
        "step on a batch that lies ready, s": round(floor_s, 4),
        "our transforms of a batch, s": round(transforms_s(setting, 4 * steps), 4),
    }
    for count in workers:
        if time.perf_counter() - begun > LIMIT_S:
            figures[f"{count} processes"] = "not run: the time was up"
            continue
        theirs_s, ours_s = nnunets_step_s(setting, count, steps), our_step_s(setting, count, steps)
        figures[f"{count} processes"] = {
            "nnunet_s": round(theirs_s, 4),
            "ours_s": round(ours_s, 4),
            "nnunet / ours": round(theirs_s / ours_s, 2),
        }
    return figures


def transforms_s(setting: Setting, count: int) -> float:
    """Mean seconds of augmenting whole enlarged crops that lie on the device."""
    with nnunets_environment(setting, 0), silence():
        recipe = recipe_of(our_trainer(setting), still=False)
    images = torch.randn(setting.batch, 1, *recipe.enlarged, device=setting.device)
    shape = (setting.batch, 1, *(size // 8 + 1 for size in recipe.enlarged))
    rough = torch.randint(0, 29, shape, device=setting.device).float()
    labels = torch.nn.functional.interpolate(rough, recipe.enlarged, mode="nearest").to(torch.int16)
    augmentation, generator = BatchedAugmentation(recipe), torch.Generator().manual_seed(0)
    return timed(lambda: augmentation(images, labels, generator), count, setting.device)


def nnunets_step_s(setting: Setting, workers: int, steps: int) -> float:
    """Mean seconds a step, the batches made by nnU-Net's processes."""
    with nnunets_environment(setting, workers), silence():
        trainer = nnunets_trainer(setting)
        loader, validation = trainer.get_dataloaders()
        taken = timed(lambda: trainer.train_step(next(loader)), steps, setting.device)
        for item in (loader, validation):
            item._finish()
    return taken


def our_step_s(setting: Setting, workers: int, steps: int) -> float:
    """Mean seconds a step, the crops read by as many processes."""

    def step() -> None:
        trainer.train_step(next(loader))
        trainer.iteration += 1

    with nnunets_environment(setting, 0), silence():
        trainer = our_trainer(setting, workers=workers)
        loader, _ = trainer.get_dataloaders()
        taken = timed(step, steps, setting.device)
        loader.close()
    return taken


def timed(run: Callable[[], object], steps: int, device: torch.device) -> float:
    """Mean seconds, after as many runs again, so that nothing that was made ahead is counted."""
    taken = []
    for turn in range(2 * steps):
        synchronise(device)
        started = time.perf_counter()
        run()
        synchronise(device)
        taken += [time.perf_counter() - started] if turn >= steps else []
    return mean(taken)


if __name__ == "__main__":
    main()
