"""Finding trained models among files."""

from pathlib import Path, PurePosixPath

import pytest

from wirsung.errors import CheckpointError
from wirsung.models.nnunet_folder import choose_trained, files_below

SOURCE = Path("results")


def _paths(*names):
    return [PurePosixPath(name) for name in names]


def test_folds_are_in_their_order_and_unfinished_ones_are_none():
    files = _paths(
        "plans.json",
        "dataset.json",
        *(f"fold_{fold}/checkpoint_final.pth" for fold in ("10", "2", "all", "0")),
        "fold_x/checkpoint_final.pth",
        "crossval/fold_7/checkpoint_final.pth",
    )
    trained = choose_trained(files, SOURCE, None)
    assert trained.folds() == ("0", "2", "10", "all")
    assert trained.weights_of("10", "final") == PurePosixPath("fold_10/checkpoint_final.pth")
    with pytest.raises(
        CheckpointError, match=r"results: fold 3 has no checkpoint_final.pth\. Leave this fold out"
    ):
        trained.weights_of("3", "final")


def test_safetensors_stand_in_for_a_final_checkpoint_only():
    files = _paths("plans.json", "dataset.json", "fold_0/weights.safetensors")
    trained = choose_trained(files, SOURCE, None)
    assert trained.weights_of("0", "final") == PurePosixPath("fold_0/weights.safetensors")
    with pytest.raises(CheckpointError, match=r"has no checkpoint_best\.pth"):
        trained.weights_of("0", "best")


def test_a_whole_name_is_chosen_although_it_is_part_of_another():
    files = _paths(
        *(f"{root}/{name}" for root in ("a", "ab") for name in ("plans.json", "dataset.json")),
        "a/fold_0/checkpoint_final.pth",
    )
    assert choose_trained(files, SOURCE, "a").name == str(SOURCE / "a")
    assert choose_trained(files, SOURCE, "b").root == PurePosixPath("ab")
    with pytest.raises(CheckpointError, match="results holds 2 models: a, ab"):
        choose_trained(files, SOURCE, None)
    with pytest.raises(CheckpointError, match=r"has no model .c.\. Known are a, ab"):
        choose_trained(files, SOURCE, "c")


def test_the_search_goes_down_to_where_nnunet_keeps_its_results(tmp_path):
    model = tmp_path / "nnUNet_results" / "Dataset001_X" / "nnUNetTrainer__nnUNetPlans__2d"
    (model / "fold_0").mkdir(parents=True)
    for name in ("plans.json", "dataset.json", "fold_0/checkpoint_final.pth", "fold_0/debug.json"):
        (model / name).touch()
    found = files_below(tmp_path)
    assert {path.name for path in found} == {"plans.json", "dataset.json", "checkpoint_final.pth"}
    assert choose_trained(found, tmp_path, None).folds() == ("0",)
