"""What the loss compares with."""

import pytest
import torch
from batchgeneratorsv2.transforms.utils.deep_supervision_downsampling import DownsampleSegForDSTransform
from hypothesis import given
from hypothesis import strategies as st

from wirsung.training.augmentation.recipe import Recipe
from wirsung.training.augmentation.targets import coarser, targets


@given(st.integers(2, 40), st.sampled_from([1, 1 / 2, 1 / 4, 1 / 8, 1 / 3, 1 / 5, 2 / 3]))
def test_coarser_labels_are_nnunets(size, fraction):
    labels = torch.arange(size, dtype=torch.int16).view(1, 1, 1, size).expand(1, 2, 3, size)
    if round(size * fraction) < 1:
        return
    (expected,) = DownsampleSegForDSTransform([(1, 1, fraction)])._apply_to_segmentation(labels)
    assert torch.equal(coarser(labels[None], (1, 1, fraction))[0], expected)


def test_what_lies_outside_is_background():
    recipe = Recipe((1, 1, 3), (1, 1, 3))
    assert targets(recipe, torch.tensor([[[[[-1, 0, 2]]]]], dtype=torch.int16)).flatten().tolist() == [
        0,
        0,
        2,
    ]


@pytest.mark.parametrize("scales", [None, ((1.0, 1.0, 1.0), (1.0, 1.0, 0.5))])
def test_each_region_is_a_channel_and_the_ignored_label_the_last(scales):
    recipe = Recipe((1, 1, 4), (1, 1, 4), regions=((1, 2), (2,), (3,)), scales=scales)
    made = targets(recipe, torch.tensor([[[[[1, 2, 3, -1]]]]], dtype=torch.int16))
    finest = made if scales is None else made[0]
    assert finest[0, :, 0, 0].int().tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    if scales:
        assert made[1][0, :, 0, 0].int().tolist() == [[1, 0], [1, 0], [0, 0]]
