"""Weights against plans."""

import copy
from pathlib import Path

import pytest
import torch

from wirsung.errors import CheckpointError
from wirsung.models.checking import check_fits, check_same_plans, network_of, notes_on
from wirsung.models.labels import parse_labels
from wirsung.models.networks import build_architecture
from wirsung.models.plans import parse_plans
from wirsung.models.weights import Weights, unique

LABELS = parse_labels(
    {"channel_names": {"0": "CT"}, "labels": {"background": 0, "a": 1}}, source="dataset.json"
)
FILE = Path("fold_0/checkpoint_final.pth")


def _weights(plans, channels=1, classes=2):
    architecture = plans.configuration("3d_fullres").architecture
    network = build_architecture(architecture, channels=channels, classes=classes)
    return Weights(unique(network.state_dict()), "3d_fullres", ())


def test_weights_fit_the_network_that_they_are_of(plans_content):
    plans = parse_plans(plans_content)
    check_fits(plans, LABELS, _weights(plans), FILE)
    with pytest.raises(
        CheckpointError, match=r"encoder\S* has shape \(4, 2, 3, 3, 3\), not \(4, 1, 3, 3, 3\)"
    ):
        check_fits(plans, LABELS, _weights(plans, channels=2), FILE)
    with pytest.raises(CheckpointError, match=r"seg_layers.* has shape \(3, "):
        check_fits(plans, LABELS, _weights(plans, classes=3), FILE)


def test_2d_weights_are_held_against_their_plans_too(flat_plans):
    plans = parse_plans(flat_plans)
    state = unique(network_of(plans.outline("2d"), LABELS).state_dict())
    check_fits(plans, LABELS, Weights(state, "2d", ()), FILE)
    assert state["encoder.stages.0.0.convs.0.conv.weight"].shape == (4, 1, 3, 3)
    del state["decoder.seg_layers.0.bias"]
    with pytest.raises(CheckpointError, match=r"decoder\.seg_layers\.0\.bias is missing"):
        check_fits(plans, LABELS, Weights(state, "2d", ()), FILE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv_op": "os.system"}, "which 2D networks are not built of here"),
        ({"n_stages": 4}, "describe no valid two-dimensional nnU-Net"),
    ],
)
def test_2d_plans_that_make_no_network_are_refused(flat_plans, change, message):
    flat_plans["configurations"]["2d"]["architecture"]["arch_kwargs"] |= change
    with pytest.raises(CheckpointError, match=message):
        network_of(parse_plans(flat_plans).outline("2d"), LABELS)


def test_a_long_list_of_misfits_is_cut(plans_content):
    plans = parse_plans(plans_content)
    with pytest.raises(CheckpointError, match=r"is missing, .* is missing and \d+ more"):
        check_fits(plans, LABELS, Weights({"x": torch.ones(1)}, "3d_fullres", ()), FILE)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda plans: plans.update(transpose_forward=[1, 0, 2]), "transpose_forward"),
        (lambda plans: plans["configurations"]["3d_fullres"].update(patch_size=[8, 8, 8]), "patch_size"),
        (
            lambda plans: plans["configurations"]["3d_fullres"].update(
                normalization_schemes=["NoNormalization"]
            ),
            "normalisations",
        ),
        (
            lambda plans: plans["foreground_intensity_properties_per_channel"]["0"].update(mean=0.0),
            "foreground_intensity_properties_per_channel",
        ),
    ],
)
def test_what_differs_between_two_plans_is_named(plans_content, change, named):

    plans = parse_plans(copy.deepcopy(plans_content))
    check_same_plans(plans, {"init_args": {"plans": plans_content}}, "3d_fullres", FILE)
    change(plans_content)
    with pytest.raises(CheckpointError, match=f"they differ in {named}"):
        check_same_plans(plans, {"init_args": {"plans": plans_content}}, "3d_fullres", FILE)


def test_a_name_or_a_batch_size_makes_no_other_plans(plans_content):

    plans = parse_plans(copy.deepcopy(plans_content))
    plans_content["plans_name"] = "renamed"
    plans_content["configurations"]["3d_fullres"]["batch_size"] = 7
    check_same_plans(plans, {"init_args": {"plans": plans_content}}, "3d_fullres", FILE)
    check_same_plans(plans, {"init_args": {}}, "3d_fullres", FILE)


def test_there_is_nothing_to_say_of_a_plain_model(plans_content):
    assert notes_on(parse_plans(plans_content), LABELS, "3d_fullres") == ()


def test_regions_an_ignore_label_and_2d_are_nothing_to_speak_of(flat_plans):
    table = {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3}
    labels = parse_labels(
        {"channel_names": {"0": "CT"}, "labels": table, "regions_class_order": [1, 2]}, "dataset.json"
    )
    assert notes_on(parse_plans(flat_plans), labels, "2d") == ()


def test_what_can_not_be_predicted_is_said(plans_content):
    own = plans_content["configurations"]["3d_fullres"]
    own["architecture"]["network_class_name"] = "theirs.Network"
    own["normalization_schemes"] = ["RGBTo01Normalization"]
    assert notes_on(parse_plans(plans_content), LABELS, "3d_fullres") == (
        "Wirsung can't predict with it: the configuration 3d_fullres normalises by RGBTo01Normalization.",
        "Wirsung can't predict with it: the network theirs.Network is not in the catalog.",
    )
