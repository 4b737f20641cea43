"""The predictor: nnU-Net's answers, in any orientation."""

import json
import shutil

import numpy as np
import pytest
import torch

from wirsung.errors import CheckpointError
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.inference.predictor import Predictor


@pytest.fixture(scope="module")
def predictor(model):
    return Predictor.load(model, device="cpu")


@pytest.mark.parametrize(("spacing", "mirror"), [((1.5, 1.5, 2.0), False), ((1.0, 1.2, 3.1), True)])
def test_the_label_map_is_nnunets(model, network, make_scan, capsys, spacing, mirror):
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    volume, _ = make_scan(spacing=spacing, seed=4)
    turned = reorient(volume, "RPS")
    table = json.loads((model / "dataset.json").read_text())
    manager = PlansManager(json.loads((model / "plans.json").read_text()))
    theirs = nnUNetPredictor(use_mirroring=mirror, device=torch.device("cpu"), allow_tqdm=False)
    theirs.manual_initialization(
        network,
        manager,
        manager.get_configuration("3d_fullres"),
        [network.state_dict()],
        table,
        "nnUNetTrainer",
        (0, 1),
    )
    image = turned.voxels.transpose(2, 1, 0)[None].astype(np.float32)
    expected = theirs.predict_single_npy_array(image, {"spacing": list(spacing[::-1])}, None, None, False)
    ours = Predictor.load(model, device="cpu", mirror=mirror).predict(turned).label_map.voxels
    values = np.array([0, 17, 28])[expected].transpose(2, 1, 0)
    assert len(np.unique(values)) == 3
    assert (ours == values).mean() >= 0.999


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAR", "PIL", "IRA"])
def test_the_answer_does_not_depend_on_the_orientation(predictor, make_scan, codes):
    volume, _ = make_scan()
    expected = predictor(volume)
    other = reorient(volume, codes)
    found = predictor(other)
    np.testing.assert_array_equal(found.affine, other.affine)
    np.testing.assert_array_equal(reorient(found, "RAS").voxels, expected.voxels)


def test_the_network_has_learnt_and_answers_on_the_images_grid(predictor, make_scan):
    volume, labels = make_scan(seed=9)
    made = predictor.predict(volume, lesion_probability=True)
    found = made.label_map.voxels
    np.testing.assert_array_equal(predictor(volume).voxels, found)
    for index, value in ((1, 17), (2, 28)):
        both = ((labels == index) & (found == value)).sum()
        assert 2 * both / ((labels == index).sum() + (found == value).sum()) > 0.7
    np.testing.assert_array_equal(made.label_map.affine, volume.affine)
    assert found.dtype == np.uint8
    probability = made.lesion_probability.voxels
    assert probability.dtype == np.float32
    assert (found[probability > 0.5] == 28).all()
    assert (probability[found == 28] > 1 / 3).all()


def test_folds_are_averaged(model, tmp_path, make_scan):
    shutil.copytree(model, tmp_path / "two")
    shutil.copytree(model / "fold_0", tmp_path / "two" / "fold_1")
    volume, _ = make_scan()
    one, two = Predictor.load(model, device="cpu"), Predictor.load(tmp_path / "two", device="cpu")
    assert len(two.networks) == 2
    assert len(Predictor.load(tmp_path / "two", device="cpu", folds=[1]).networks) == 1
    np.testing.assert_array_equal(one(volume).voxels, two(volume).voxels)


def test_a_folder_of_nnunet_takes_volumes_as_they_lie(model, tmp_path, make_scan):
    shutil.copytree(model, tmp_path / "theirs")
    (tmp_path / "theirs" / "wirsung.json").unlink()
    theirs = Predictor.load(tmp_path / "theirs", device="cpu")
    assert theirs.scheme is None
    assert theirs.orientation is None
    volume, _ = make_scan()
    found = theirs.predict(volume).label_map.voxels
    assert set(np.unique(found)) == {0, 1, 2}


def test_folders_that_are_no_model_are_refused(model, tmp_path):
    with pytest.raises(CheckpointError, match="can't be read"):
        Predictor.load(tmp_path, device="cpu")
    shutil.copytree(model, tmp_path / "bare")
    shutil.rmtree(tmp_path / "bare" / "fold_0")
    with pytest.raises(CheckpointError, match="has no finished fold"):
        Predictor.load(tmp_path / "bare", device="cpu")
    with pytest.raises(CheckpointError, match="has neither"):
        Predictor.load(model, device="cpu", folds=[3])


def test_a_record_that_names_other_classes_is_refused(model, tmp_path):
    shutil.copytree(model, tmp_path / "m")
    record = json.loads((tmp_path / "m" / "wirsung.json").read_text())
    record["classes"].pop()
    (tmp_path / "m" / "wirsung.json").write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match="name different classes"):
        Predictor.load(tmp_path / "m", device="cpu")


def test_a_lesion_probability_of_a_model_without_lesions_is_refused(model, tmp_path, make_scan):
    shutil.copytree(model, tmp_path / "m")
    (tmp_path / "m" / "wirsung.json").unlink()
    table = json.loads((model / "dataset.json").read_text())
    table["labels"] = {"background": 0, "pancreas": 1, "spleen": 2}
    (tmp_path / "m" / "dataset.json").write_text(json.dumps(table))
    predictor = Predictor.load(tmp_path / "m", device="cpu")
    assert not predictor.finds_lesions
    with pytest.raises(CheckpointError, match="has no class pancreatic_lesion"):
        predictor.predict(make_scan()[0], lesion_probability=True)


def test_a_single_slice_can_be_predicted(predictor):
    volume = Volume(np.zeros((8, 9, 1), np.int16), np.eye(4))
    assert predictor.predict(volume).label_map.shape == (8, 9, 1)


def test_on_less_memory_the_labels_are_the_same(predictor, make_scan):
    volume, _ = make_scan()
    stage = predictor.frugal().parts[0].loaded.stage
    assert stage.is_frugal
    assert stage.workers == 1
    made, expected = predictor.frugal().predict(volume).label_map, predictor.predict(volume).label_map
    assert (made.voxels == expected.voxels).mean() >= 0.9999
