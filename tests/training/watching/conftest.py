"""A training of a few seconds that is looked on at."""

import json
from dataclasses import replace

import pytest
import torch

from wirsung.datasets.splits import Fold
from wirsung.models.plans import parse_plans
from wirsung.training.job import Job
from wirsung.training.presets import PRESETS
from wirsung.training.run import train
from wirsung.training.settings import TrainSettings

EPOCHS, ITERATIONS = 3, 2
SIZE = {"patch": (16, 16, 16), "features": (4, 8)}


@pytest.fixture(scope="module")
def job(shared_dataset, tmp_path_factory):
    """A training that nobody did yet, of cases that are preprocessed."""
    out = tmp_path_factory.mktemp("job") / "model"
    settings = TrainSettings(
        shared_dataset, out, scheme="demo-7", preset="demo", device="cpu", epochs=1, iterations=1, **SIZE
    )
    train(replace(settings, workers=1))
    plans = parse_plans(json.loads((out / "plans.json").read_text()))
    table = json.loads((out / "dataset.json").read_text())
    preset = replace(
        PRESETS["demo"],
        epochs=EPOCHS,
        iterations=ITERATIONS,
        validation_iterations=1,
        picture_every=1,
        **SIZE,
    )
    fold = Fold(("p0", "p1"), ("p2", "p3"))
    return Job(plans, table, 0, fold, out / "fold_0", preset, torch.device("cpu"), 0, names_sides=True)
