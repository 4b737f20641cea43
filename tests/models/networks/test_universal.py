"""The Universal Model: backbones, class vectors, and how it sits under a plan."""

import json
import sys

import numpy as np
import pytest
import torch

from wirsung.errors import ConfigError, MissingDependencyError
from wirsung.models.networks.class_embeddings import ClassEmbeddings
from wirsung.models.networks.topology import plan_of_patch
from wirsung.models.networks.universal import UniversalModel, fit

torch.set_num_threads(1)

TINY = {
    "features_per_stage": [4, 6, 8],
    "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
}


def _tiny(classes=3, **changed):
    torch.manual_seed(0)
    network = UniversalModel(1, classes, **{**TINY, **changed})
    network.apply(network.initialize)
    return network


def test_the_backbone_is_nnunets_own_u_net():
    """With the same weights the finest map, through nnU-Net's last layer, is nnU-Net's answer."""
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    network = _tiny()
    theirs = PlainConvUNet(
        1,
        3,
        TINY["features_per_stage"],
        torch.nn.Conv3d,
        TINY["kernel_sizes"],
        TINY["strides"],
        2,
        5,
        2,
        conv_bias=True,
        norm_op=torch.nn.InstanceNorm3d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=torch.nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
    )
    theirs.encoder.load_state_dict(network.backbone.encoder.state_dict())
    theirs.decoder.transpconvs.load_state_dict(network.backbone.ups.state_dict())
    theirs.decoder.stages.load_state_dict(network.backbone.stages.state_dict())
    image = torch.randn(1, 1, 4, 16, 8)
    deepest, maps = network.backbone(image)
    torch.testing.assert_close(theirs.decoder.seg_layers[-1](maps[0]), theirs(image))
    assert deepest.shape == (1, 8, 2, 4, 2)
    assert network.backbone.deepest == 8
    assert [item.shape[1] for item in maps] == network.backbone.maps == [4, 6]


def test_the_parameters_of_the_head_are_those_of_a_count_by_hand():
    """153 numbers a class come from 512 features; no class has weights of its own."""
    features, maps = 320, [32, 64, 128, 256, 320]
    pool = 2 * features + (features * 256 + 256)
    read = 512 * 256 + 256
    controller = 512 * 153 + 153
    reduce = sum(2 * width + width * 8 + 8 for width in maps)
    with torch.device("meta"):
        counts = [sum(item.numel() for item in UniversalModel(1, n).decoder.parameters()) for n in (2, 32)]
    assert counts == [pool + read + controller + reduce] * 2


@pytest.mark.parametrize(
    ("patch", "spacing"),
    [((16, 16, 24), (1.0, 1.0, 1.0)), ((8, 32, 32), (4.0, 1.0, 1.0)), ((32, 16, 16), (1.0, 1.0, 1.0))],
)
def test_a_plan_is_fitted_as_it_is(patch, spacing):
    arguments = fit(plan_of_patch(patch, spacing, features=(2, 8)))
    assert arguments == json.loads(json.dumps(arguments))
    network = UniversalModel(2, 3, deep_supervision=True, **arguments)
    answers = network(torch.randn(1, 2, *patch))
    scales = torch.tensor(arguments["strides"]).cumprod(0)[:-1].tolist()
    assert [tuple(item.shape) for item in answers] == [
        (1, 3, *(size // by for size, by in zip(patch, scale, strict=True))) for scale in scales
    ]


def test_every_parameter_gets_a_gradient():
    network = _tiny(deep_supervision=True, classes_at_once=2)
    sum(item.square().mean() for item in network(torch.randn(2, 1, 8, 16, 16))).backward()
    # An offset before a norm over whole cases moves nothing; nnU-Net has them, and so has this.
    without = [name for name, item in network.named_parameters() if item.grad is None]
    assert without == []


def test_class_vectors_are_saved_with_the_weights():
    rng = np.random.default_rng(0)
    table = ClassEmbeddings(
        {name: rng.normal(size=16).astype(np.float32) for name in ("background", "liver", "aorta")}
    )
    codes = table.codes(["background", "liver", "aorta"])
    trained = _tiny(class_codes=json.loads(json.dumps(codes)))
    again = _tiny(class_codes=[[1.0] * 16] * 3)
    again.load_state_dict(trained.state_dict())
    assert torch.allclose(again.decoder.codes, torch.tensor(codes))
    image = torch.randn(1, 1, 4, 8, 8)
    assert torch.equal(again(image), trained(image))


def test_without_vectors_the_classes_have_a_fixed_orthonormal_table():
    codes = _tiny(classes=5).decoder.codes
    assert codes.shape == (5, 512)
    torch.testing.assert_close(codes @ codes.T, torch.eye(5))
    assert not codes.requires_grad


@pytest.mark.parametrize("codes", [[[1.0, 2.0]] * 2, [[1.0], [1.0, 2.0], [1.0]]])
def test_vectors_that_do_not_fit_the_classes_are_refused(codes):
    with pytest.raises(ConfigError, match="vectors of one width for 3 classes"):
        _tiny(class_codes=codes)


def test_swin_unetr_is_monais_up_to_its_last_layer():
    network = _tiny(backbone="swin-unetr", feature_size=12, deep_supervision=True).eval()
    image = torch.randn(1, 1, 32, 32, 64)
    deepest, maps = network.backbone(image)
    torch.testing.assert_close(maps[0], network.backbone.network(image))
    assert deepest.shape == (1, 192, 1, 1, 2)
    assert [item.shape[1] for item in maps] == network.backbone.maps
    assert [tuple(item.shape[2:]) for item in network(image)] == [
        (32, 32, 64),
        (16, 16, 32),
        (8, 8, 16),
        (4, 4, 8),
        (2, 2, 4),
    ]


def test_swin_unetr_without_monai_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai.networks.nets.swin_unetr", None)
    with pytest.raises(MissingDependencyError, match=r"needs monai.*wirsung\[zoo\]"):
        _tiny(backbone="swin-unetr")
