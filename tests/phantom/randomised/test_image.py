"""Whole randomised scans: each kind changes what it should, and nothing else; masks tell what is shown."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wirsung.phantom.body import build_body
from wirsung.phantom.centres import image_grid
from wirsung.phantom.plans import plan_case
from wirsung.phantom.randomised.chance import KINDS
from wirsung.phantom.randomised.image import randomised_grid, randomised_image, randomised_plan
from wirsung.phantom.settings import PhantomSettings

SETTINGS = PhantomSettings(Path("out"), tumours=0.5, seed=5)


def _made(*kinds, number=2, **other):
    """Body, voxels and what is told of a case with these kinds of randomisation."""
    settings = replace(SETTINGS, randomise=kinds or ("nothing",), **other)
    plan = randomised_plan(settings, plan_case(settings, number))
    body = build_body(plan.patient, randomised_grid(settings, plan, image_grid(settings, plan.centre)))
    voxels, told = randomised_image(settings, plan, body)
    return body, voxels, told["randomised"]


@pytest.fixture(scope="module")
def nothing():
    return _made()


@pytest.fixture(scope="module")
def ordinary():
    """The case without any of it, and its CT."""
    from wirsung.phantom.cohort import _image

    plan = plan_case(SETTINGS, 2)
    body = build_body(plan.patient, image_grid(SETTINGS, plan.centre))
    return body, *_image(SETTINGS, plan, body)


def test_with_nothing_randomised_the_anatomy_is_the_ordinary_phantoms(nothing, ordinary):
    np.testing.assert_array_equal(nothing[0].tissue, ordinary[0].tissue)
    np.testing.assert_array_equal(nothing[0].grid.affine, ordinary[0].grid.affine)


def test_with_nothing_randomised_the_image_is_the_ordinary_ct_in_a_window(nothing, ordinary):
    body, voxels, _ = nothing
    _, image, told = ordinary
    assert nothing[2]["means"] == told["hu"]
    for name in ("liver", "spleen", "kidney_left", "aorta", "pancreas"):
        inside = body.masks[name]
        # The same CT numbers under another texture, of up to 8 HU over a whole kidney, and other noise.
        expected = (np.clip(image[inside], -160, 240).mean() + 160) * 2.5
        assert voxels[inside].mean() == pytest.approx(expected, abs=45)
    assert voxels.min() == 0
    assert voxels.max() == 1000


@pytest.mark.parametrize("kind", ["contrast", "resolution", "noise"])
def test_what_changes_the_image_leaves_anatomy_and_grid(kind, nothing):
    body, voxels, _ = _made(kind)
    np.testing.assert_array_equal(body.tissue, nothing[0].tissue)
    np.testing.assert_array_equal(body.grid.affine, nothing[0].grid.affine)
    assert (voxels != nothing[1]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_tells_its_own_draws_and_leaves_the_others(kind, nothing):
    _, _, told = _made(kind)
    changed = {part for part in told if told[part] != nothing[2][part]}
    # The ordinary noise of an MR look is a fraction of its brightest tissue.
    allowed = {"contrast": {"means", "style", "noise"}, "deformation": set()}.get(kind, {kind})
    assert changed <= allowed
    assert changed or kind == "deformation"


def test_artefacts_show_a_part_of_the_same_anatomy(nothing):
    whole = nothing[0]
    for number in (1, 3):
        part, _, _ = _made("artefacts", number=number)
        whole, _, _ = _made(number=number)
        first = np.rint(np.linalg.solve(whole.grid.affine, part.grid.affine[:, 3])[:3]).astype(int)
        box = tuple(slice(a, a + n) for a, n in zip(first, part.grid.shape, strict=True))
        # Shapes are sampled anew on the smaller grid: a surface may move by a fraction of a voxel.
        assert np.mean(part.tissue == whole.tissue[box]) > 0.97
        assert np.prod(part.grid.shape) <= np.prod(whole.grid.shape)


def test_deformation_moves_the_anatomy_on_the_same_grid(nothing):
    body, _, _ = _made("deformation")
    np.testing.assert_array_equal(body.grid.affine, nothing[0].grid.affine)
    liver, before = body.masks["liver"], nothing[0].masks["liver"]
    assert 0.3 < 2 * (liver & before).sum() / (liver.sum() + before.sum()) < 0.97


def test_leaving_one_kind_out_leaves_the_draws_of_the_others():
    _, _, everything = _made(*KINDS)
    for kind in KINDS:
        _, _, without = _made(*(other for other in KINDS if other != kind))
        changed = {part for part in without if without[part] != everything[part]}
        allowed = {"contrast": {"means", "style", "noise"}, "deformation": set()}.get(kind, {kind})
        assert changed <= allowed


def test_the_same_seed_gives_the_same_scan_and_another_seed_another():
    first, again = (_made(*KINDS)[1] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = _made(*KINDS, seed=6)[1]
    assert other.shape != first.shape or (other != first).any()


def test_mr_without_random_contrast_is_the_ordinary_mr():
    body, voxels, told = _made("noise", modality="t2")
    assert told["style"] == "t2"
    assert np.median(voxels[body.masks["liver"]]) == pytest.approx(told["means"]["liver"], rel=0.1)


def test_masks_tell_what_the_image_shows():
    """In a scan of random contrast alone, organs differ from each other by what the truth tells."""
    for number in range(1, 5):
        body, voxels, told = _made("contrast", number=number)
        if told["style"] == "ct":
            continue
        for name, material in (("liver", "liver"), ("spleen", "spleen"), ("aorta", "arteries")):
            found = np.median(voxels[body.masks[name]])
            assert found == pytest.approx(told["means"][material], abs=90)
