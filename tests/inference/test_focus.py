"""Where a network looks, from the image to the label map, by preset."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from scipy import ndimage
from tests.inference.nnunets import PLAIN, REGIONS, plans_with, trained_network, write_model
from torch import nn

from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.inference.focus import cube
from wirsung.inference.predictor import How, Predictor
from wirsung.inference.run import predict
from wirsung.inference.settings import PredictSettings


def _organ(*, centre=(50, 44, 30), shape=(84, 70, 56), radius=7, seed=0):
    """A volume with one bright organ, its core brighter, in noise; RAS, 1.5 x 1.5 x 2 mm."""
    random = np.random.default_rng(seed)
    places = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    far = np.sqrt(sum(((one - at) / radius) ** 2 for one, at in zip(places, centre, strict=True)))
    voxels = np.where(far < 0.6, 200.0, np.where(far < 1, 100.0, 0.0))
    voxels = ndimage.gaussian_filter(voxels, 0.7) + random.normal(0, 8, shape)
    return Volume(voxels.round().astype(np.int16), np.diag([1.5, 1.5, 2.0, 1.0]))


class Brightness(nn.Module):
    """Tells 0, 100 and 200 HU apart, voxel by voxel; of regions, what is above 50 and 150."""

    def __init__(self, *, regions=False):
        super().__init__()
        self.regions = regions

    def forward(self, batch):
        hu = batch[:, :1] * 80 + 100
        if self.regions:
            return torch.cat([(hu - level) / 10 for level in (50, 150)], 1)
        return torch.cat([-(((hu - level) / 25) ** 2) for level in (0, 100, 200)], 1)


def _stage(predictor):
    return predictor.parts[0].loaded.stage


def _with(predictor, **changes):
    """The predictor with another stage."""
    part = predictor.parts[0]
    loaded = dataclasses.replace(part.loaded, stage=dataclasses.replace(part.loaded.stage, **changes))
    return dataclasses.replace(predictor, parts=(dataclasses.replace(part, loaded=loaded),))


def _seeing(predictor, *, regions=False):
    """The predictor with that network in place of its own."""
    networks, previous = (Brightness(regions=regions),), _stage(predictor).previous
    if previous is not None:
        previous = dataclasses.replace(previous, networks=networks)
    return _with(predictor, networks=networks, previous=previous)


@pytest.fixture(scope="module")
def predictors(model):
    names = ("exact", "balanced", "fast")
    return {name: _seeing(Predictor.load(model, how=How("cpu", preset=name))) for name in names}


def _box(made, codes="RPS"):
    """The region as slices, and the label map in the axis order that it is told in."""
    (work,) = made.work
    box = tuple(slice(*bounds) for bounds in work["region"]["box_voxels"])
    return box, reorient(made.label_map, codes).voxels


@pytest.mark.parametrize("preset", ["balanced", "fast"])
def test_within_the_region_the_labels_are_those_of_exact(predictors, preset):
    volume = _organ()
    exact, made = predictors["exact"].predict(volume), predictors[preset].predict(volume)
    box, found = _box(made)
    expected = reorient(exact.label_map, "RPS").voxels
    assert (expected > 0).sum() > 300
    assert (expected[box] > 0).sum() == (expected > 0).sum()
    assert (found[box] == expected[box]).mean() >= 0.999
    outside = np.ones(found.shape, bool)
    outside[box] = False
    assert outside.mean() > 0.3
    assert not found[outside].any()
    tiles, before = made.work[0]["tiles"]["computed"], exact.work[0]["tiles"]["computed"]
    assert tiles < 0.7 * before


@pytest.mark.parametrize("codes", ["LPS", "SAR"])
def test_the_region_does_not_depend_on_the_orientation(predictors, codes):
    volume = _organ()
    made, turned = predictors["fast"].predict(volume), predictors["fast"].predict(reorient(volume, codes))
    assert turned.work == made.work
    np.testing.assert_array_equal(reorient(turned.label_map, "RAS").voxels, made.label_map.voxels)


def test_exact_looks_at_the_whole_image_and_says_how_many_tiles(predictors):
    (work,) = predictors["exact"].predict(_organ()).work
    assert "region" not in work
    # 84 x 70 x 56 voxels are 56 x 70 x 84 of the network's, in tiles of 16 that are 8 apart.
    assert work["tiles"] == {"computed": 6 * 8 * 10, "repeated": 0, "outside_body": 0}
    assert work["step"] == [0.5, 0.5, 0.5]


def test_where_the_first_pass_finds_nothing_the_whole_image_is_predicted(predictors):
    volume = _organ(centre=(400, 400, 400))
    made = predictors["fast"].predict(volume)
    (work,) = made.work
    assert "nothing" in work["region"]["why"]
    assert "box_voxels" not in work["region"]
    assert work["tiles"]["computed"] > 300
    assert (made.label_map.voxels == predictors["exact"].predict(volume).label_map.voxels).mean() > 0.999


def test_what_was_cut_off_is_predicted_again_on_the_whole_image(predictors):
    # With such a margin the part begins within the organ, which is larger than a tile.
    preset = _stage(predictors["fast"]).preset
    rule = dataclasses.replace(preset.region, margin_mm=-14.0)
    predictor = _with(predictors["fast"], preset=dataclasses.replace(preset, region=rule))
    volume = _organ(radius=22)
    made = predictor.predict(volume)
    assert "border" in made.work[0]["region"]["why"]
    assert "box_voxels" not in made.work[0]["region"]
    np.testing.assert_array_equal(made.label_map.voxels, predictors["exact"].predict(volume).label_map.voxels)


def test_air_around_the_body_takes_no_tile(predictors):
    volume = _organ(shape=(120, 110, 60), centre=(60, 60, 30))
    voxels = volume.voxels.copy()
    voxels[:36], voxels[84:], voxels[:, :36], voxels[:, 84:] = -1000, -1000, -1000, -1000
    volume = volume.with_voxels(voxels)
    whole = dataclasses.replace(_stage(predictors["balanced"]).preset, region=None)
    exact, fast = (
        predictors["exact"].predict(volume),
        _with(predictors["balanced"], preset=whole).predict(volume),
    )
    # Both compute next to no tile of air: exact knows most for one value, balanced most for air.
    before, now = exact.work[0]["tiles"], fast.work[0]["tiles"]
    assert before["repeated"] > 200
    assert now["outside_body"] > 100
    assert now["outside_body"] + now["repeated"] == before["repeated"]
    inside = (slice(40, 80), slice(40, 80))
    same = fast.label_map.voxels[inside] == exact.label_map.voxels[inside]
    assert same.mean() > 0.99


def test_a_merged_table_that_wants_one_class_looks_where_that_is(model, tmp_path):
    table = f'schema = 1\n[classes]\npancreatic_lesion = 3\n[[parts]]\nmodel = "{model}"\n'
    (tmp_path / "table.toml").write_text(table)
    predictor = _seeing(Predictor.load(tmp_path / "table.toml", how=How("cpu", preset="fast")))
    made = predictor.predict(_organ())
    _, found = _box(made)
    assert set(np.unique(found)) == {0, 3}
    assert made.work[0]["region"]["share"] < 0.6


@pytest.mark.parametrize("kind", ["cascade", "flat", "regions"])
def test_other_kinds_of_models_have_their_region_too(kind, tmp_path):
    content = plans_with(cascade=kind == "cascade", flat=kind == "flat")
    table = REGIONS if kind == "regions" else PLAIN
    names = {"cascade": ("3d_lowres", "3d_cascade_fullres"), "flat": ("2d",), "regions": ("3d_fullres",)}[
        kind
    ]
    for name in names:
        network = trained_network(content, name, table, steps=0)
        write_model(tmp_path / name, content, name, table, [network])
    is_regions = kind == "regions"
    exact, fast = (
        _seeing(Predictor.load(tmp_path / names[-1], how=How("cpu", preset=preset)), regions=is_regions)
        for preset in ("exact", "fast")
    )
    expected, made = exact.predict(_organ()), fast.predict(_organ())
    assert (expected.label_map.voxels > 0).sum() > 300
    assert (made.label_map.voxels == expected.label_map.voxels).mean() > 0.9999
    assert len(made.work) == len(names)
    assert "box_voxels" in made.work[-1]["region"]
    assert made.work[-1]["tiles"]["computed"] < expected.work[-1]["tiles"]["computed"]


def test_the_preset_is_part_of_what_a_prediction_is_known_by(model, tmp_path):
    images = tmp_path / "images"
    write_nifti(images / "one.nii.gz", _organ(shape=(30, 30, 30), centre=(15, 15, 15)))

    def statuses(**others):
        settings = PredictSettings(images, tmp_path / "out", model=model, device="cpu", **others)
        return [outcome.status for outcome in predict(settings)]

    assert statuses() == ["done"]
    assert statuses(preset="exact", step=0.5) == ["skipped"]
    assert statuses(preset="balanced") == ["done"]
    assert statuses(preset="balanced") == ["skipped"]
    assert statuses(preset="fast") == ["done"]
    record = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert record["settings"]["preset"] == "fast"
    (work,) = record["cases"]["one"]["work"]
    assert work["tiles"]["computed"] > 0
    assert work["region"]["why"]


def test_splines_of_logits_take_the_whole_image(model, tmp_path):
    shutil.copytree(model, tmp_path / "m")
    plans = json.loads((tmp_path / "m" / "plans.json").read_text())
    plans["configurations"]["3d_fullres"]["resampling_fn_probabilities_kwargs"]["order"] = 3
    (tmp_path / "m" / "plans.json").write_text(json.dumps(plans))
    made = Predictor.load(tmp_path / "m", how=How("cpu", preset="fast")).predict(_organ())
    assert "splines" in made.work[0]["region"]["why"]


def test_a_shape_has_three_numbers():
    with pytest.raises(ValueError, match="unpack"):
        cube([1, 2])
