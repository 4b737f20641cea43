"""Models of nnU-Net v2 from elsewhere: what is taken over, and what is refused without being run."""

import json
import os
import shutil
import zipfile

import pytest
import torch

from wirsung.errors import CheckpointError, ConfigError
from wirsung.inference.predictor import Predictor
from wirsung.models.importing_nnunet import import_nnunet
from wirsung.models.weights import load_weights, read_safetensors, unique
from wirsung.training.workspace import silence


def _state(folder, fold=0):
    path = folder / f"fold_{fold}" / "checkpoint_final.pth"
    return unique(torch.load(path, weights_only=True)["network_weights"])


def _assert_same(first, second):
    assert sorted(first) == sorted(second)
    assert all(torch.equal(first[name], second[name]) for name in first)


def _zipped(folder, path, prefix="Dataset001_Test"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{prefix}/{folder.name}/{file.relative_to(folder)}")
    return path


def _edit(path, change):
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def test_a_model_folder_keeps_its_weights_to_the_bit(tmp_path, nnunet_model):
    source = nnunet_model()
    made = import_nnunet(source, tmp_path / "out")
    assert list(made.folds) == ["0", "1"]
    assert made.notes == ()
    for fold in (0, 1):
        weights = read_safetensors(tmp_path / "out" / f"fold_{fold}" / "weights.safetensors")
        _assert_same(weights.state, _state(source, fold))
        assert (weights.configuration, weights.mirror_axes) == ("3d_fullres", (0, 1, 2))
        assert made.folds[str(fold)].weights_sha256 == weights.sha256
    for name in ("plans.json", "dataset.json"):
        assert json.loads((tmp_path / "out" / name).read_text()) == json.loads((source / name).read_text())
    assert not list((tmp_path / "out").rglob("*.pth"))


def test_what_was_imported_predicts_as_the_original(tmp_path, nnunet_model):
    source = nnunet_model()
    import_nnunet(source, tmp_path / "out")
    image = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    logits = [Predictor.load(folder, device="cpu").logits(image) for folder in (source, tmp_path / "out")]
    assert torch.equal(*logits)


def test_a_second_import_does_nothing_and_a_third_fold_is_added(tmp_path, nnunet_model):
    source = nnunet_model(folds=(0, 1, 2))
    import_nnunet(source, tmp_path / "out", folds=[0])
    first = (tmp_path / "out" / "fold_0" / "weights.safetensors").stat().st_mtime_ns
    again = import_nnunet(source, tmp_path / "out", folds=[0])
    assert again.skipped
    assert "imported already" in again.lines()[0]
    more = import_nnunet(source, tmp_path / "out")
    assert not more.skipped
    assert (tmp_path / "out" / "fold_0" / "weights.safetensors").stat().st_mtime_ns == first
    record = json.loads((tmp_path / "out" / "imported.json").read_text())
    assert sorted(record["folds"]) == ["0", "1", "2"]


def test_changed_and_damaged_weights_are_imported_anew(tmp_path, nnunet_model):
    source = nnunet_model(folds=(0,))
    out = tmp_path / "out"
    import_nnunet(source, out)
    (out / "fold_0" / "weights.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="damaged"):
        load_weights(out / "fold_0")
    assert not import_nnunet(source, out).skipped
    _assert_same(load_weights(out / "fold_0").state, _state(source))
    _edit(
        source / "fold_0" / "checkpoint_final.pth",
        lambda content: next(iter(content["network_weights"].values())).add_(1),
    )
    assert not import_nnunet(source, out).skipped
    _assert_same(load_weights(out / "fold_0").state, _state(source))


def test_safetensors_may_be_written_beside_the_checkpoints(nnunet_model):
    source = nnunet_model()
    before = (source / "plans.json").read_bytes()
    import_nnunet(source, source)
    _assert_same(load_weights(source / "fold_0").state, _state(source))
    assert (source / "plans.json").read_bytes() == before


def test_a_zip_of_nnunet_is_imported(tmp_path, nnunet_model):
    source = nnunet_model()
    (source / "fold_0" / "progress.png").write_bytes(b"x")
    made = import_nnunet(_zipped(source, tmp_path / "model.zip"), tmp_path / "out")
    assert list(made.folds) == ["0", "1"]
    _assert_same(load_weights(tmp_path / "out" / "fold_1").state, _state(source, 1))
    assert not list((tmp_path / "out").rglob("*.png"))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".partial")]


def test_of_several_models_one_is_chosen(tmp_path, nnunet_model):
    results = tmp_path / "Dataset001_Test"
    nnunet_model(results / "nnUNetTrainer__nnUNetPlans__3d_fullres")
    small = nnunet_model(results / "nnUNetTrainer__nnUNetPlans__3d_small", configuration="3d_small")
    nnunet_model(results / "nnUNetTrainerX__nnUNetPlans__3d_small", configuration="3d_small")
    with pytest.raises(CheckpointError, match=r"holds 3 models: nnUNetTrainerX__.*Choose one by its name"):
        import_nnunet(results, tmp_path / "out")
    with pytest.raises(CheckpointError, match="holds 2 models"):
        import_nnunet(results, tmp_path / "out", choose="3d_small")
    with pytest.raises(CheckpointError, match="has no model '2d'"):
        import_nnunet(results, tmp_path / "out", choose="2d")
    made = import_nnunet(results, tmp_path / "out", choose="nnUNetTrainer__nnUNetPlans__3d_small")
    assert made.configuration == "3d_small"
    _assert_same(load_weights(tmp_path / "out" / "fold_0").state, _state(small))
    assert import_nnunet(results, tmp_path / "full", choose="fullres").configuration == "3d_fullres"


def test_a_lone_checkpoint_brings_its_own_plans(tmp_path, nnunet_model):
    source = nnunet_model(folds=("all",))
    shutil.copy(source / "fold_all" / "checkpoint_final.pth", tmp_path / "mine.pth")
    made = import_nnunet(tmp_path / "mine.pth", tmp_path / "out")
    assert list(made.folds) == ["all"]
    _assert_same(load_weights(tmp_path / "out" / "fold_all").state, _state(source, "all"))


@pytest.mark.parametrize("fold", ["../../evil", "0/../../evil", "", "٣"])
def test_a_checkpoint_can_not_choose_where_it_is_written(tmp_path, nnunet_model, fold):
    path = nnunet_model(folds=(0,)) / "fold_0" / "checkpoint_final.pth"
    _edit(path, lambda content: content["init_args"].update(fold=fold))
    with pytest.raises(CheckpointError, match="folds are numbers or all"):
        import_nnunet(path, tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("*evil*"))


def test_the_best_checkpoint_is_taken_where_it_is_asked_for(tmp_path, nnunet_model):
    source = nnunet_model(folds=(0,))
    (source / "fold_0" / "checkpoint_final.pth").rename(source / "fold_0" / "checkpoint_best.pth")
    with pytest.raises(CheckpointError, match=r"has no checkpoint_final.pth. Import its checkpoint best"):
        import_nnunet(source, tmp_path / "out")
    made = import_nnunet(source, tmp_path / "out", checkpoint="best")
    assert made.folds["0"].file == "checkpoint_best.pth"


def test_folds_that_are_not_there_are_named(tmp_path, nnunet_model):
    source = nnunet_model()
    with pytest.raises(CheckpointError, match="has no fold 4, only 0, 1"):
        import_nnunet(source, tmp_path / "out", folds=[4])
    (source / "fold_1" / "checkpoint_final.pth").unlink()
    (source / "fold_1" / "checkpoint_latest.pth").touch()
    assert list(import_nnunet(source, tmp_path / "out").folds) == ["0"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plans.json", "plans.json is missing above them"),
        ("dataset.json", "dataset.json is missing beside plans.json"),
    ],
)
def test_a_missing_file_is_named(tmp_path, nnunet_model, name, message):
    source = nnunet_model()
    (source / name).unlink()
    with pytest.raises(CheckpointError, match=message):
        import_nnunet(source, tmp_path / "out")
    with pytest.raises(CheckpointError, match=message.replace("beside plans", "beside .*plans")):
        import_nnunet(_zipped(source, tmp_path / "model.zip"), tmp_path / "out")


def test_what_is_no_model_is_refused(tmp_path, nnunet_model):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="holds no model of nnU-Net v2"):
        import_nnunet(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(CheckpointError, match="is not there"):
        import_nnunet(tmp_path / "none", tmp_path / "out")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(CheckpointError, match="cut or damaged, or no zip"):
        import_nnunet(tmp_path / "text.zip", tmp_path / "out")
    source = nnunet_model(folds=(0,))
    shutil.rmtree(source / "fold_0")
    with pytest.raises(CheckpointError, match="no folder such as fold_0"):
        import_nnunet(source, tmp_path / "out")


def test_missing_extra_and_wrong_weights_are_named(tmp_path, nnunet_model):
    def spoil(content):
        weights = content["network_weights"]
        del weights["decoder.seg_layers.1.bias"]
        weights["decoder.extra"] = torch.ones(1)
        weights["decoder.seg_layers.1.weight"] = torch.ones(7, 4, 1, 1, 1)

    source = nnunet_model(folds=(0,))
    _edit(source / "fold_0" / "checkpoint_final.pth", spoil)
    words = (
        r"decoder.seg_layers.1.bias is missing, decoder.extra is left over, "
        r"decoder.seg_layers.1.weight has shape \(7, 4, 1, 1, 1\), not \(3, 4, 1, 1, 1\)"
    )
    with pytest.raises(CheckpointError, match=words):
        import_nnunet(source, tmp_path / "out")
    assert not (tmp_path / "out" / "plans.json").exists()
    # Of a zip the place in it is named, not the folder that it was unpacked into.
    with pytest.raises(CheckpointError, match=words) as caught:
        import_nnunet(_zipped(source, tmp_path / "model.zip"), tmp_path / "out")
    assert str(caught.value).startswith(f"{tmp_path / 'model.zip'}/Dataset001_Test/{source.name}/fold_0/")


def test_a_checkpoint_for_other_plans_is_refused(tmp_path, nnunet_model):
    source = nnunet_model(folds=(0,))
    plans = json.loads((source / "plans.json").read_text())
    plans["configurations"]["3d_fullres"]["spacing"] = [5.0, 1.5, 1.5]
    (source / "plans.json").write_text(json.dumps(plans))
    with pytest.raises(CheckpointError, match="other plans than those beside it: they differ in spacing_mm"):
        import_nnunet(source, tmp_path / "out")


def test_folds_of_different_configurations_are_refused(tmp_path, nnunet_model):
    source = nnunet_model(folds=(0,))
    other = nnunet_model(tmp_path / "other", configuration="3d_small", folds=(1,))
    shutil.move(other / "fold_1", source / "fold_1")
    with pytest.raises(CheckpointError, match=r"fold 0 3d_fullres, fold 1 3d_small"):
        import_nnunet(source, tmp_path / "out")


def test_a_folder_with_another_model_is_left_alone(tmp_path, nnunet_model, plans_content):
    import_nnunet(nnunet_model(folds=(0,)), tmp_path / "out")
    plans_content["dataset_name"] = "Dataset002_Other"
    other = nnunet_model(tmp_path / "other", folds=(0,))
    with pytest.raises(ConfigError, match="holds another model"):
        import_nnunet(other, tmp_path / "out")


class _Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("where", ["folder", "zip", "lone", "inside the plans"])
def test_a_pickle_that_wants_to_run_code_is_refused_without_running_it(tmp_path, nnunet_model, where):
    marker = tmp_path / "ran"
    source = nnunet_model(folds=(0,))
    path = source / "fold_0" / "checkpoint_final.pth"
    content = torch.load(path, weights_only=True)
    if where == "inside the plans":
        content["init_args"]["plans"]["configurations"]["3d_fullres"]["spacing"] = _Evil(marker)
    else:
        content["evil"] = _Evil(marker)
    torch.save(content, path)
    # That the payload works: what a plain unpickle would have done.
    torch.load(path, weights_only=False)
    assert marker.exists()
    marker.unlink()
    given = {"zip": lambda: _zipped(source, tmp_path / "m.zip"), "lone": lambda: path}.get(
        where, lambda: source
    )
    with pytest.raises(CheckpointError, match="could run foreign code"):
        import_nnunet(given(), tmp_path / "out")
    assert not marker.exists()
    assert not (tmp_path / "out" / "plans.json").exists()


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_a_cut_checkpoint_and_a_cut_zip_are_refused(tmp_path, nnunet_model, kept):
    source = nnunet_model(folds=(0,))
    archive = _zipped(source, tmp_path / "model.zip")
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(CheckpointError, match="cut or damaged"):
        import_nnunet(archive, tmp_path / "out")
    path = source / "fold_0" / "checkpoint_final.pth"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(CheckpointError, match="damaged"):
        import_nnunet(source, tmp_path / "out")
    assert not (tmp_path / "out" / "plans.json").exists()


def test_a_bit_that_flipped_in_a_zip_is_noticed(tmp_path, nnunet_model):
    source = nnunet_model(folds=(0,))
    archive = tmp_path / "model.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as made:
        for file in source.rglob("*.*"):
            made.write(file, f"m/{file.relative_to(source)}")
    content = bytearray(archive.read_bytes())
    place = content.index((source / "fold_0" / "checkpoint_final.pth").read_bytes()) + 2000
    content[place] ^= 1
    archive.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="cut or damaged"):
        import_nnunet(archive, tmp_path / "out")


def test_regions_and_cascades_are_imported_with_a_word_on_what_they_lack(
    tmp_path, nnunet_model, plans_content
):
    regions = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "pancreas": [1, 2], "lesion": 2, "ignore": 3},
        "regions_class_order": [1, 2],
        "file_ending": ".nii.gz",
    }
    table = plans_content["configurations"]
    table["3d_cascade_fullres"] = {"inherits_from": "3d_fullres", "previous_stage": "3d_small"}
    source = nnunet_model(configuration="3d_cascade_fullres", folds=(0,), labels=regions)
    made = import_nnunet(source, tmp_path / "out")
    assert made.notes == (
        "It is given the prediction of 3d_small: import that model too, and name it with --previous-stage.",
    )
    weights = load_weights(tmp_path / "out" / "fold_0")
    assert weights.state["encoder.stages.0.0.convs.0.conv.weight"].shape[1] == 1 + 2
    assert weights.state["decoder.seg_layers.1.weight"].shape[0] == 2


def test_networks_of_others_are_kept_as_they_are(tmp_path, nnunet_model, plans_content):
    source = nnunet_model(tmp_path / "theirs", folds=(0,))
    path = source / "fold_0" / "checkpoint_final.pth"
    plans_content["configurations"]["3d_fullres"]["architecture"]["network_class_name"] = "theirs.Network"
    _edit(path, lambda content: content["init_args"].update(plans=plans_content))
    (source / "plans.json").write_text(json.dumps(plans_content))
    made = import_nnunet(source, tmp_path / "out")
    assert made.notes == ("Wirsung can't predict with it: the network theirs.Network is not in the catalog.",)


def test_the_zip_that_nnunet_itself_writes_is_imported(tmp_path, nnunet_model, monkeypatch):
    from nnunetv2.model_sharing.model_export import export_pretrained_model

    monkeypatch.setenv("nnUNet_results", str(tmp_path / "results"))
    monkeypatch.setenv("nnUNet_raw", str(tmp_path / "raw"))
    monkeypatch.setenv("nnUNet_preprocessed", str(tmp_path / "preprocessed"))
    sources = {}
    for name in ("3d_fullres", "3d_small"):
        folder = tmp_path / "results" / "Dataset001_Test" / f"nnUNetTrainer__nnUNetPlans__{name}"
        sources[name] = nnunet_model(folder, configuration=name, folds=(0,))
        for file in ("fold_0/progress.png", "fold_0/validation/summary.json", "dataset_fingerprint.json"):
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text("{}")
    with silence():
        export_pretrained_model(1, str(tmp_path / "theirs.zip"), configurations=tuple(sources), folds=(0,))
    with pytest.raises(CheckpointError, match=r"theirs.zip holds 2 models: Dataset001_Test/"):
        import_nnunet(tmp_path / "theirs.zip", tmp_path / "out")
    for name, source in sources.items():
        import_nnunet(tmp_path / "theirs.zip", tmp_path / name, choose=name)
        _assert_same(load_weights(tmp_path / name / "fold_0").state, _state(source))
        assert (tmp_path / name / "dataset_fingerprint.json").is_file()
        assert not list((tmp_path / name).rglob("*.png"))
