"""MedNeXt against MONAI's own forward pass."""

from dataclasses import replace

import pytest
import torch
from monai.networks.nets.mednext import create_mednext

from wirsung.errors import ConfigError
from wirsung.models.networks.blueprint import blueprint, count_parameters
from wirsung.models.networks.mednext import MedNeXt, fit
from wirsung.models.networks.topology import plan_of_patch


def test_the_logits_are_monais():
    torch.manual_seed(0)
    ours = MedNeXt(1, 3, size="S", width=4, deep_supervision=True)
    image = torch.randn(1, 1, 32, 16, 16)
    theirs = ours.network.train()
    # MONAI gives the outputs only while training, and would have a fifth.
    theirs.out_blocks.insert(0, torch.nn.Identity())
    expected = theirs(image)
    del theirs.out_blocks[0]
    found = ours(image)
    assert len(found) == 4
    for mine, other in zip(found, expected[:4], strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("size", ["S", "B", "M", "L"])
def test_each_size_is_monais_less_the_lowest_output(size):
    ours = blueprint(lambda: MedNeXt(1, 2, size=size))
    theirs = blueprint(lambda: create_mednext(size, deep_supervision=True))
    lowest = 512 * 2 + 2
    dummy = sum(item.numel() for name, item in theirs.named_parameters() if "dummy" in name)
    assert count_parameters(ours) == count_parameters(theirs) - lowest - dummy


def test_an_unknown_size_or_other_strides_are_refused():
    with pytest.raises(ConfigError, match="no size 'XL'"):
        MedNeXt(1, 2, size="XL")
    with pytest.raises(ConfigError, match="halves each axis 4 times"):
        MedNeXt(1, 2, strides=[[1, 1, 1], [1, 2, 2]])


def test_a_patch_that_leaves_one_voxel_is_refused():
    plan = replace(plan_of_patch((32, 32, 32)), patch_size=(16, 16, 16))
    with pytest.raises(ConfigError, match=r"leaves one voxel. A patch of 32 x 32 x 32 would do"):
        fit(plan)
