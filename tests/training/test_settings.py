"""The settings of training."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from wirsung.errors import ConfigError
from wirsung.models.networks import catalog
from wirsung.training.settings import Network, TrainSettings


@pytest.mark.parametrize("name", ["epochs", "iterations", "checkpoint_every", "workers"])
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
