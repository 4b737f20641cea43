"""The keys of a training."""

from dataclasses import replace
from pathlib import Path

from wirsung.datasets.splits import Fold
from wirsung.training.record import fold_key, plan_key
from wirsung.training.settings import TrainSettings

SETTINGS = TrainSettings(Path("d"), Path("m"), preset="demo")
FOLD = Fold(("a",), ("b",))


def test_a_fold_key_changes_with_what_changes_the_weights():
    first = fold_key(SETTINGS, "plans", FOLD)
    others = [
        fold_key(replace(SETTINGS, seed=1), "plans", FOLD),
        fold_key(replace(SETTINGS, epochs=3), "plans", FOLD),
        fold_key(SETTINGS, "other", FOLD),
        fold_key(SETTINGS, "plans", Fold(("a", "c"), ("b",))),
    ]
    assert len({first, *others}) == 5


def test_a_fold_key_does_not_change_with_folders_workers_and_checkpoints():
    other = replace(SETTINGS, out=Path("x"), workers=7, checkpoint_every=9, device="cpu")
    assert fold_key(other, "plans", FOLD) == fold_key(SETTINGS, "plans", FOLD)


def test_a_plan_key_changes_with_network_and_classes():
    keys = {
        plan_key(SETTINGS, (), {"background": 0}),
        plan_key(SETTINGS, (), {"background": 0, "liver": 1}),
        plan_key(replace(SETTINGS, network="resenc-m"), (), {"background": 0}),
    }
    assert len(keys) == 3


def test_another_patch_is_another_plan_and_another_training():
    other = replace(SETTINGS, patch=(16, 16, 16))
    assert plan_key(other, (), {"background": 0}) != plan_key(SETTINGS, (), {"background": 0})
    assert fold_key(other, "plans", FOLD) != fold_key(SETTINGS, "plans", FOLD)


def test_pictures_gpus_and_times_are_no_other_training_and_the_new_settings_are():
    same = replace(SETTINGS, picture_every=3, gpus=2, checkpoint_minutes=1.0, max_hours=1.0)
    assert fold_key(same, "plans", FOLD) == fold_key(SETTINGS, "plans", FOLD)
    others = [{"augmentation": "gpu"}, {"learning_rate": 0.5}, {"batch_size": 3}, {"features": (4, 8)}]
    keys = {fold_key(replace(SETTINGS, **other), "plans", FOLD) for other in others}
    assert len(keys | {fold_key(SETTINGS, "plans", FOLD)}) == 5
    assert plan_key(replace(SETTINGS, batch_size=3), (), {}) != plan_key(SETTINGS, (), {})
    assert plan_key(replace(SETTINGS, features=(4, 8)), (), {}) != plan_key(SETTINGS, (), {})


def test_keys_of_models_trained_before_still_stand():
    """As version 0.1 wrote them for these settings; another key would train every model anew."""
    assert plan_key(SETTINGS, (), {"background": 0}).startswith("cbcab22456c7")
    assert fold_key(SETTINGS, "plans", FOLD).startswith("efe852082f1c")


def test_an_own_scheme_is_what_its_file_says_wherever_it_lies(tmp_path):
    text = 'schema = 1\nname = "own"\nclasses = [{ value = 1, name = "gland", structures = ["pancreas"] }]\n'
    (tmp_path / "other").mkdir()
    first, moved = tmp_path / "own.toml", tmp_path / "other" / "mine.toml"
    first.write_text(text)
    moved.write_text(text)
    key = plan_key(replace(SETTINGS, scheme=str(first)), (), {})
    assert plan_key(replace(SETTINGS, scheme=str(moved)), (), {}) == key
    moved.write_text(text.replace("pancreas", "liver"))
    assert plan_key(replace(SETTINGS, scheme=str(moved)), (), {}) != key
