"""The record of a model folder."""

import json
from dataclasses import replace

import pytest

from wirsung.errors import CheckpointError, ConfigError
from wirsung.models.folder import (
    FoldRecord,
    ModelClass,
    Record,
    finished_folds,
    fold_folder,
    joined_modalities,
    modality_of,
    read_record,
    write_record,
)

RECORD = Record(
    scheme="demo-7",
    classes=(ModelClass(1, 6, "pancreas"),),
    orientation="RPS",
    modality="ct",
    network="nnunet",
    preset="demo",
    plan_key="abc",
    folds={"0": FoldRecord(("a",), ("b",), "key", 3, 1.5, "sum")},
)


def test_a_record_survives_a_round_trip(tmp_path):
    write_record(tmp_path, RECORD)
    assert read_record(tmp_path) == RECORD


def test_the_best_epoch_is_told_and_older_records_know_of_none(tmp_path):
    best = {"epoch": 812, "of": "pancreatic_lesion", "score": 0.5, "mean": 0.75}
    told = replace(RECORD, folds={"0": replace(RECORD.folds["0"], best=best)})
    write_record(tmp_path, told)
    assert read_record(tmp_path) == told
    content = json.loads((tmp_path / "wirsung.json").read_text())
    del content["folds"]["0"]["best"]
    (tmp_path / "wirsung.json").write_text(json.dumps(content))
    assert read_record(tmp_path) == RECORD


def test_a_folder_of_nnunet_has_no_record(tmp_path):
    assert read_record(tmp_path) is None


def test_damaged_and_later_records_are_refused(tmp_path):
    write_record(tmp_path, RECORD)
    content = json.loads((tmp_path / "wirsung.json").read_text())
    (tmp_path / "wirsung.json").write_text(json.dumps({**content, "schema": 2}))
    with pytest.raises(CheckpointError, match="has schema 2"):
        read_record(tmp_path)
    del content["classes"]
    (tmp_path / "wirsung.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="is damaged"):
        read_record(tmp_path)


def test_finished_folds_are_those_with_final_weights(tmp_path):
    for fold in ("all", 10, 2, 3):
        fold_folder(tmp_path, fold).mkdir()
    for fold in ("all", 10):
        (fold_folder(tmp_path, fold) / "weights.safetensors").touch()
    (fold_folder(tmp_path, 2) / "checkpoint_final.pth").touch()
    (fold_folder(tmp_path, 3) / "checkpoint_latest.pth").touch()
    assert finished_folds(tmp_path) == ("2", "10", "all")


def test_a_record_of_one_modality_reads_as_before():
    assert RECORD.modalities == ("ct",)


def test_a_record_of_several_modalities_survives_a_round_trip(tmp_path):
    joined = joined_modalities(["t2", "ct", "t1", "t2"])
    write_record(tmp_path, replace(RECORD, modality=joined))
    assert json.loads((tmp_path / "wirsung.json").read_text())["modality"] == "ct+t1+t2"
    assert read_record(tmp_path).modalities == ("ct", "t1", "t2")


def test_an_image_is_prepared_as_what_the_model_learnt():
    joint = replace(RECORD, modality="ct+t1")
    assert modality_of(RECORD, "ct") == modality_of(RECORD, None) == "ct"
    assert modality_of(joint, "t1") == "t1"
    assert modality_of(joint, "other") == "other"
    with pytest.raises(ConfigError, match="of modality t1, but the model learnt ct"):
        modality_of(RECORD, "t1")
    with pytest.raises(ConfigError, match="nobody told"):
        modality_of(joint, None)


def test_a_model_of_nnunets_own_takes_any_image():
    assert modality_of(None, "t1") == "t1"
    assert modality_of(None, None) is None
