"""The settings of training."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from wirsung.errors import ConfigError
from wirsung.models.networks import catalog
from wirsung.training.settings import Network, TrainSettings


@pytest.mark.parametrize(
    "name",
    [
        "epochs",
        "iterations",
        "batch_size",
        "checkpoint_every",
        "picture_every",
        "gpus",
        "workers",
    ],
)
def test_counts_start_at_one(name):
    with pytest.raises(ConfigError, match=f"{name} is 0"):
        TrainSettings(Path("d"), Path("m"), **{name: 0})


def test_folds_are_counted_from_zero():
    with pytest.raises(ConfigError, match="fold is -1"):
        TrainSettings(Path("d"), Path("m"), fold=-1)


@pytest.mark.parametrize("stage", ["training", "inference"])
def test_settings_are_read_without_torch(stage):
    program = (
        f"import sys, wirsung.{stage}.settings; "
        "print([name for name in ('torch', 'nnunetv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("finest_mm", [0.0, -1.0, float("nan"), float("inf")])
def test_a_spacing_that_is_none_is_refused(finest_mm):
    with pytest.raises(ConfigError, match="finest_mm is"):
        TrainSettings(Path("d"), Path("m"), finest_mm=finest_mm)


def test_every_network_of_the_catalog_can_be_named():
    assert set(get_args(Network)) == {*catalog(), "resenc-m", "resenc-l", "resenc-xl"}


def test_a_patch_has_voxels():
    with pytest.raises(ConfigError, match=r"patch is \(0, 8, 8\)"):
        TrainSettings(Path("d"), Path("m"), patch=(0, 8, 8))


def test_the_first_stage_has_no_more_features_than_the_most():
    with pytest.raises(ConfigError, match=r"features is \(64, 32\)"):
        TrainSettings(Path("d"), Path("m"), features=(64, 32))


@pytest.mark.parametrize("name", ["learning_rate", "max_hours"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_rates_and_hours_are_more_than_nothing(name, value):
    with pytest.raises(ConfigError, match=f"{name} is"):
        TrainSettings(Path("d"), Path("m"), **{name: value})


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_checkpoints_are_no_negative_time_apart(value):
    with pytest.raises(ConfigError, match="checkpoint_minutes is"):
        TrainSettings(Path("d"), Path("m"), checkpoint_minutes=value)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_patches_on_the_lesion_are_a_fraction(value):
    with pytest.raises(ConfigError, match="lesion_patches is"):
        TrainSettings(Path("d"), Path("m"), lesion_patches=value)
