from dataclasses import replace

import pytest
import torch
from monai.networks.nets.swin_unetr import SwinUNETR

from wirsung.errors import ConfigError
from wirsung.models.networks.swin_unetr import SwinUnetr, fit
from wirsung.models.networks.topology import plan_of_patch


def test_the_logits_are_monais_key_for_key():
    torch.manual_seed(0)
    ours = SwinUnetr(1, 2, feature_size=12, window=4).eval()
    theirs = SwinUNETR(1, 2, feature_size=12, window_size=4).eval()
    theirs.load_state_dict(ours.state_dict())
    image = torch.randn(1, 1, 32, 32, 64)
    with torch.inference_mode():
        assert torch.equal(ours(image), theirs(image))


def test_a_patch_that_leaves_one_voxel_is_refused():
    plan = replace(plan_of_patch((64, 64, 64)), patch_size=(32, 32, 32))
    with pytest.raises(ConfigError, match="leaves one voxel"):
        fit(plan)
