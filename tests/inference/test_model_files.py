"""Where models are found: folders, folders of several, zips; and which weights are taken."""

import shutil
import zipfile

import numpy as np
import pytest
import torch
from tests.inference import nnunets

from wirsung.errors import CheckpointError
from wirsung.inference.model_files import fold_weights, opened_model, previous_folder
from wirsung.inference.predictor import How, Predictor


@pytest.fixture
def theirs(tmp_path, network):
    """A results folder of nnU-Net's with two models."""
    for name in ("3d_fullres", "3d_other"):
        content = nnunets.plans_with()
        content["configurations"]["3d_other"] = {"inherits_from": "3d_fullres"}
        folder = tmp_path / "results" / f"nnUNetTrainer__nnUNetPlans__{name}"
        nnunets.write_model(folder, content, name, nnunets.PLAIN, [network])
    return tmp_path / "results"


def _zipped(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, f"Dataset001/{file.relative_to(folder)}")
    return path


def test_a_zip_predicts_as_the_folder_that_it_was_made_of(theirs, tmp_path, make_scan):
    volume, _ = make_scan((20, 18, 16))
    path = _zipped(theirs, tmp_path / "model.zip")
    with pytest.raises(CheckpointError, match=r"model.zip holds 2 models"):
        Predictor.load(path, device="cpu")
    first, second = (
        Predictor.load(place, how=How("cpu", choose="fullres")).predict(volume) for place in (theirs, path)
    )
    np.testing.assert_array_equal(first.label_map.voxels, second.label_map.voxels)


def test_messages_name_the_zip_and_not_where_it_was_unpacked(theirs, tmp_path):
    shutil.rmtree(theirs / "nnUNetTrainer__nnUNetPlans__3d_other")
    file = theirs / "nnUNetTrainer__nnUNetPlans__3d_fullres" / "fold_0" / "checkpoint_final.pth"
    file.write_bytes(file.read_bytes()[:1000])
    path = _zipped(theirs, tmp_path / "model.zip")
    with pytest.raises(CheckpointError, match=r"model\.zip/Dataset001/.*checkpoint_final.pth is damaged"):
        Predictor.load(path, device="cpu")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cut or damaged, or no zip"), opened_model(path):
        pass


def test_the_best_checkpoint_is_another_file(theirs, network):
    model = theirs / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    with pytest.raises(CheckpointError, match="has no finished fold"):
        fold_weights(model, None, "best")
    with pytest.raises(CheckpointError, match=r"fold_0 has no checkpoint_best.pth. Leave --checkpoint out"):
        fold_weights(model, [0], "best")
    content = torch.load(model / "fold_0" / "checkpoint_final.pth", weights_only=False)
    content["network_weights"] = {name: value * 2 for name, value in network.state_dict().items()}
    torch.save(content, model / "fold_0" / "checkpoint_best.pth")
    final, best = fold_weights(model, None)[0], fold_weights(model, None, "best")[0]
    name = next(iter(final.state))
    assert torch.equal(best.state[name], final.state[name] * 2)


def test_folds_of_different_configurations_are_refused(theirs):
    model = theirs / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    shutil.copytree(theirs / "nnUNetTrainer__nnUNetPlans__3d_other" / "fold_0", model / "fold_1")
    with pytest.raises(CheckpointError, match="of different configurations"):
        fold_weights(model, None)


def test_the_first_stage_of_a_cascade_is_beside_or_named(theirs, tmp_path):
    second = theirs / "nnUNetTrainer__nnUNetPlans__3d_other"
    first = theirs / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    assert previous_folder(second, "3d_other", "3d_fullres", None) == first
    assert previous_folder(second, "3d_other", "3d_fullres", tmp_path) == tmp_path
    with pytest.raises(CheckpointError, match=r"needs the model 3d_lowres.*--previous-stage"):
        previous_folder(second, "3d_other", "3d_lowres", None)


def test_a_first_stage_of_another_configuration_is_refused(tmp_path, network):
    content = nnunets.plans_with(cascade=True)
    wide = nnunets.trained_network(content, "3d_cascade_fullres", nnunets.PLAIN, steps=1)
    model = nnunets.write_model(tmp_path / "m", content, "3d_cascade_fullres", nnunets.PLAIN, [wide])
    other = nnunets.write_model(tmp_path / "o", content, "3d_fullres", nnunets.PLAIN, [network])
    with pytest.raises(CheckpointError, match="is 3d_fullres, but the cascade follows 3d_lowres"):
        Predictor.load(model, how=How("cpu", previous_stage=other))
