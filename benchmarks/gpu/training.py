"""pansegnet-2 against nnunet on one GPU: phantoms of `small` size, as many minutes each, held-out Dice.

Both are trained by `wirsung train` on the same cases with nnU-Net's planning and schedule, the learning
rate falling to 0 within the minutes: a first short training tells how long a step takes, loading included.
Then the patients of a centre that neither has seen are predicted and scored. Without a GPU it says so and
ends with status 0.

    .venv/bin/python benchmarks/gpu/training.py         about eight minutes with 16 cores
    .venv/bin/python benchmarks/gpu/training.py --device cpu --tiny     (no record)
"""

import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

import pyarrow.parquet as pq
from asking import asked, ended

from wirsung.cli import main as wirsung
from wirsung.errors import WirsungError
from wirsung.training.watching.events import Step
from wirsung.training.watching.journal import JOURNAL_FILE, read_journal

NETWORKS = ("nnunet", "pansegnet-2")
EPOCHS = 8
"""How often the learning rate falls."""
FIRST_STEPS = 24
SHARE_OF_VALIDATION = 0.15
"""Of the time, about: 50 batches without a gradient after each epoch."""


def main() -> None:
    """Measure and record."""
    found = asked(__doc__, minutes={"type": float, "default": 2.0}, cases={"type": int, "default": 16})
    size, cases, minutes = ("tiny", 6, 0.02) if found.tiny else ("small", found.cases, found.minutes)
    with tempfile.TemporaryDirectory() as folder:
        dataset = prepared_dataset(Path(folder), size, cases)
        arms = {name: arm(Path(folder), dataset, name, minutes, found) for name in NETWORKS}
    scores = {name: made["dsc"]["mean"] for name, made in arms.items()}
    figures = {"size": size, "cases": cases, "minutes": minutes, **arms}
    ended(
        "training",
        {**figures, "pansegnet-2 - nnunet": round(scores[NETWORKS[1]] - scores[NETWORKS[0]], 4)},
        found,
    )


def prepared_dataset(folder: Path, size: str, cases: int) -> Path:
    """Phantoms of two centres to learn from and a third to be tested on."""
    raw, dataset = folder / "raw", folder / "dataset"
    workers = ("--workers", str(len(os.sched_getaffinity(0))))
    run("phantom", raw, "--cases", cases, "--preset", size, "--centres", 3, *workers)
    run("curate", raw, dataset, *workers)
    run("split", dataset, "--test-centre", "centre-3", "--folds", 2)
    return dataset


def arm(folder: Path, dataset: Path, network: str, minutes: float, found: Any) -> dict[str, Any]:  # noqa: ANN401
    """Train one network for so long and score it on the held-out centre."""
    model, predictions, scores = (folder / f"{network}-{name}" for name in ("model", "labels", "scores"))
    options = ["--network", network, "--scheme", "demo-7", "--fold", "all", "--device", found.device.type]
    options += ["--preset", "demo" if found.tiny else "default", "--augmentation", "gpu"]
    options += ["--features", 4, 8] if found.tiny else []
    run("train", dataset, model, *options, "--epochs", 1, "--iterations", 4 if found.tiny else FIRST_STEPS)
    steps = steps_of(model)
    step_s = median(later - earlier for earlier, later in pairwise(steps[1:]))
    share = 1 - SHARE_OF_VALIDATION
    epochs = 2 if found.tiny else EPOCHS
    iterations = max(2, round(60 * minutes * share / step_s / epochs))
    started = time.perf_counter()
    run("train", dataset, model, *options, "--epochs", epochs, "--iterations", iterations)
    trained_s = time.perf_counter() - started
    run("predict", dataset, predictions, "--model", model, "--split", "test", "--device", found.device.type)
    run("evaluate", dataset, predictions, "--out", scores)
    return {
        "step_s": round(step_s, 4),
        "steps": epochs * iterations,
        "trained_s": round(trained_s, 1),
        "dsc": dice_of(scores),
    }


def steps_of(model: Path) -> list[float]:
    """When each step ended, in seconds."""
    journal = read_journal(model / "fold_all" / JOURNAL_FILE)
    return [entry.time_s for entry in journal if isinstance(entry.event, Step)]


def dice_of(scores: Path) -> dict[str, float]:
    """Mean Dice of each structure over the held-out cases, and of all structures."""
    rows = pq.read_table(scores / "scores.parquet").to_pylist()
    by_structure: dict[str, list[float]] = {}
    for row in rows:
        if row["metric"] == "dsc" and row["value"] is not None and row["value"] == row["value"]:
            by_structure.setdefault(row["structure"], []).append(row["value"])
    made = {name: round(mean(values), 4) for name, values in by_structure.items()}
    return {**made, "mean": round(mean(made.values()), 4)}


def run(verb: str, *arguments: object) -> None:
    """As typed after `wirsung`."""
    status = wirsung([verb, *map(str, arguments)])
    sys.stdout.flush()
    if status:
        msg = f"wirsung {verb} ended with status {status}; what it said stands above"
        raise WirsungError(msg)


if __name__ == "__main__":
    main()
