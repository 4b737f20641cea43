"""Which cases are left to predict."""

import pytest

from wirsung.inference.case import CaseWork
from wirsung.inference.outline import Outline
from wirsung.inference.record import Known
from wirsung.inference.run import predict
from wirsung.inference.settings import PredictSettings
from wirsung.inference.sifting import sifted
from wirsung.inference.sources import find_sources


@pytest.fixture
def images(write_scans):
    return write_scans("one", "two", "three")


@pytest.fixture
def sift(images, model):
    """What is left of the images by the settings that differ."""

    def made(known=None, **others):
        settings = PredictSettings(images, images.parent / "out", model=model, device="cpu", **others)
        work = CaseWork.of(settings)
        outline = Outline.of(settings, work.predictor, work.finishing)
        return sifted(outline, known or Known.of(settings.out), find_sources(images))

    return made


def _statuses(found):
    return {outcome.case: outcome.status for outcome in found.outcomes}


def test_everything_is_left_at_first_and_nothing_after(images, model, sift):
    assert list(sift().tasks) == ["one", "three", "two"]
    predict(PredictSettings(images, images.parent / "out", model=model, device="cpu"))
    found = sift()
    assert found.tasks == {}
    assert _statuses(found) == dict.fromkeys(("one", "three", "two"), "skipped")
    assert list(sift(lesion_probability=True).tasks) == ["one", "three", "two"]


def test_a_file_that_changed_is_left_and_one_that_was_only_touched_is_known_by_its_content(
    images, model, sift
):
    out = images.parent / "out"
    predict(PredictSettings(images, out, model=model, device="cpu"))
    content = (out / "one.nii.gz").read_bytes()
    (out / "two.nii.gz").write_bytes(content)
    (out / "one.nii.gz").unlink()
    (out / "one.nii.gz").write_bytes(content)
    found = sift()
    assert list(found.tasks) == ["two"]
    assert list(found.moved) == ["one"]


def test_what_is_quarantined_stays_so_until_it_is_to_be_tried_again(sift):
    key = sift().tasks["two"].key
    known = Known({})
    known.fail("two", key, {"message": "quarantined: twice its worker was killed", "quarantined": True})
    found = sift(known=known)
    assert list(found.tasks) == ["one", "three"]
    assert _statuses(found) == {"two": "failed"}
    assert found.outcomes[0].is_quarantined
    assert list(sift(known=known, retry=True).tasks) == ["one", "three", "two"]


def test_what_was_noted_is_left_where_strict_refuses_it(images, model, sift):
    out = images.parent / "out"
    predict(PredictSettings(images, out, model=model, device="cpu"))
    known = Known.of(out)
    known.rows["one"].pop("warnings", None)
    known.rows["two"]["warnings"] = ["The image does not look like CT in HU."]
    known.rows["three"].pop("warnings", None)
    assert list(sift(known=known).tasks) == []
    assert list(sift(known=known, strict=True).tasks) == ["two"]
