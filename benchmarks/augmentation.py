"""Augmentation in batches, and reading what was drawn, against nnU-Net's own pipeline in one process.

Promise: where the CPU is the bottleneck, a training step takes at most 1 / 1.5 of the time with nnU-Net's
augmentation. On a machine without a GPU that case is a network that is small beside its patch; the batch
alone is what remains where the network costs the CPU nothing, as on a GPU.

    .venv/bin/python benchmarks/augmentation.py            about 5 minutes on two cores, 4 GB
    .venv/bin/python benchmarks/augmentation.py --small    seconds, to see that it works; records nothing
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent / "gpu"))

from prepared import Setting, nnunets_environment, nnunets_trainer, our_trainer, write_cases
from recording import record

from wirsung.training.augmentation.crops import part
from wirsung.training.augmentation.loader import recipe_of
from wirsung.training.workspace import silence

CPU = torch.device("cpu")
SETTINGS = {
    # Patch, patches a batch, structures, voxels of a case along each axis; batches, steps.
    "128^3, 28 structures": ((128, 128, 128), 2, 28, 280, 20, 8),
    "128^3, 2 structures": ((128, 128, 128), 2, 2, 280, 20, 8),
}
SMALL = {"32^3, 5 structures": ((32, 32, 32), 2, 5, 80, 8, 4)}
NARROW = (2, 8)
"""Features of the small network."""


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="see that it works; record nothing")
    small = parser.parse_args().small
    torch.manual_seed(0)
    figures = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    for name, values in (SMALL if small else SETTINGS).items():
        figures[name] = measured(*values)
    if small:
        print(json.dumps(figures, indent=2))
    else:
        record("augmentation", figures)


def measured(
    patch: tuple[int, int, int], batch: int, structures: int, case_size: int, batches: int, steps: int
) -> dict[str, Any]:
    """Batches on one thread each, then steps with all threads, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(Path(folder), patch, batch, structures, case_size, CPU, NARROW)
        write_cases(setting)
        with nnunets_environment(setting, 0), silence():
            theirs, ours = nnunets_trainer(setting), our_trainer(setting)
            loaders = {"nnunet": theirs.get_dataloaders()[0], "ours": ours.get_dataloaders()[0]}
            ours.iteration = 0
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            loaded = in_turns({name: lambda a=name: draw(loaders[a], ours) for name in loaders}, batches)
            torch.set_num_threads(threads)
            learners = {"nnunet": theirs, "ours": ours}
            stepped = in_turns(
                {name: lambda a=name: learners[a].train_step(draw(loaders[a], ours)) for name in loaders},
                steps,
            )
            crops = read_share(ours, batches * 50)
    return {
        "batch on one thread": compared(loaded),
        "step on all threads": compared(stepped),
        "voxels read / nnU-Net's": crops,
    }


def draw(loader: Any, trainer: Any) -> dict[str, Any]:  # noqa: ANN401
    """The next batch; our loader is asked by number, and so each number once."""
    trainer.iteration += 1
    return next(loader)


def in_turns(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run, one after the other; the first of each is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            taken[name] += [time.perf_counter() - started] if turn else []
    return taken


def compared(taken: dict[str, list[float]]) -> dict[str, Any]:
    """Means, as what is drawn differs from batch to batch, with their standard errors."""
    made = {
        f"{name}_s": [round(mean(seconds), 4), round(stdev(seconds) / len(seconds) ** 0.5, 4)]
        for name, seconds in taken.items()
    }
    return {**made, "nnunet / ours": round(mean(taken["nnunet"]) / mean(taken["ours"]), 2)}


def read_share(trainer: Any, count: int) -> float:  # noqa: ANN401
    """How much of nnU-Net's enlarged crops is read, on average of many draws."""
    from wirsung.training.augmentation.drawing import draw as decide

    recipe = recipe_of(trainer, still=False)
    generator = torch.Generator().manual_seed(0)
    sizes = [part(recipe, decide(recipe, 1, generator)).size for _ in range(count)]
    whole = torch.Size(recipe.enlarged).numel()
    return round(mean(torch.Size(size).numel() for size in sizes) / whole, 3)


if __name__ == "__main__":
    main()
