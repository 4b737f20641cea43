"""A case that runs out of memory is tried once more on less, and then set aside."""

import json

import pytest
import torch

from wirsung.errors import WirsungError
from wirsung.imaging.nifti import write_nifti
from wirsung.inference.memory import sparing
from wirsung.inference.predictor import Predictor
from wirsung.inference.run import predict
from wirsung.inference.settings import PredictSettings


def too_much_of_python():
    return bytearray(2**62)


def too_much_of_torch():
    return torch.empty(2**52)


@pytest.mark.parametrize("too_much", [too_much_of_python, too_much_of_torch])
def test_what_runs_out_of_memory_is_tried_again_the_other_way(too_much):
    assert sparing(too_much, lambda: "less") == "less"
    with pytest.raises(WirsungError, match="quarantined: twice there was not enough memory"):
        sparing(too_much, too_much)


def test_other_errors_are_passed_on():
    with pytest.raises(RuntimeError, match="size"):
        sparing(lambda: torch.ones(2) + torch.ones(3), lambda: "never")
    with pytest.raises(ZeroDivisionError):
        sparing(lambda: 1 / 0, lambda: "never")


@pytest.fixture
def images(tmp_path, make_scan):
    for seed, name in enumerate(("large", "small")):
        shape = (40, 18, 16) if name == "large" else (20, 18, 16)
        write_nifti(tmp_path / "images" / f"{name}.nii.gz", make_scan(shape, seed=seed)[0])
    return tmp_path / "images"


def _wanting(monkeypatch, is_enough):
    """Let large images ask for more memory than there is, unless the predictor is enough for them."""
    plain = Predictor.predict

    def call(self, volume, **others):
        if volume[0].shape[0] == 40 and not is_enough(self):
            too_much_of_torch()
        return plain(self, volume, **others)

    monkeypatch.setattr(Predictor, "predict", call)


def test_the_second_try_of_a_large_image_is_frugal_and_gives_the_same(images, model, monkeypatch):
    settings = PredictSettings(images, images.parent / "out", model=model, device="cpu")
    predict(settings)
    whole = (settings.out / "large.nii.gz").read_bytes()
    (settings.out / "large.nii.gz").unlink()
    _wanting(monkeypatch, lambda predictor: predictor.parts[0].loaded.stage.is_frugal)
    assert [item.status for item in predict(settings)] == ["done", "skipped"]
    assert (settings.out / "large.nii.gz").read_bytes() == whole


def test_an_image_that_is_too_large_either_way_is_set_aside_until_it_is_to_be_tried_again(
    images, model, monkeypatch
):
    settings = PredictSettings(images, images.parent / "out", model=model, device="cpu")
    with monkeypatch.context() as patch:
        _wanting(patch, lambda _predictor: False)
        large, small = predict(settings)
    assert (large.status, small.status) == ("failed", "done")
    assert large.message.startswith(
        "quarantined: twice there was not enough memory. Try it again with --retry"
    )
    failed = json.loads((settings.out / "predictions.json").read_text())["failed"]
    assert failed == {"large": {"message": large.message, "quarantined": True}}
    assert [item.status for item in predict(settings)] == ["failed", "skipped"]
    again = PredictSettings(images, settings.out, model=model, device="cpu", retry=True)
    assert [item.status for item in predict(again)] == ["done", "skipped"]
