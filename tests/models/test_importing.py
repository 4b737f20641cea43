"""What lies at a path decides how it is imported."""

import pytest
import torch

from wirsung.errors import CheckpointError
from wirsung.models.importing import import_model, run
from wirsung.models.transfer_settings import ImportSettings


def test_a_model_folder_and_a_checkpoint_of_nnunet_v2_are_told(tmp_path, nnunet_model):
    folder = nnunet_model(folds=(0,))
    assert run(ImportSettings(folder, tmp_path / "a")).configuration == "3d_fullres"
    lone = folder / "fold_0" / "checkpoint_final.pth"
    assert run(ImportSettings(lone, tmp_path / "b")).configuration == "3d_fullres"
    unnamed = lone.rename(tmp_path / "weights")
    assert run(ImportSettings(unnamed, tmp_path / "c")).configuration == "3d_fullres"


def test_settings_reach_the_import(tmp_path, nnunet_model):
    folder = nnunet_model(folds=(0, 1))
    (folder / "fold_1" / "checkpoint_final.pth").rename(folder / "fold_1" / "checkpoint_best.pth")
    made = run(ImportSettings(folder, tmp_path / "out", folds=(1,), checkpoint="best", choose="."))
    assert {fold: item.file for fold, item in made.folds.items()} == {"1": "checkpoint_best.pth"}


def test_a_setting_that_does_not_go_with_what_lies_there_is_refused(tmp_path, nnunet_model):
    folder = nnunet_model(folds=(0,))
    with pytest.raises(CheckpointError, match="--network and --like can't be used with nnU-Net v2"):
        import_model(folder, tmp_path / "out", network="medformer", like=folder)
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "model_best.model").touch()
    with pytest.raises(CheckpointError, match="--folds can't be used with nnU-Net v1"):
        import_model(tmp_path / "v1", tmp_path / "out", folds=[0])
    torch.save({"a": torch.ones(1)}, tmp_path / "bare.pth")
    with pytest.raises(CheckpointError, match="--choose can't be used with bare weights"):
        import_model(tmp_path / "bare.pth", tmp_path / "out", choose="x")


def test_a_v1_checkpoint_without_plans_is_refused_by_name(tmp_path):
    (tmp_path / "model_final_checkpoint.model").write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"model_final_checkpoint.model"):
        import_model(tmp_path / "model_final_checkpoint.model", tmp_path / "out")


@pytest.mark.parametrize("name", ["none", "none.zip", "none.pth"])
def test_a_path_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(CheckpointError, match=f"{name} is not there"):
        import_model(tmp_path / name, tmp_path / "out")
