"""Models for elsewhere, read there by nnU-Net's own code."""

import copy
import json
import zipfile

import numpy as np
import pytest
import torch

from wirsung.errors import CheckpointError, ConfigError
from wirsung.inference.predictor import Predictor
from wirsung.models.exporting import export_model, run
from wirsung.models.folder import ModelClass, Record, read_record, write_record
from wirsung.models.importing_nnunet import import_nnunet
from wirsung.models.networks import entry
from wirsung.models.normalisation import Intensity, way_of
from wirsung.models.plans import parse_plans, read_plans
from wirsung.models.transfer_settings import ExportSettings
from wirsung.models.weights import load_weights, read_checkpoint
from wirsung.training.workspace import silence

RECORD = Record(
    scheme="pants-2",
    classes=(ModelClass(1, 1, "pancreas"), ModelClass(2, 2, "pancreatic_lesion")),
    orientation="RPS",
    modality="ct",
    network="nnunet",
    preset="demo",
    plan_key="key",
)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def ours(tmp_path, nnunet_model):
    """A model folder of ours: safetensors and a record, no checkpoint."""
    import_nnunet(nnunet_model(), tmp_path / "ours")
    write_record(tmp_path / "ours", RECORD)
    return tmp_path / "ours"


def _nnunets_predictor(folder, folds=(0,)):
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    with silence():
        predictor = nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
        predictor.initialize_from_trained_model_folder(str(folder), folds, "checkpoint_final.pth")
    return predictor


def test_ours_to_nnunet_and_back_are_the_same_weights(tmp_path, ours):
    made = export_model(ours, tmp_path / "theirs")
    import_nnunet(tmp_path / "theirs", tmp_path / "back")
    for fold in (0, 1):
        first, second = (load_weights(folder / f"fold_{fold}") for folder in (ours, tmp_path / "back"))
        assert first.sha256 == second.sha256 == made.folds[str(fold)]
        assert all(torch.equal(first.state[name], second.state[name]) for name in first.state)
        assert (first.mirror_axes, first.configuration) == (second.mirror_axes, second.configuration)
    assert read_record(tmp_path / "back") == RECORD
    for name in ("plans.json", "dataset.json"):
        assert json.loads((tmp_path / "back" / name).read_text()) == json.loads((ours / name).read_text())


def test_nnunets_predictor_gives_the_same_logits(tmp_path, ours):
    """One tile: nnU-Net sums tiles in half precision, so that more of them hide the network's own answer."""
    export_model(ours, tmp_path / "theirs")
    image = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    for folds in ([0], [1], [0, 1]):
        predictor = _nnunets_predictor(tmp_path / "theirs", folds)
        with torch.inference_mode():
            answers = []
            for parameters in predictor.list_of_parameters:
                predictor.network.load_state_dict(parameters)
                answers.append(predictor.network.eval()(image[None])[0])
            theirs = torch.stack(answers).mean(0)
        found = Predictor.load(ours, device="cpu", folds=folds).logits(image)
        assert float((found - theirs).abs().max()) <= 1e-6 * float(theirs.abs().max())


def test_nnunets_whole_prediction_is_ours_but_for_its_half_precision(tmp_path, ours):
    export_model(ours, tmp_path / "theirs")
    predictor = _nnunets_predictor(tmp_path / "theirs", [0, 1])
    image = torch.randn(1, 20, 24, 18, generator=torch.Generator().manual_seed(1))
    with silence():
        theirs = predictor.predict_logits_from_preprocessed_data(image).float()
    found = Predictor.load(ours, device="cpu").logits(image)
    # Near the border the weights of a tile are too small for half precision, so there nnU-Net rounds to 0 or
    # to halves; inside, 11 bits hold a number to 2^-11, and up to 8 tiles and two folds are summed.
    inside = (slice(None), *(slice(4, -4) for _ in range(3)))
    assert float((found - theirs)[inside].abs().max()) <= 2**-8 * float(theirs.abs().max())
    agree = (found.argmax(0) == theirs.argmax(0))[inside[1:]]
    assert float(agree.float().mean()) > 0.99


def test_the_zip_is_laid_out_as_nnunet_installs_it(tmp_path, ours):
    export_model(ours, tmp_path / "model.zip", folds=[0])
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        archive.extractall(tmp_path / "results")
    folder = tmp_path / "results" / "Dataset001_Test" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
    assert _nnunets_predictor(folder).trainer_name == "nnUNetTrainer"
    back = import_nnunet(tmp_path / "model.zip", tmp_path / "back")
    assert back.folds["0"].weights_sha256 == load_weights(ours / "fold_0").sha256


def test_what_is_there_is_skipped_and_what_changed_is_written_anew(tmp_path, ours):
    out = tmp_path / "theirs"
    assert not export_model(ours, out, folds=[0]).skipped
    path = out / "fold_0" / "checkpoint_final.pth"
    first = path.stat().st_mtime_ns
    again = export_model(ours, out, folds=[0])
    assert again.skipped
    assert "exported already" in again.lines()[0]
    assert not export_model(ours, out).skipped
    assert path.stat().st_mtime_ns == first
    (ours / "fold_0" / "weights.safetensors").write_bytes(
        (ours / "fold_1" / "weights.safetensors").read_bytes()
    )
    assert not export_model(ours, out).skipped
    assert path.stat().st_mtime_ns != first
    path.unlink()
    assert not run(ExportSettings(ours, out, folds=(0,))).skipped
    assert path.is_file()


def test_the_notes_say_what_nnunet_does_not_know(tmp_path, ours, nnunet_model):
    assert "axes lie as RPS" in export_model(ours, tmp_path / "a").notes[0]
    own = nnunet_model(trainer="nnUNetTrainerOfMine", folds=(0,))
    made = export_model(own, tmp_path / "b")
    assert made.notes == ("nnU-Net has no trainer nnUNetTrainerOfMine; nnUNetTrainer stands in its place.",)
    assert _nnunets_predictor(tmp_path / "b").trainer_name == "nnUNetTrainer"
    theirs = nnunet_model(trainer="nnUNetTrainerNoMirroring", folds=(0,))
    assert export_model(theirs, tmp_path / "c").notes == ()
    checkpoint = read_checkpoint(tmp_path / "c" / "fold_0" / "checkpoint_final.pth")
    assert checkpoint["trainer_name"] == "nnUNetTrainerNoMirroring"


def test_a_model_of_several_modalities_is_exported_for_one_of_them(tmp_path, nnunet_model, plans_content):
    intensity = Intensity(80.0, 40.0, -60.0, 220.0)
    ways = {name: way_of(name, intensity, 1.0).as_plan() for name in ("ct", "t1", "t2")}
    own = plans_content["configurations"]["3d_fullres"]
    own |= {"normalization_schemes": ["ZScoreNormalization"], "use_mask_for_norm": [False]}
    source = nnunet_model(folds=(0,))
    (source / "plans.json").write_text(json.dumps({**plans_content, "normalisation_by_modality": ways}))
    made = export_model(source, tmp_path / "mri")
    (note,) = [note for note in made.notes if "alike" in note]
    assert "learnt ct otherwise" in note
    assert "--modality ct" in note
    made = export_model(source, tmp_path / "ct", modality="ct")
    (note,) = [note for note in made.notes if "alike" in note]
    assert "learnt t1 and t2 otherwise" in note
    predictor = _nnunets_predictor(tmp_path / "ct")
    assert predictor.configuration_manager.normalization_schemes == ["CTNormalization"]
    assert not export_model(source, tmp_path / "ct", modality="t1").skipped
    checkpoint = read_checkpoint(tmp_path / "ct" / "fold_0" / "checkpoint_final.pth")
    for plans in (checkpoint["init_args"]["plans"], json.loads((tmp_path / "ct" / "plans.json").read_text())):
        assert plans["configurations"]["3d_fullres"]["normalization_schemes"] == ["ZScoreNormalization"]
        assert set(parse_plans(plans).by_modality) == {"ct", "t1", "t2"}
    assert export_model(source, tmp_path / "ct", modality="t1").skipped
    import_nnunet(tmp_path / "ct", tmp_path / "back")
    assert read_plans(tmp_path / "back").by_modality == read_plans(source).by_modality
    with pytest.raises(ConfigError, match="of modality pet, but the model learnt"):
        export_model(source, tmp_path / "out", modality="pet")


def test_a_moved_network_is_exported_under_the_path_that_nnunet_can_import(
    tmp_path, nnunet_model, plans_content
):
    source = nnunet_model(folds=(0,))
    table = plans_content["configurations"]["3d_fullres"]["architecture"]
    table["network_class_name"] = "somewhere.older.PlainConvUNet"
    (source / "plans.json").write_text(json.dumps(plans_content))
    export_model(source, tmp_path / "out")
    assert _nnunets_predictor(tmp_path / "out").network is not None


def test_a_model_with_regions_is_exported_whole(tmp_path, nnunet_model):
    regions = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "pancreas": [1, 2], "lesion": 2},
        "regions_class_order": [1, 2],
        "file_ending": ".nii.gz",
    }
    source = nnunet_model(labels=regions, folds=(0,))
    export_model(source, tmp_path / "out")
    assert _nnunets_predictor(tmp_path / "out").label_manager.has_regions


def test_a_network_of_ours_is_read_by_nnunet(tmp_path, plans_content, nnunet_model):
    item = entry("pansegnet-2")
    configuration = parse_plans(copy.deepcopy(plans_content)).configuration("3d_fullres")
    plans_content["configurations"]["3d_fullres"]["architecture"] = {
        "network_class_name": item.class_path,
        "arch_kwargs": item.fit(configuration),
        "_kw_requires_import": list(item.imported),
    }
    source = nnunet_model(folds=(0,))
    import_nnunet(source, tmp_path / "ours")
    made = export_model(tmp_path / "ours", tmp_path / "theirs")
    assert made.notes == ("nnU-Net reads it where pip install 'wirsung[train]' was run.",)
    predictor = _nnunets_predictor(tmp_path / "theirs")
    image = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        theirs = predictor.network.eval()(image[None])[0]
    found = Predictor.load(tmp_path / "ours", device="cpu").logits(image)
    assert float((found - theirs).abs().max()) <= 1e-6 * float(theirs.abs().max())


@pytest.mark.usefixtures("flat_plans")
def test_2d_models_go_there_and_back(tmp_path, nnunet_model):
    source = nnunet_model(configuration="2d", folds=(0,))
    made = import_nnunet(source, tmp_path / "ours")
    assert made.notes == ()
    export_model(tmp_path / "ours", tmp_path / "theirs")
    first, second = (
        read_checkpoint(folder / "fold_0" / "checkpoint_final.pth")["network_weights"]
        for folder in (source, tmp_path / "theirs")
    )
    assert list(first) == list(second)
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(ConfigError, match="only 3D is written as ONNX"):
        export_model(tmp_path / "ours", tmp_path / "onnx", form="onnx")


def test_what_can_not_be_exported_is_refused(tmp_path, ours):
    with pytest.raises(ConfigError, match="is the model itself"):
        export_model(ours, ours)
    with pytest.raises(CheckpointError, match="has no finished fold 7, only 0, 1"):
        export_model(ours, tmp_path / "out", folds=[7])
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"plans\.json can't be read"):
        export_model(tmp_path / "empty", tmp_path / "out")
    for name in ("out.zip", "out.onnx"):
        with pytest.raises(ConfigError, match=f"{name} is named as a file"):
            export_model(ours, tmp_path / name, form="onnx")


@pytest.mark.slow
def test_onnx_files_say_how_an_image_must_be_prepared(tmp_path, ours):
    import onnxruntime

    made = export_model(ours, tmp_path / "onnx", form="onnx", folds=[0])
    session = onnxruntime.InferenceSession(
        str(tmp_path / "onnx" / "fold_0.onnx"), providers=["CPUExecutionProvider"]
    )
    said = json.loads(session.get_modelmeta().custom_metadata_map["wirsung"])
    assert said["spacing_mm"] == [2.0, 1.5, 1.5]
    assert said["outputs"] == ["background", "pancreas", "pancreatic_lesion"]
    assert said["weights_sha256"] == made.folds["0"]
    image = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(5))
    found = np.asarray(session.run(None, {"image": image[None].numpy()})[0][0])
    wanted = Predictor.load(ours, device="cpu", folds=[0]).logits(image).numpy()
    assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()
    assert export_model(ours, tmp_path / "onnx", form="onnx", folds=[0]).skipped
