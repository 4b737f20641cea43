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


def test_batch_features_rate_lesion_and_augmentation_can_be_said():
    said = {"batch_size": 3, "features": (8, 16), "learning_rate": 0.5, "augmentation": "gpu"}
    said["lesion_patches"] = 0.0  # not what the preset says, though it is nothing
    changed = preset_of(TrainSettings(Path("d"), Path("m"), **said, picture_every=7))
    assert {name: getattr(changed, name) for name in said} == said
    assert changed.picture_every == 7
