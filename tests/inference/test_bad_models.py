"""Damaged and hostile models, through the real command line: one sentence, and nothing runs."""

import json
import os
import pickle
import shutil
import stat
import zipfile

import pytest
import torch

from wirsung.cli import main
from wirsung.errors import CheckpointError
from wirsung.inference.predictor import Predictor
from wirsung.models.weights import read_safetensors, save_weights


class Payload:
    """What a pickle of a stranger's may hold: a command that its opening runs."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.fixture
def refused(tmp_path, make_scan, capsys):
    """A function that predicts with a model and returns the one sentence on standard error."""
    from wirsung.imaging.nifti import write_nifti

    write_nifti(tmp_path / "scan.nii.gz", make_scan()[0])

    def predict(model, *options):
        words = ["predict", str(tmp_path / "scan.nii.gz"), str(tmp_path / "out"), "--model", str(model)]
        assert main([*words, "--device", "cpu", *options]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
        assert not list((tmp_path / "out").glob("*.nii.gz"))
        return said.err.removeprefix("wirsung predict: ").rstrip("\n")

    return predict


@pytest.fixture
def ours(model, tmp_path):
    return shutil.copytree(model, tmp_path / "model")


@pytest.fixture
def theirs(ours):
    """A folder of nnU-Net's, and a function that writes its checkpoint anew with changes."""
    weights = read_safetensors(ours / "fold_0" / "weights.safetensors")
    (ours / "fold_0" / "weights.safetensors").unlink()
    (ours / "wirsung.json").unlink()
    content = {
        "network_weights": weights.state,
        "init_args": {"configuration": "3d_fullres"},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1),
    }

    def write(**changes):
        kept = {key: value for key, value in (content | changes).items() if value is not None}
        torch.save(kept, ours / "fold_0" / "checkpoint_final.pth")
        return ours

    write()
    return write


def edited(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path.parent


@pytest.mark.parametrize("name", ["plans.json", "dataset.json"])
def test_a_missing_file_is_named(ours, refused, name):
    (ours / name).unlink()
    assert refused(ours).startswith(
        f"{ours / name} can't be read (No such file or directory). A model folder has"
    )


@pytest.mark.parametrize("text", ['{"a": [1,', "[" * 100_000, "[]", "{}", ""])
@pytest.mark.parametrize("name", ["plans.json", "dataset.json", "wirsung.json"])
def test_a_garbled_file_is_named(ours, refused, name, text):
    (ours / name).write_text(text)
    said = refused(ours)
    assert said.startswith(str(ours))
    assert name in said
    assert said.endswith(("anew.", "Only the plans of nnU-Net v2 can be read."))


def test_a_model_of_wirsungs_without_its_record_is_not_predicted_in_another_axis_order(ours, refused):
    (ours / "wirsung.json").unlink()
    edited(
        ours / "dataset.json",
        lambda table: table.update(scheme="pants-28", structures={"pancreas": ["pancreas"]}),
    )
    said = refused(ours)
    assert said.startswith(f"{ours}/wirsung.json is missing, though Wirsung began this model")
    assert "Finish the training by its own command" in said


def test_folds_and_checkpoints_that_are_not_there_are_said(ours, refused):
    assert refused(ours, "--fold", "3").startswith(
        f"{ours} has no fold 3, which has neither weights nor a folder"
    )
    assert "there is only 0. Choose another with --fold" in refused(ours, "--folds", "0", "3")
    assert "no finished fold with a checkpoint_best.pth. Leave --checkpoint out" in refused(
        ours, "--checkpoint", "best"
    )
    (ours / "fold_0" / "weights.safetensors").rename(ours / "fold_0" / "checkpoint_best.pth")
    assert "take it with --checkpoint best" in refused(ours)
    shutil.rmtree(ours / "fold_0")
    assert refused(ours).startswith(
        f"{ours} has no finished fold with a weights.safetensors or checkpoint_final"
    )


@pytest.mark.parametrize("kept", [0, 5, 100, -1000])
def test_cut_safetensors_are_damaged(ours, refused, kept):
    file = ours / "fold_0" / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    assert refused(ours) == f"{file} is damaged or no safetensors file. Copy or train it anew."


@pytest.mark.parametrize("kept", [0, 5, 100, -2000])
def test_a_cut_checkpoint_is_damaged(theirs, refused, kept):
    model = theirs()
    file = model / "fold_0" / "checkpoint_final.pth"
    file.write_bytes(file.read_bytes()[:kept])
    assert refused(model).startswith(f"{file} is damaged or no checkpoint.")


@pytest.mark.parametrize("form", ["in the zip of torch", "as a bare pickle"])
def test_a_pickle_with_a_payload_is_refused_and_never_run(theirs, refused, tmp_path, form):
    marker = tmp_path / "marker"
    model = theirs(logging=Payload(marker))
    file = model / "fold_0" / "checkpoint_final.pth"
    if form == "as a bare pickle":
        file.write_bytes(pickle.dumps(Payload(marker)))
    assert refused(model).startswith(
        f"{file} holds more than tensors and numbers, so opening it could run foreign"
    )
    assert not marker.exists()
    # The same payload does run where a pickle is opened as Python does it.
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.exists()


def test_a_checkpoint_that_swells_is_refused_before_it_does(theirs, refused):
    model = theirs()
    file = model / "fold_0" / "checkpoint_final.pth"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(80 * 2**20))
    assert "would swell to 83,886,080 when it is opened" in refused(model)


def test_checkpoints_that_are_not_nnunets_are_said(theirs, refused):
    assert refused(theirs(network_weights=None, state_dict={"a": torch.ones(1)})).endswith(
        "is no checkpoint of nnU-Net v2. Only those can be read."
    )
    assert "The checkpoint does not say its 'init_args'" in refused(theirs(init_args=None))
    other = refused(theirs(init_args={"configuration": "3d_lowres"}))
    assert "plans.json has no configuration '3d_lowres'. Did you mean 3d_fullres?" in other


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_of_a_training_that_diverged_are_refused(ours, refused, value):
    file = ours / "fold_0" / "weights.safetensors"
    weights = read_safetensors(file)
    weights.state["decoder.seg_layers.0.bias"][1] = value
    save_weights(file, weights)
    said = refused(ours)
    assert said.startswith(
        f"{file.parent}: NaN or infinite are weights of decoder.seg_layers.0.bias, as after"
    )


def _set(*path, value):
    def change(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


_FULL = ("configurations", "3d_fullres")
_ARGUMENTS = (*_FULL, "architecture", "arch_kwargs")
_CT = ("foreground_intensity_properties_per_channel", "0")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _set(*_ARGUMENTS, "features_per_stage", value=[8, 8]),
            "the weights do not fit the network of the plans",
        ),
        (_set(*_ARGUMENTS, "features_per_stage", value=[10**5, 10**5]), "has shape (6,), not (100000,)"),
        (
            _set(*_FULL, "patch_size", value=[10**5] * 3),
            "patch of 100000 x 100000 x 100000 is larger than any",
        ),
        (_set(*_FULL, "spacing", value=[-1, 1, 1]), "sizes above 0, but has [-1, 1, 1]"),
        (_set(*_FULL, "normalization_schemes", value=["Mine"]), "normalises by Mine"),
        (_set(*_FULL, "normalization_schemes", value=["CTNormalization"] * 2), "1 named, 2 normalised"),
        (_set(*_CT, "mean", value=float("nan")), "the intensities of channel 0 are no numbers"),
        (_set(*_FULL, "architecture", "network_class_name", value="os.system"), "The plans name 'os.system'"),
        (_set(*_ARGUMENTS, "norm_op", value="os.system"), "The plans name 'os.system'"),
    ],
)
def test_plans_that_can_not_be_run_are_refused_before_a_network_is_built(ours, refused, change, message):
    said = refused(edited(ours / "plans.json", change))
    assert said.startswith(str(ours))
    assert message in said


def test_labels_that_are_not_those_of_the_weights_are_refused(ours, refused):
    edited(ours / "dataset.json", _set("labels", value={"background": 0, "a": 1}))
    assert "decoder.seg_layers.0.weight has shape (3, 6, 1, 1, 1), not (2, 6, 1, 1, 1)" in refused(ours)


def zipped(folder, path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*.*"):
            if file.is_file():
                archive.write(file, f"m/{file.relative_to(folder)}")
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_zips_that_reach_out_swell_or_link_are_refused(model, refused, tmp_path):
    link = zipfile.ZipInfo("m/fold_0/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for member, message in (
        (("../evil.json", "x"), "has a member named '../evil.json', which leads outside the folder"),
        (("/etc/evil.json", "x"), "which leads outside the folder"),
        ((link, "/etc/passwd"), "has a member that is a link or a device"),
        (("m/big", bytes(80 * 2**20)), "has a member (m/big) that swells"),
    ):
        path = zipped(model, tmp_path / "model.zip", member)
        said = refused(path)
        assert said.startswith(str(path))
        assert message in said
    assert not (tmp_path / "evil.json").exists()


def test_files_that_are_no_models_are_said(model, refused, tmp_path):
    whole = zipped(model, tmp_path / "model.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-200])
    assert refused(tmp_path / "cut.zip").endswith("cut.zip is cut or damaged, or no zip. Copy it anew.")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    assert "holds no model of nnU-Net v2" in refused(tmp_path / "empty.zip")
    weights = model / "fold_0" / "weights.safetensors"
    assert refused(weights).startswith(
        f"{weights} is a part of a model. Name the folder in which plans.json lies."
    )
    assert "can't be read" in refused(tmp_path / "nowhere")


def test_python_hears_the_same_as_the_command_line(ours):
    (ours / "fold_0" / "weights.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"weights.safetensors is damaged or no safetensors file"):
        Predictor.load(ours, device="cpu")
