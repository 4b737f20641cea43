"""From a model folder to a stage: held against the network that nnU-Net itself builds of the same plans."""

import json
import shutil

import pytest
import torch
from tests.inference import nnunets
from tests.inference.conftest import RECORD

from wirsung.errors import CheckpointError, ConfigError
from wirsung.inference.loading import How, load_model
from wirsung.models.folder import write_record
from wirsung.models.weights import load_weights, save_weights

CPU = How("cpu")


@pytest.fixture
def theirs(tmp_path):
    """A function that makes a folder of nnU-Net's, and the networks in it."""

    def make(*, table=nnunets.PLAIN, name="3d_fullres", folds=1, place="theirs", **changes):
        content = nnunets.plans_with(**changes)
        networks = [
            nnunets.trained_network(content, name, table, seed=seed, steps=1) for seed in range(folds)
        ]
        return nnunets.write_model(tmp_path / place, content, name, table, networks), networks

    return make


@pytest.mark.parametrize("residual", [False, True])
def test_the_network_answers_as_the_one_that_nnunet_builds(theirs, residual):
    folder, networks = theirs(residual=residual, folds=2)
    loaded = load_model(folder, CPU)
    image = torch.randn(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    for ours, their in zip(loaded.stage.networks, networks, strict=True):
        with torch.inference_mode():
            torch.testing.assert_close(ours(image), their(image), rtol=1e-4, atol=1e-4)
        assert not ours.training
        assert not any(weight.requires_grad for weight in ours.parameters())


def test_a_network_of_slices_is_told_from_the_plans(theirs):
    folder, (their,) = theirs(flat=True, name="2d")
    loaded = load_model(folder, CPU)
    image = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(loaded.stage.networks[0](image), their(image), rtol=1e-4, atol=1e-4)
    assert loaded.stage.is_flat
    assert loaded.stage.configuration.patch_size == (1, 16, 16)


def test_folds_are_those_that_are_asked_for(theirs):
    folder, _ = theirs(folds=3)
    whole = load_model(folder, CPU)
    own = [load_model(folder, How("cpu", folds=(fold,))).sha256 for fold in range(3)]
    assert len(whole.stage.networks) == 3
    assert whole.sha256 == "-".join(own)
    assert len(set(own)) == 3


def test_the_checksum_is_that_of_the_tensors_whatever_the_file(theirs):
    folder, _ = theirs()
    before = load_model(folder, CPU).sha256
    save_weights(folder / "fold_0" / "weights.safetensors", load_weights(folder / "fold_0"))
    (folder / "fold_0" / "checkpoint_final.pth").unlink()
    assert load_model(folder, CPU).sha256 == before


def test_classes_are_counted_as_nnunet_counts_its_outputs(theirs):
    folder, _ = theirs()
    found = load_model(folder, CPU).classes
    manager = nnunets.manager_of(nnunets.plans_with()).get_label_manager(nnunets.PLAIN)
    assert [item.value for item in found] == manager.foreground_labels
    assert [(item.index, item.name) for item in found] == [(1, "pancreas"), (2, "pancreatic_lesion")]
    regions, _ = theirs(table=nnunets.REGIONS, place="regions")
    found = load_model(regions, CPU).classes
    manager = nnunets.manager_of(nnunets.plans_with()).get_label_manager(nnunets.REGIONS)
    assert len(found) == len(manager.foreground_regions)
    assert [(item.index, item.value, item.name) for item in found] == [
        (1, 1, "pancreas"),
        (2, 2, "pancreatic_lesion"),
    ]


@pytest.mark.parametrize(
    ("reader", "order"),
    [
        ("SimpleITKIO", None),
        ("NibabelIO", None),
        ("NibabelIOWithReorient", "RAS"),
        ("SimpleITKIOWithReorient", "RAS"),
    ],
)
def test_the_axis_order_is_that_of_nnunets_reader(theirs, reader, order):
    folder, _ = theirs(image_reader_writer=reader)
    assert load_model(folder, CPU).orientation == order


def test_a_record_says_axis_order_and_label_values(model):
    loaded = load_model(model, CPU)
    assert loaded.orientation == "RPS"
    assert [item.value for item in loaded.classes] == [17, 28]
    assert loaded.record == RECORD


def test_a_record_of_other_classes_is_refused(model, tmp_path):
    made = shutil.copytree(model, tmp_path / "model")
    table = json.loads((made / "dataset.json").read_text())
    table["labels"] = {"background": 0, "pancreas": 1, "cyst": 2}
    (made / "dataset.json").write_text(json.dumps(table))
    write_record(made, RECORD)
    with pytest.raises(
        CheckpointError, match=r"wirsung.json and dataset.json of the model name different classes"
    ):
        load_model(made, CPU)


def test_mirroring_is_along_the_axes_of_training_and_only_where_it_is_asked_for(theirs):
    folder, _ = theirs()
    assert load_model(folder, CPU).stage.mirror_axes == ()
    assert load_model(folder, How("cpu", mirror=True)).stage.mirror_axes == (0, 1)


def test_as_many_tiles_are_computed_at_a_time_as_there_are_threads_and_memory(theirs):
    folder, _ = theirs()
    assert load_model(folder, How("cpu", threads=3)).stage.workers == 3
    content = json.loads((folder / "plans.json").read_text())
    content["configurations"]["3d_fullres"]["patch_size"] = [2048, 2048, 2048]
    (folder / "plans.json").write_text(json.dumps(content))
    assert load_model(folder, How("cpu", threads=3)).stage.workers == 1


def test_a_cascade_brings_its_first_stage_whose_weights_count_in_the_checksum(theirs, tmp_path):
    name, first = "3d_cascade_fullres", "3d_lowres"
    folder, _ = theirs(cascade=True, name=name, place=f"results/t__p__{name}")
    before, _ = theirs(cascade=True, name=first, place=f"results/t__p__{first}")
    loaded = load_model(folder, CPU)
    assert loaded.stage.previous.configuration.name == first
    assert loaded.sha256.startswith(f"{load_model(before, CPU).sha256}-")
    table = {**nnunets.PLAIN, "labels": {**nnunets.PLAIN["labels"], "cyst": 3}}
    other, _ = theirs(cascade=True, name=first, table=table, place="other")
    with pytest.raises(CheckpointError, match="knows other labels than the second stage of the cascade"):
        load_model(folder, How("cpu", previous_stage=other))


def test_a_device_that_is_not_known_is_refused(model):
    with pytest.raises(ConfigError, match="There is no device named 'tpu'"):
        load_model(model, How("tpu"))
