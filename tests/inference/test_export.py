"""Export against nnU-Net's own."""

import copy

import numpy as np
import pytest
import torch

from wirsung.inference import export as exporting
from wirsung.inference.export import export
from wirsung.models.plans import parse_plans
from wirsung.models.preprocessing import Placement
from wirsung.models.resampling import resampled_shape

TABLE = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "one": 1, "two": 2, "three": 3}}


@pytest.fixture
def setting(request, model):
    import json

    content = json.loads((model / "plans.json").read_text())
    forward, spacing = request.param
    content["transpose_forward"] = forward
    content["transpose_backward"] = [forward.index(axis) for axis in range(3)]
    plans = parse_plans(content)
    configuration = plans.configuration("3d_fullres")
    turned = tuple(spacing[axis] for axis in forward)
    placement = Placement(turned, (20, 30, 26), ((2, 20), (0, 27), (3, 24)))
    small = resampled_shape(placement.cropped_shape, turned, configuration.spacing_mm)
    torch.manual_seed(3)
    logits = torch.nn.functional.interpolate(torch.randn(1, 4, 4, 5, 5), small, mode="trilinear")[0] * 3
    return content, plans, configuration, placement, spacing, logits


CASES = [([0, 1, 2], (2.5, 1.0, 1.1)), ([2, 0, 1], (1.0, 1.2, 2.6)), ([0, 1, 2], (7.0, 1.0, 1.1))]


@pytest.mark.parametrize("setting", CASES, indirect=True)
def test_labels_and_probability_equal_nnunets(setting):
    from nnunetv2.inference.export_prediction import (
        convert_predicted_logits_to_segmentation_with_correct_shape as convert,
    )
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    content, plans, configuration, placement, spacing, logits = setting
    manager = PlansManager(copy.deepcopy(content))
    properties = {
        "spacing": spacing,
        "shape_before_cropping": placement.full_shape,
        "bbox_used_for_cropping": [list(bounds) for bounds in placement.box],
        "shape_after_cropping_and_before_resampling": placement.cropped_shape,
    }
    expected, probabilities = convert(
        logits.clone(),
        manager,
        manager.get_configuration("3d_fullres"),
        manager.get_label_manager(TABLE),
        properties,
        return_probabilities=True,
        num_threads_torch=1,
    )
    made = export(logits, placement, plans, configuration, probability_of=2)
    assert made.indices.shape == expected.shape
    assert (made.indices == expected).mean() > 0.9999
    np.testing.assert_allclose(made.probability, probabilities[2], atol=1e-4)


@pytest.mark.parametrize("setting", CASES, indirect=True)
def test_slabs_of_any_thickness_give_the_same(setting, monkeypatch):
    _, plans, configuration, placement, _, logits = setting
    whole = export(logits, placement, plans, configuration, probability_of=1)
    monkeypatch.setattr(exporting, "_SLAB_VOXELS", 1)
    thin = export(logits, placement, plans, configuration, probability_of=1)
    np.testing.assert_array_equal(thin.indices, whole.indices)
    np.testing.assert_allclose(thin.probability, whole.probability, atol=1e-6)


@pytest.mark.parametrize("setting", CASES[:1], indirect=True)
def test_probabilities_add_up_to_one_inside_the_crop(setting):
    _, plans, configuration, placement, _, logits = setting
    total = sum(
        export(logits, placement, plans, configuration, probability_of=index).probability
        for index in range(4)
    )
    np.testing.assert_allclose(total[placement.slices], 1, atol=1e-5)
    assert total.sum() == pytest.approx(np.prod(placement.cropped_shape), rel=1e-4)
