"""The batch size and the lesion's patches, as nnU-Net's own planners and loader make them."""

import json
from dataclasses import replace

import pytest
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.layout import Dataset
from wirsung.models.plans import parse_plans, read_plans, write_plans
from wirsung.training.batch_size import (
    ASKED,
    batch_size_of,
    lesion_patches_of,
    settled_batch,
    settled_lesion,
)
from wirsung.training.classes import Classes
from wirsung.training.planning import label_table, plan
from wirsung.training.presets import PRESETS
from wirsung.training.workspace import Workspace

# A small network and little memory to plan for: the planner builds every network that it thinks of.
DEFAULT = replace(PRESETS["default"], memory_gb=0.1, features=(4, 16))
NNUNET = replace(DEFAULT, smallest_batch=2, lesion_patches=0.0)
CT = {"spacings": [[2.5, 0.8, 0.8]] * 20, "shapes_after_crop": [[48, 128, 128]] * 20}
"""The spacing of MSD Task07's."""
BUDGET = 560e6 * 0.1 / 8
"""Elements of feature maps for which nnU-Net plans a batch of two in so much memory."""


@pytest.fixture(scope="module")
def cases(shared_dataset):
    return Dataset.open(shared_dataset).cases


@pytest.fixture(scope="module")
def table(cases):
    found = scheme("pants-28")
    return label_table(cases, Classes(found, found.classes))


@pytest.fixture
def planned(cases, table, tmp_path):
    """The function that plans for a large CT."""
    statistics = dict.fromkeys(("mean", "median", "std", "min", "max"), 1.0)
    statistics |= {"percentile_99_5": 2.0, "percentile_00_5": 0.0}
    facts = {
        **CT,
        "foreground_intensity_properties_per_channel": {"0": statistics},
        "median_relative_size_after_cropping": 1.0,
    }
    images = {case.id: case.image_path for case in cases}

    def made(preset, network="nnunet"):
        return plan(Workspace(tmp_path), facts, table, images, preset, network)

    return made


def reference(plans):
    """What nnU-Net's planner counts: elements of feature maps, of the whole batch."""
    from dynamic_network_architectures.architectures.unet import PlainConvUNet
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    found = plans.content["configurations"]["3d_fullres"]
    architecture = found["architecture"]
    network = get_network_from_plans(
        architecture["network_class_name"],
        architecture["arch_kwargs"],
        architecture["_kw_requires_import"],
        1,
        29,
        allow_init=False,
    )
    assert isinstance(network, PlainConvUNet)
    return network.compute_conv_feature_map_size(found["patch_size"]) * found["batch_size"]


def test_four_patches_take_no_more_memory_than_nnunets_two(planned):
    own, ours = planned(NNUNET), planned(DEFAULT)
    assert own.configuration("3d_fullres").batch_size == 2
    assert ours.configuration("3d_fullres").batch_size == 4
    assert reference(ours) <= 2 * BUDGET
    # The patch is the largest that nnU-Net's planner has for it: more than a third of what fitted before.
    assert reference(ours) > 0.67 * reference(own)
    found = batch_size_of(ours)
    own_patch, our_patch = (
        " x ".join(map(str, item.configuration("3d_fullres").patch_size)) for item in (own, ours)
    )
    assert (found.value, found.planned) == (4, 2)
    assert own_patch in found.reason
    assert our_patch in found.reason


def test_nnunets_own_plan_is_left_as_it_is_where_no_more_is_wanted(planned):
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner

    own = planned(NNUNET)
    assert batch_size_of(own).value == batch_size_of(own).planned == 2
    assert own.content["experiment_planner_used"] == ExperimentPlanner.__name__


def test_a_residual_encoder_has_four_patches_too(planned):
    assert planned(DEFAULT, "resenc-m").configuration("3d_fullres").batch_size >= 4


def test_a_batch_that_was_asked_for_keeps_nnunets_patch(planned):
    own = planned(NNUNET).configuration("3d_fullres")
    asked = planned(replace(DEFAULT, batch_size=3))
    assert asked.configuration("3d_fullres").batch_size == 3
    assert asked.configuration("3d_fullres").patch_size == own.patch_size
    assert batch_size_of(asked).reason == ASKED


@pytest.mark.parametrize(
    ("patch", "expected"), [((128, 128, 128), 2), ((64, 128, 128), 4), ((96, 128, 128), 2), ((256,) * 3, 2)]
)
def test_a_patch_that_was_asked_for_is_taken_as_often_as_it_fits(patch, expected):
    configuration = {"batch_size": 2, "patch_size": [128, 128, 128]}
    assert settled_batch(configuration, replace(DEFAULT, patch=patch)).value == expected


def test_more_than_four_are_left_to_the_planner():
    assert settled_batch({"batch_size": 9, "patch_size": [64, 64, 64]}, DEFAULT).value == 9


def test_the_demo_keeps_what_it_had():
    demo = PRESETS["demo"]
    assert settled_batch({"batch_size": 2, "patch_size": [48, 56, 64]}, demo).value == 2
    table = {"labels": {"background": 0, "pancreatic_lesion": 1}}
    assert settled_lesion(table, demo).fraction == 0.0


def test_classes_without_a_lesion_are_drawn_as_nnunet_draws_them(table):
    found = settled_lesion({"labels": {"background": 0, "liver": 1}}, DEFAULT)
    assert (found.fraction, found.label) == (0.0, None)
    assert "no pancreatic lesion" in found.reason
    found = settled_lesion(table, DEFAULT)
    assert (found.fraction, found.label) == (0.25, 28)
    assert "28" in found.reason


def test_nnunet_reads_the_plans_and_past_what_is_ours(planned, table, tmp_path):
    plans = planned(DEFAULT)
    write_plans(tmp_path, plans)
    content = json.loads((tmp_path / "plans.json").read_text())
    manager = PlansManager(content)
    configuration = manager.get_configuration("3d_fullres")
    assert configuration.batch_size == 4
    assert manager.get_label_manager(table).num_segmentation_heads == 29
    again = read_plans(tmp_path)
    assert batch_size_of(again) == batch_size_of(plans)
    assert lesion_patches_of(again).fraction == 0.25


def test_nnunets_own_plans_say_nothing_of_it(planned):
    content = {key: value for key, value in planned(NNUNET).content.items() if key != "wirsung"}
    assert batch_size_of(parse_plans(content)) is None
    assert lesion_patches_of(parse_plans(content)) is None
