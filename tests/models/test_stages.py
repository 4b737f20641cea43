"""Configurations of two dimensions and of cascades, in the form that prediction runs."""

import pytest

from wirsung.errors import CheckpointError
from wirsung.models.plans import parse_plans
from wirsung.models.stages import at_slices_of, stage_configuration, stage_outline


@pytest.mark.usefixtures("flat_plans")
def test_a_2d_configuration_becomes_one_of_patches_one_slice_thick(plans_content):
    plans_content["transpose_forward"] = [2, 0, 1]
    plans = parse_plans(plans_content)
    assert stage_outline(plans, "2d").obstacles == ()
    assert stage_outline(plans, "2d").patch_size == (16, 16)
    made = stage_configuration(plans, "2d")
    assert made.patch_size == (1, 16, 16)
    # The slices lie along the image's last axis here, whose spacing stays.
    assert at_slices_of(made, (0.7, 0.8, 2.5), plans).spacing_mm == (2.5, 1.5, 1.5)


def test_the_second_stage_of_a_cascade_is_a_plain_configuration(plans_content):
    table = plans_content["configurations"]
    table["3d_cascade_fullres"] = {"inherits_from": "3d_fullres", "previous_stage": "3d_small"}
    plans = parse_plans(plans_content)
    outline = stage_outline(plans, "3d_cascade_fullres")
    assert (outline.obstacles, outline.previous_stage) == ((), "3d_small")
    assert stage_configuration(plans, "3d_cascade_fullres").spacing_mm == (2.0, 1.5, 1.5)


def test_what_is_unknown_stays_an_obstacle(plans_content):
    plans_content["configurations"]["3d_fullres"]["resampling_fn_data"] = "resample_by_magic"
    plans = parse_plans(plans_content)
    assert stage_outline(plans, "3d_fullres").obstacles == ("resamples by resample_by_magic",)
    with pytest.raises(CheckpointError, match="resample_by_magic"):
        stage_configuration(plans, "3d_fullres")
