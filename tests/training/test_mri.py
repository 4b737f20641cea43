"""CT, T1 and T2 learnt by one network, from raw cases to a prediction of each; and a real MR."""

import json

import nibabel
import numpy as np
import pytest

from wirsung.datasets.layout import Dataset
from wirsung.errors import ConfigError
from wirsung.imaging.nifti import read_image
from wirsung.imaging.orientation import reorient
from wirsung.inference.run import predict
from wirsung.inference.settings import PredictSettings
from wirsung.models.folder import modality_of, read_record
from wirsung.models.plans import parse_plans, read_plans
from wirsung.models.preprocessing import preprocess
from wirsung.training.run import train
from wirsung.training.settings import TrainSettings

SMALL = {"scheme": "demo-7", "preset": "demo", "device": "cpu", "epochs": 1, "iterations": 2, "workers": 1}
CASES = ("ct1", "ct2", "t11", "t12", "t21", "t22")


@pytest.fixture(scope="module")
def model(joint_dataset, tmp_path_factory):
    # 4 mm in plane and 5 along the body, as the cases have, so that nothing is resampled.
    settings = TrainSettings(joint_dataset, tmp_path_factory.mktemp("joint") / "model", **SMALL)
    return train(settings).folder


def test_one_model_learns_ct_t1_and_t2(model):
    record = read_record(model)
    assert record.modalities == ("ct", "t1", "t2")
    assert record.folds["0"].train == ("ct1", "t11", "t21")
    assert json.loads((model / "dataset.json").read_text())["channel_names"] == {"0": "CT+T1+T2"}
    assert set(read_plans(model).by_modality) == {"ct", "t1", "t2"}


@pytest.mark.parametrize("case", CASES)
def test_what_the_network_learns_from_is_normalised_by_its_modality(model, joint_dataset, case):
    """Read by nnU-Net's own reader, and computed once more from the image."""
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    folder = next((model / "work" / "preprocessed").rglob(f"{case}.b2nd")).parent
    stored = np.asarray(nnUNetDatasetBlosc2(str(folder)).load_case(case)[0])[0]
    found = Dataset.open(joint_dataset).case(case)
    image = reorient(found.image(), "RPS").voxels.transpose(2, 1, 0).astype(np.float64)
    if found.modality == "ct":
        numbers = read_plans(model).by_modality["ct"].intensity
        clipped = image.clip(numbers.percentile_00_5, numbers.percentile_99_5)
        expected = (clipped - numbers.mean) / numbers.std
    else:
        inner = image[1:-1, 2:-2, 2:-2]
        expected = (inner - inner.mean()) / inner.std()
    np.testing.assert_allclose(stored, expected, atol=1e-3)


def test_it_predicts_a_case_of_each_modality(model, joint_dataset, tmp_path):
    outcomes = predict(PredictSettings(joint_dataset, tmp_path / "out", model=model, device="cpu"))
    assert [(item.case, item.status, item.message) for item in outcomes] == [(c, "done", "") for c in CASES]
    for case in Dataset.open(joint_dataset).cases:
        made = read_image(tmp_path / "out" / f"{case.id}.nii.gz")
        assert made.shape == case.image().shape
        assert set(np.unique(made.voxels)) <= {0, 1, 2, 6}


def test_a_prediction_is_of_the_image_as_its_modality_is_prepared(model, joint_dataset):
    """The same T1 as T1 and as CT is two images to the network."""
    plans, record = read_plans(model), read_record(model)
    case = Dataset.open(joint_dataset).case("t12")
    image = case.image().voxels.transpose(2, 1, 0)[None]
    one, other = (
        preprocess(
            image,
            (5.0, 4.0, 4.0),
            plans,
            plans.configuration("3d_fullres"),
            modality=modality_of(record, name),
        ).image
        for name in (case.modality, "ct")
    )
    assert np.abs(one - other).max() > 0.5


def test_a_model_of_ct_alone_refuses_mri(joint_dataset, shared_dataset, tmp_path):
    only_ct = train(TrainSettings(shared_dataset, tmp_path / "model", **SMALL)).folder
    assert "normalisation_by_modality" not in json.loads((only_ct / "plans.json").read_text())
    record = read_record(only_ct)
    assert record.modality == "ct"
    with pytest.raises(ConfigError, match="of modality t1, but the model learnt ct"):
        modality_of(record, Dataset.open(joint_dataset).case("t11").modality)
    assert read_plans(only_ct).by_modality == {}


def test_a_real_mr_is_normalised_by_its_own_numbers(model, shared_data):
    """Negative values, another axis order and another unit than those of training."""
    path = shared_data / "mr_abdomen" / "mr.nii.gz"
    turned = reorient(read_image(path), "RPS")
    image = turned.voxels.transpose(2, 1, 0)[None]
    content = json.loads((model / "plans.json").read_text())
    x_mm, y_mm, z_mm = turned.spacing_mm
    content["configurations"]["3d_fullres"]["spacing"] = [z_mm, y_mm, x_mm]
    content["normalisation_by_modality"]["t1"]["inside_mask_only"] = False
    plans = parse_plans(content)
    made = preprocess(image, (z_mm, y_mm, x_mm), plans, plans.configuration("3d_fullres"), modality="t1")
    values = np.asanyarray(nibabel.load(path).dataobj).astype(np.float64)
    assert values.min() < 0
    (first, last), *_ = made.placement.box
    kept = image[0][made.placement.slices]
    assert (first, last) == (0, image.shape[1])
    np.testing.assert_allclose(made.image[0], (kept - kept.mean()) / kept.std(), atol=1e-3)
    assert made.image.mean() == pytest.approx(0, abs=1e-4)
    assert made.image.std() == pytest.approx(1, abs=1e-3)
