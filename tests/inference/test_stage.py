"""A stage's parts, each held against nnU-Net's own: what the network sees, its mean logits, the labels."""

import copy
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from tests.inference import nnunets

from wirsung.inference.loading import How, load_model
from wirsung.inference.stage import Clock, Image, stacked

GENERATOR = torch.Generator()


def one_tile(channels=1, shape=(16, 16, 16)):
    return torch.randn(channels, *shape, generator=GENERATOR.manual_seed(1))


@pytest.fixture
def theirs(tmp_path):
    """A function that makes a stage of nnU-Net's making, its plans and its networks."""

    def make(*, table=nnunets.PLAIN, name="3d_fullres", folds=1, steps=20, mirror=False, **changes):
        content = nnunets.plans_with(**changes)
        networks = [
            nnunets.trained_network(content, name, table, seed=seed, steps=steps) for seed in range(folds)
        ]
        folder = nnunets.write_model(tmp_path / name, content, name, table, networks)
        return load_model(folder, How("cpu", mirror=mirror, threads=1)).stage, content, networks

    return make


@pytest.fixture
def image(make_scan):
    volume, _ = make_scan((26, 22, 24))
    return Image(stacked([volume.voxels]), (2.0, 1.5, 1.5))


def test_logits_are_the_mean_of_the_folds(theirs):
    stage, _, networks = theirs(folds=3, steps=1)
    tile = one_tile()
    with torch.inference_mode():
        expected = torch.stack([network(tile[None])[0] for network in networks]).mean(0)
    torch.testing.assert_close(stage.logits(tile), expected, rtol=1e-4, atol=1e-4)


def test_mirrored_logits_are_the_mean_over_every_way_to_mirror(theirs):
    stage, _, (network,) = theirs(steps=1, mirror=True)
    tile = one_tile()
    with torch.inference_mode():
        answers = []
        for count in range(3):
            for axes in combinations((2, 3), count):
                answers.append(torch.flip(network(torch.flip(tile[None], axes)), axes)[0])
    assert len(answers) == 4
    torch.testing.assert_close(stage.logits(tile), torch.stack(answers).mean(0), rtol=1e-4, atol=1e-4)


def test_a_network_of_slices_answers_slice_by_slice(theirs):
    stage, _, (network,) = theirs(flat=True, name="2d", steps=1)
    tile = one_tile(shape=(3, 16, 16))
    with torch.inference_mode():
        expected = network(tile.transpose(0, 1)).transpose(0, 1)
    torch.testing.assert_close(stage.logits(tile), expected, rtol=1e-4, atol=1e-4)


def test_what_the_network_sees_is_what_nnunet_prepares(theirs, image):
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor

    stage, content, _ = theirs(steps=1, transpose_forward=[1, 0, 2], transpose_backward=[1, 0, 2])
    manager = nnunets.manager_of(content)
    data = image.voxels.astype(np.float32)
    expected, _, properties = DefaultPreprocessor(verbose=False).run_case_npy(
        data,
        None,
        {"spacing": list(image.spacing_mm)},
        manager,
        manager.get_configuration("3d_fullres"),
        copy.deepcopy(nnunets.PLAIN),
    )
    made, placement = stage.prepared(image, Clock())
    np.testing.assert_allclose(made.numpy(), expected, atol=1e-3)
    assert placement.cropped_shape == tuple(properties["shape_after_cropping_and_before_resampling"])


def test_the_second_stage_of_a_cascade_sees_each_class_of_the_first_as_a_channel(theirs, image):
    first, _, _ = theirs(cascade=True, name="3d_lowres")
    made, _ = first.after(first).prepared(image, Clock())
    before = first.segment(image).indices
    assert made.shape[0] == 1 + 2
    assert set(np.unique(made[1:].numpy())) <= {0.0, 1.0}
    shares = made[1:].mean(dim=(1, 2, 3)).numpy()
    np.testing.assert_allclose(shares, [(before == value).mean() for value in (1, 2)], atol=0.02)


@pytest.mark.parametrize("table", [nnunets.PLAIN, nnunets.REGIONS], ids=["classes", "regions"])
def test_labels_are_nnunets(theirs, image, table):
    stage, content, networks = theirs(table=table)
    with nnunets.full_precision():
        expected = nnunets.nnunets_answer(
            content, "3d_fullres", table, networks, image.voxels, image.spacing_mm
        )
    found = stage.segment(image)
    assert (found.indices == expected).mean() >= 0.9999
    assert found.probability is None
    assert len(np.unique(expected)) == 3


def test_the_probability_that_is_wanted_is_nnunets(theirs, image):
    from nnunetv2.inference.export_prediction import (
        convert_predicted_logits_to_segmentation_with_correct_shape as convert,
    )

    stage, content, _ = theirs()
    probability = stage.segment(image, wanted=2).probability
    manager = nnunets.manager_of(content)
    made, _ = stage.prepared(image, Clock())
    logits = stage.logits(made)
    shape = image.voxels.shape[1:]
    properties = {
        "spacing": list(image.spacing_mm),
        "shape_before_cropping": shape,
        "shape_after_cropping_and_before_resampling": shape,
        "bbox_used_for_cropping": [[0, size] for size in shape],
    }
    _, expected = convert(
        logits,
        manager,
        manager.get_configuration("3d_fullres"),
        manager.get_label_manager(nnunets.PLAIN),
        properties,
        return_probabilities=True,
    )
    np.testing.assert_allclose(probability, expected[2], atol=2e-3)


def test_on_less_memory_the_labels_are_the_same(theirs, image):
    stage, _, _ = theirs(steps=10)
    frugal = stage.frugal()
    assert (frugal.is_frugal, frugal.workers) == (True, 1)
    np.testing.assert_array_equal(frugal.segment(image).indices, stage.segment(image).indices)


def test_values_above_255_take_16_bits(theirs):
    stage, _, _ = theirs(table=nnunets.REGIONS, steps=1)
    assert stage.meaning.values.dtype == np.uint8
    assert stage.meaning.values.tolist() == [0, 1, 2]
    wide = replace(stage, labels=replace(stage.labels, region_order=(1, 300)))
    assert wide.meaning.values.dtype == np.uint16
    assert wide.meaning.values.tolist() == [0, 1, 300]


def test_the_clock_counts_each_part_and_no_second_twice(theirs, image):
    stage, _, _ = theirs(steps=1)
    clock = Clock()
    stage.segment(image, clock=clock)
    assert {"preparing", "network", "labels"} <= set(clock.seconds)
    assert "inside" not in clock.seconds
    before = dict(clock.seconds)
    stage.segment(image, clock=clock)
    assert all(clock.seconds[part] >= before[part] for part in ("preparing", "network"))
    assert len(clock.work) == 2


def test_one_volume_is_stacked_without_a_copy_and_several_are_channels():
    first, second = np.arange(24).reshape(2, 3, 4), np.arange(24, 48).reshape(2, 3, 4)
    one = stacked([first])
    assert one.shape == (1, 4, 3, 2)
    assert np.shares_memory(one, first)
    both = stacked([first, second])
    assert both[1, 3, 2, 1] == second[1, 2, 3]
