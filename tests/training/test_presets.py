"""The presets."""

from pathlib import Path

from wirsung.training.presets import PRESETS, preset_of
from wirsung.training.settings import TrainSettings


def test_what_is_said_replaces_the_presets_value_and_nothing_else():
    changed = preset_of(TrainSettings(Path("d"), Path("m"), preset="demo", epochs=3, checkpoint_every=1))
    assert (changed.epochs, changed.checkpoint_every) == (3, 1)
    assert changed.iterations == PRESETS["demo"].iterations


def test_the_default_is_nnunets_schedule():

    default = preset_of(TrainSettings(Path("d"), Path("m")))
    assert (default.epochs, default.iterations, default.learning_rate) == (1000, 250, 1e-2)
    assert default.optimiser == "sgd"
    assert default.memory_gb is None
