import pytest
import torch
from monai.networks.nets.unetr import UNETR

from wirsung.errors import ConfigError
from wirsung.models.networks.unetr import Unetr


def test_the_logits_are_monais():
    torch.manual_seed(0)
    ours = Unetr(1, 2, patch_size=(16, 32, 16), feature_size=4, hidden_size=24, mlp_size=48, heads=2).eval()
    theirs = UNETR(1, 2, (16, 32, 16), feature_size=4, hidden_size=24, mlp_dim=48, num_heads=2).eval()
    left = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert not left.unexpected_keys
    assert all("norm_cross_attn" in name for name in left.missing_keys)
    image = torch.randn(1, 1, 16, 32, 16)
    with torch.inference_mode():
        assert torch.equal(ours(image), theirs(image))


def test_a_patch_between_the_tokens_is_refused():
    with pytest.raises(ConfigError, match=r"100 x 96 x 96.*multiple of 16.*96 x 96 x 96 would do"):
        Unetr(1, 2, patch_size=(100, 96, 96))
