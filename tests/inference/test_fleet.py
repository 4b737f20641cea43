"""Several processes with a warm model each: the same files, and a worker's death is one case's alone."""

import json
import sys
from pathlib import Path

import pytest
import torch

from wirsung.compute.ledger import read_ledger
from wirsung.errors import CheckpointError, ConfigError
from wirsung.inference.fleet import places_of
from wirsung.inference.run import predict
from wirsung.inference.settings import PredictSettings

HERE = str(Path(__file__).parent)


@pytest.fixture
def images(write_scans):
    return write_scans("one", "three", "two")


@pytest.fixture
def deadly_workers(monkeypatch):
    """Workers that do what the case's name says; they inherit the search path."""
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv("PYTHONPATH", HERE)
    sys.modules.pop("deadly", None)
    import deadly

    monkeypatch.setattr("wirsung.inference.fleet.predict_case", deadly.predict)


def settings_of(images, model, out="out", **others):
    return PredictSettings(images, images.parent / out, model=model, device="cpu", **others)


def statuses(outcomes):
    return {item.case: item.status for item in outcomes}


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.nii.gz")}


@pytest.mark.slow
def test_workers_write_what_one_process_writes_and_one_process_resumes_what_they_left(images, model):
    predict(settings_of(images, model))
    outcomes = predict(settings_of(images, model, "shared", workers=2))
    assert statuses(outcomes) == dict.fromkeys(("one", "three", "two"), "done")
    assert [item.case for item in outcomes] == ["one", "three", "two"]
    alone, shared = (images.parent / name for name in ("out", "shared"))
    assert files_of(alone) == files_of(shared)
    told = [json.loads((folder / "predictions.json").read_text()) for folder in (alone, shared)]
    assert told[0]["model_sha256"] == told[1]["model_sha256"]
    for case in told[0]["cases"]:
        assert told[0]["cases"][case]["key"] == told[1]["cases"][case]["key"]
        assert told[0]["cases"][case]["sha256"] == told[1]["cases"][case]["sha256"]
    again = predict(settings_of(images, model, "shared"))
    assert statuses(again) == dict.fromkeys(("one", "three", "two"), "skipped")


@pytest.mark.usefixtures("deadly_workers")
def test_a_case_that_kills_its_worker_twice_is_set_aside_and_not_tried_by_the_next_call(images, model):
    predict(settings_of(images, model, "alone"))
    (images / "one.nii.gz").rename(images / "killer.nii.gz")
    outcomes = predict(settings_of(images, model, workers=2))
    assert statuses(outcomes) == {"killer": "failed", "three": "done", "two": "done"}
    message = outcomes[0].message
    assert "quarantined: twice its worker was killed" in message
    assert "--retry" in message
    for name in ("three.nii.gz", "two.nii.gz"):
        assert files_of(images.parent / "out")[name] == files_of(images.parent / "alone")[name]
    told = json.loads((images.parent / "out" / "predictions.json").read_text())
    assert list(told["cases"]) == ["three", "two"]
    assert told["failed"] == {"killer": {"message": message, "quarantined": True}}
    begun = (images.parent / "begun.txt").read_text().splitlines()
    assert sorted(line.split()[0] for line in begun) == ["killer", "killer", "three", "two"]

    outcomes = predict(settings_of(images, model, workers=2))
    assert statuses(outcomes) == {"killer": "failed", "three": "skipped", "two": "skipped"}
    assert outcomes[0].message == message
    assert (images.parent / "begun.txt").read_text().splitlines() == begun


@pytest.mark.slow
@pytest.mark.usefixtures("deadly_workers")
def test_a_case_that_was_set_aside_is_done_when_it_is_tried_again_by_sane_workers(images, model, monkeypatch):
    (images / "one.nii.gz").rename(images / "killer.nii.gz")
    predict(settings_of(images, model, workers=2))
    monkeypatch.undo()
    outcomes = predict(settings_of(images, model, workers=2, retry=True))
    assert statuses(outcomes) == {"killer": "done", "three": "skipped", "two": "skipped"}
    assert "failed" not in json.loads((images.parent / "out" / "predictions.json").read_text())


@pytest.mark.slow
@pytest.mark.usefixtures("deadly_workers")
def test_a_case_that_lost_its_worker_is_tried_once_more_on_less_memory(images, model):
    predict(settings_of(images, model, "calm"))
    (images / "one.nii.gz").rename(images / "unlucky.nii.gz")
    outcomes = predict(settings_of(images, model, workers=2))
    assert statuses(outcomes) == {"three": "done", "two": "done", "unlucky": "done"}
    assert (images.parent / "frugal.txt").read_text().count("\n") == 1
    calm, out = images.parent / "calm", images.parent / "out"
    assert (out / "unlucky.nii.gz").read_bytes() == (calm / "one.nii.gz").read_bytes()
    assert read_ledger(out / "predictions.jsonl")["unlucky"].status == "done"


@pytest.mark.slow
@pytest.mark.usefixtures("deadly_workers")
def test_workers_that_can_not_load_the_model_end_the_run_and_blame_no_case(images, model, monkeypatch):
    import deadly

    monkeypatch.setattr("wirsung.inference.fleet.predict_case", deadly.predict_without_model)
    with pytest.raises(CheckpointError, match=r"A worker can't load the model: .*elsewhere"):
        predict(settings_of(images, model, workers=2))
    assert "failed" not in json.loads((images.parent / "out" / "predictions.json").read_text())


@pytest.mark.slow
def test_a_cluster_writes_what_one_process_writes(images, model):
    predict(settings_of(images, model))
    outcomes = predict(settings_of(images, model, "shared", cluster="local:2"))
    assert statuses(outcomes) == dict.fromkeys(("one", "three", "two"), "done")
    assert files_of(images.parent / "out") == files_of(images.parent / "shared")
    again = predict(settings_of(images, model, "shared", cluster="local:2"))
    assert statuses(again) == dict.fromkeys(("one", "three", "two"), "skipped")


def test_more_gpus_than_there_are_are_refused_before_any_work(images, model):
    count = torch.cuda.device_count() + 1
    with pytest.raises(ConfigError, match=rf"--gpus {count} asks for more than the {count - 1}"):
        predict(PredictSettings(images, images.parent / "out", model=model, gpus=count))
    assert not (images.parent / "out").exists()


def test_workers_take_turns_on_the_gpus_that_the_environment_allows(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    settings = PredictSettings(tmp_path, tmp_path, gpus=2, workers=4)
    assert [place["CUDA_VISIBLE_DEVICES"] for place in places_of(settings)] == ["5", "7", "5", "7"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    places = places_of(PredictSettings(tmp_path, tmp_path, gpus=2))
    assert [place["CUDA_VISIBLE_DEVICES"] for place in places] == ["0", "1"]


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"cluster": "local:2", "workers": 2}, "--cluster says where"),
        ({"gpus": 2, "device": "cpu"}, "say two things"),
        ({"workers": 0}, "workers is 0"),
        ({"gpus": 0}, "gpus is 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path, others, said):
    with pytest.raises(ConfigError, match=said):
        PredictSettings(tmp_path, tmp_path, **others)
