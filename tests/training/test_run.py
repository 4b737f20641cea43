"""The stage train, to its end on a dataset so small that it takes seconds."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from wirsung.datasets.layout import Dataset
from wirsung.errors import ConfigError, LabelError, ManifestError, WirsungError
from wirsung.imaging.nifti import read_label_map, write_nifti
from wirsung.inference.predictor import Predictor
from wirsung.models.folder import read_record
from wirsung.models.weights import read_checkpoint
from wirsung.training.run import train
from wirsung.training.settings import TrainSettings

SMALL = {"scheme": "demo-7", "preset": "demo", "device": "cpu", "epochs": 2, "iterations": 2, "workers": 1}


@pytest.fixture(scope="module")
def trained(shared_dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "model"
    return train(TrainSettings(shared_dataset, out, **SMALL))


def test_a_model_is_trained_and_predicts_its_classes(trained, shared_dataset):
    assert not trained.skipped
    assert (trained.cases, trained.epochs) == (2, 2)
    predictor = Predictor.load(trained.folder, device="cpu")
    assert predictor.scheme == "demo-7"
    assert [item.value for item in predictor.classes] == [1, 2, 6]
    volume = Dataset.open(shared_dataset).case("p4").image()
    assert set(np.unique(predictor.predict(volume).label_map.voxels)) <= {0, 1, 2, 6}


def test_the_record_says_who_was_learnt_from(trained):
    fold = read_record(trained.folder).folds["0"]
    assert (fold.train, fold.validation) == (("p0", "p1"), ("p2", "p3"))
    assert fold.weights_sha256 == Predictor.load(trained.folder, device="cpu").sha256


def test_nnunet_reads_the_model(trained):
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    checkpoint = torch.load(trained.folder / "fold_0" / "checkpoint_final.pth", weights_only=False)
    assert checkpoint["trainer_name"] == "nnUNetTrainer"
    assert checkpoint["inference_allowed_mirroring_axes"] is None
    manager = PlansManager(json.loads((trained.folder / "plans.json").read_text()))
    table = json.loads((trained.folder / "dataset.json").read_text())
    configuration = manager.get_configuration(checkpoint["init_args"]["configuration"])
    heads = manager.get_label_manager(table).num_segmentation_heads
    network = nnUNetTrainer.build_network_architecture(manager, configuration, 1, heads, False)
    network.load_state_dict(checkpoint["network_weights"])


def test_the_model_folder_names_no_host_and_no_path(trained):
    for name in ("plans.json", "dataset.json", "wirsung.json", "fold_0/history.json"):
        text = (trained.folder / name).read_text()
        assert os.uname().nodename not in text
        assert str(trained.folder.parent) not in text


def test_a_finished_fold_is_skipped(trained, shared_dataset):
    before = (trained.folder / "fold_0" / "weights.safetensors").stat().st_mtime_ns
    again = train(TrainSettings(shared_dataset, trained.folder, **SMALL, checkpoint_every=1))
    assert again.skipped
    assert (trained.folder / "fold_0" / "weights.safetensors").stat().st_mtime_ns == before
    assert "trained already" in again.lines()[0]


def test_the_folds_of_a_model_share_their_data(trained, shared_dataset):
    with pytest.raises(ConfigError, match="holds folds 0 of other data or settings"):
        train(TrainSettings(shared_dataset, trained.folder, **{**SMALL, "scheme": "pants-28"}, fold=1))


def test_a_dataset_without_splits_says_how_to_make_them(dataset, tmp_path):
    (dataset / "splits.json").unlink()
    with pytest.raises(ManifestError, match="wirsung split"):
        train(TrainSettings(dataset, tmp_path / "m", **SMALL))


def test_a_fold_that_is_not_there_is_refused(dataset, tmp_path):
    with pytest.raises(ConfigError, match="has 0 to 1"):
        train(TrainSettings(dataset, tmp_path / "m", **SMALL, fold=2))


def test_a_case_without_labels_is_refused_before_any_work(dataset, tmp_path):
    shutil.rmtree(dataset / "LabelTr" / "p3")
    with pytest.raises(LabelError, match="p3: no masks"):
        train(TrainSettings(dataset, tmp_path / "m", **SMALL))
    assert not (tmp_path / "m").exists()


def test_test_cases_are_never_read(dataset, tmp_path):
    """Without labels and with a broken image the test case would stop the training, were it read."""
    shutil.rmtree(dataset / "LabelTr" / "p4")
    (dataset / "ImageTr" / "p4" / "ct.nii.gz").write_bytes(b"broken")
    made = train(
        TrainSettings(dataset, tmp_path / "m", **{**SMALL, "epochs": 1, "iterations": 1}, fold="all")
    )
    assert made.cases == 4
    assert "p4" not in (tmp_path / "m" / "wirsung.json").read_text()


def _weights(folder):
    return read_record(folder).folds["0"].weights_sha256


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_where_an_unbroken_one_does(dataset, tmp_path):
    settings = TrainSettings(dataset, tmp_path / "unbroken", **{**SMALL, "epochs": 6}, checkpoint_every=2)
    train(settings)
    killed = tmp_path / "killed"
    words = ["train", str(dataset), str(killed), "--scheme", "demo-7", "--preset", "demo", "--device", "cpu"]
    words += ["--epochs", "6", "--iterations", "2", "--checkpoint-every", "2", "--workers", "1"]
    process = subprocess.Popen([sys.executable, "-m", "wirsung", *words], stderr=subprocess.DEVNULL)
    latest = killed / "fold_0" / "checkpoint_latest.pth"
    deadline = time.monotonic() + 300
    while not latest.is_file() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert latest.is_file()
    assert not (killed / "fold_0" / "checkpoint_final.pth").exists()
    assert read_checkpoint(latest)["current_epoch"] >= 2
    made = train(replace(settings, out=killed))
    assert made.epochs == 6
    assert _weights(killed) == _weights(tmp_path / "unbroken")


@pytest.mark.slow
def test_changed_settings_train_anew(dataset, tmp_path):
    settings = TrainSettings(dataset, tmp_path / "m", **SMALL)
    train(settings)
    first = _weights(tmp_path / "m")
    assert not train(replace(settings, seed=1)).skipped
    assert _weights(tmp_path / "m") != first
    assert not train(replace(settings, seed=0)).skipped
    assert _weights(tmp_path / "m") == first


@pytest.mark.slow
def test_a_second_fold_joins_the_first(dataset, tmp_path):
    settings = TrainSettings(dataset, tmp_path / "m", **SMALL)
    train(settings)
    train(replace(settings, fold=1))
    assert sorted(read_record(tmp_path / "m").folds) == ["0", "1"]
    assert len(Predictor.load(tmp_path / "m", device="cpu").networks) == 2
    assert train(settings).skipped


def _dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.mark.slow
def test_a_network_learns_one_real_scan_by_heart(shared_data, tmp_path):
    from wirsung.curation.run import curate
    from wirsung.curation.settings import CurateSettings

    folder = shared_data / "ct_abdomen"
    settings = CurateSettings(
        folder / "ct_crop.nii.gz",
        tmp_path / "dataset",
        labels=folder / "ct_crop_totalsegmentator_v2.nii.gz",
        label_scheme="totalsegmentator-v2",
    )
    assert [outcome.status for outcome in curate(settings)] == ["done"]
    out = tmp_path / "model"
    by_heart = TrainSettings(
        tmp_path / "dataset", out, scheme="demo-7", preset="demo", fold="all", device="cpu"
    )
    train(replace(by_heart, epochs=34, finest_mm=3.0))
    case = Dataset.open(tmp_path / "dataset").cases[0]
    found = Predictor.load(out, device="cpu").predict(case.image()).label_map.voxels
    for name, value in (("pancreas", 6), ("liver", 1), ("spleen", 2)):
        assert _dice(case.mask(name).voxels, found == value) >= 0.8


@pytest.mark.slow
def test_nnunets_own_command_predicts_with_the_model_where_our_package_is_not(
    trained, shared_dataset, tmp_path
):
    blocked = tmp_path / "blocked" / "wirsung"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('this machine has no such package')\n")
    volume = Dataset.open(shared_dataset).case("p4").image()
    write_nifti(tmp_path / "in" / "p4_0000.nii.gz", volume)
    environment = os.environ | {"PYTHONPATH": str(blocked.parent), "nnUNet_compile": "f"}
    command = shutil.which("nnUNetv2_predict_from_modelfolder", path=Path(sys.executable).parent)
    words = ["-i", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "-m", str(trained.folder), "-f", "0"]
    words += ["-device", "cpu", "--disable_tta", "-npp", "1", "-nps", "1"]
    done = subprocess.run([command, *words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    theirs = read_label_map(tmp_path / "out" / "p4.nii.gz").voxels
    ours = Predictor.load(trained.folder, device="cpu").predict(volume).label_map.voxels
    known = {0: 0, 1: 1, 2: 2, 3: 6}
    translated = np.vectorize(known.__getitem__)(theirs)
    # It adds up its tiles in half precision, and after four steps many voxels are a near tie; where
    # networks know something, tests/inference holds the two to 0.9999.
    assert (translated == ours).mean() >= 0.98


def test_more_gpus_than_there_are_are_refused_before_any_work(shared_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("wirsung.training.run.choose_device", lambda _: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="--gpus is 2, but this machine has 1"):
        train(TrainSettings(shared_dataset, tmp_path / "m", **{**SMALL, "device": "cuda"}, gpus=2))
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ("kits", "No case has a mask that kits has a class for. Choose another --scheme"),
        ("pants-9", "no scheme named 'pants-9'. Did you mean pants-2"),
    ],
)
def test_a_scheme_that_the_dataset_or_nobody_has_is_refused(dataset, tmp_path, scheme, words):
    with pytest.raises(WirsungError, match=words):
        train(TrainSettings(dataset, tmp_path / "m", **{**SMALL, "scheme": scheme}))
    assert not (tmp_path / "m").exists()
