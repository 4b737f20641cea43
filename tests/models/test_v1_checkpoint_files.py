"""Finding what nnU-Net v1 wrote."""

import pickle
import zipfile

import pytest

from wirsung.errors import CheckpointError
from wirsung.models import v1_checkpoint_files
from wirsung.models.v1_checkpoint_files import check_size, find_checkpoints, fold_of, read_training

STAGE = {
    "batch_size": 2,
    "patch_size": [8, 8, 8],
    "median_patient_size_in_voxels": [9, 9, 9],
    "current_spacing": [1.0, 1.0, 1.0],
    "pool_op_kernel_sizes": [[2, 2, 2]],
    "conv_kernel_sizes": [[3, 3, 3]] * 2,
}
PLANS = {
    "num_modalities": 1,
    "modalities": {0: "T1"},
    "normalization_schemes": {0: "nonCT"},
    "dataset_properties": {},
    "num_classes": 1,
    "all_classes": [1],
    "base_num_features": 4,
    "use_mask_for_norm": {0: False},
    "transpose_forward": [0, 1, 2],
    "transpose_backward": [0, 1, 2],
    "plans_per_stage": {0: STAGE, 1: STAGE},
}
FINAL = "model_final_checkpoint.model"


def _touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def _info(checkpoint, **changes):
    info = {"init": ("p", 3, "o", "d", True, 0), "name": "nnUNetTrainerV2", "plans": PLANS, **changes}
    checkpoint.with_name(checkpoint.name + ".pkl").write_bytes(pickle.dumps(info))
    return checkpoint


def test_the_final_checkpoint_of_each_fold_is_found(tmp_path):
    for name in (
        "fold_0/model_best.model",
        f"fold_0/{FINAL}",
        "fold_1/model_best.model",
        "all/model_latest.model",
    ):
        _touch(tmp_path / name)
    _touch(tmp_path / "other/model_best.model")
    found = [str(path.relative_to(tmp_path)) for path in find_checkpoints(tmp_path)]
    assert found == ["all/model_latest.model", f"fold_0/{FINAL}", "fold_1/model_best.model"]
    assert find_checkpoints(tmp_path / "fold_0") == (tmp_path / "fold_0" / FINAL,)
    assert find_checkpoints(tmp_path / "other/model_best.model") == (tmp_path / "other/model_best.model",)


def test_the_only_training_below_is_found_and_of_several_one_must_be_named(tmp_path):
    run = tmp_path / "results/3d_fullres/Task110/trainer__plans"
    model = _touch(run / f"fold_0/{FINAL}")
    assert find_checkpoints(tmp_path) == (model,)
    for number in range(5):
        _touch(tmp_path / f"results/2d/Task{number}/trainer__plans/fold_0/model_best.model")
    with pytest.raises(
        CheckpointError, match=r"holds 6 trainings.*Task0/trainer__plans.* and 2 more\. Name one"
    ):
        find_checkpoints(tmp_path)


def test_plans_stand_for_what_they_lie_beside(tmp_path):
    model = _info(_touch(tmp_path / f"fold_0/{FINAL}"))
    assert find_checkpoints(model.with_name(f"{FINAL}.pkl")) == (model,)
    _touch(tmp_path / "plans.pkl")
    assert find_checkpoints(tmp_path / "plans.pkl") == (model,)


def test_a_folder_without_a_checkpoint_is_said_so(tmp_path):
    with pytest.raises(CheckpointError, match="holds no checkpoint of nnU-Net v1"):
        find_checkpoints(tmp_path)


def test_what_lies_beside_the_checkpoint_says_fold_stage_and_task(tmp_path):
    init = ("/r/Task007_Pancreas/plans.pkl", 3, "o", "d", True, 0)
    made = read_training(_info(_touch(tmp_path / FINAL), init=init))
    assert (made.trainer, made.fold, made.stage) == ("nnUNetTrainerV2", "3", 0)
    assert made.dataset == "Dataset007_Pancreas"
    assert len(made.plans.stages) == 2


def test_without_a_stage_it_is_the_finest_and_without_a_fold_that_of_the_folder(tmp_path):
    made = read_training(_info(_touch(tmp_path / "fold_4" / FINAL), init=("p", None)))
    assert (made.stage, made.fold, made.dataset) == (1, "4", "Dataset000_Imported")
    assert read_training(_info(_touch(tmp_path / FINAL), init=("p", "all"))).fold == "all"
    assert fold_of(tmp_path / "all" / FINAL) == "all"


@pytest.mark.parametrize("place", [".", ".."])
def test_plans_may_lie_in_the_folder_or_above(tmp_path, place):
    checkpoint = _touch(tmp_path / "run/fold_2" / FINAL)
    (checkpoint.parent / place / "plans.pkl").write_bytes(pickle.dumps(PLANS))
    made = read_training(checkpoint)
    assert (made.trainer, made.fold, made.stage) == ("", "2", 1)


def test_missing_or_foreign_plans_are_said_so(tmp_path):
    checkpoint = _touch(tmp_path / "run" / FINAL)
    with pytest.raises(CheckpointError, match=rf"lacks its plans.*{FINAL}\.pkl beside it"):
        read_training(checkpoint)
    own = checkpoint.with_name(checkpoint.name + ".pkl")
    own.write_bytes(pickle.dumps({"plans": PLANS}))
    with pytest.raises(CheckpointError, match="does not say how the network was trained"):
        read_training(checkpoint)
    with pytest.raises(CheckpointError, match="names a stage that its plans lack; they have 2"):
        read_training(_info(checkpoint, init=("p", 0, "o", "d", True, 5)))


def test_a_checkpoint_that_unpacks_to_more_than_its_size_is_refused(tmp_path, monkeypatch):
    path = tmp_path / FINAL
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 1000)
    check_size(path)
    monkeypatch.setattr(v1_checkpoint_files, "MOST_BYTES", 500)
    with pytest.raises(CheckpointError, match="at most 500"):
        check_size(path)
    monkeypatch.undo()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10**6)
    with pytest.raises(CheckpointError, match="1000000 unpacked"):
        check_size(path)
