"""The network of a genotype."""

import json

import pytest
import torch

from wirsung.errors import ConfigError
from wirsung.models.networks.scnas import Scnas, fit
from wirsung.models.networks.topology import plan_of_patch

torch.set_num_threads(1)

GENOTYPE = {
    "encoder": [[["conv"], ["none", "identity"]]],
    "reduction": [[["strided-conv"], ["max-pool", "none"]]],
    "decoder": [[["conv", "identity"], ["none", "none", "dilated-conv"]]],
    "expansion": [[["transposed-conv"], ["none", "separable-conv"]]],
}
TINY = {
    "features_per_stage": [4, 6, 8],
    "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
}


def _tiny(**changed):
    torch.manual_seed(0)
    network = Scnas(1, 3, **{**TINY, "genotype": GENOTYPE, **changed})
    network.apply(network.initialize)
    return network


def test_the_parameters_are_those_of_a_count_by_hand():
    kernels, widths = [9, 27, 27], [4, 6, 8]

    def conv(stage):
        return kernels[stage] * widths[stage] ** 2 + 2 * widths[stage]

    def join(width):
        return 2 * width * width + 2 * width

    stem = kernels[0] * 1 * 4 + 2 * 4
    encoder = sum(w * w + conv(s) + join(w) for s, w in enumerate(widths))
    reduction = sum(widths[s - 1] * widths[s] + conv(s) + join(widths[s]) for s in (1, 2))
    decoder = sum(2 * w * w + 2 * conv(s) + join(w) for s, w in enumerate(widths[:2]))
    strides = [4, 8]
    expansion = sum(
        widths[s + 1] * w + (strides[s] * w * w + 2 * w) + (kernels[s] * w + w * w + 2 * w) + join(w)
        for s, w in enumerate(widths[:2])
    )
    heads = sum(w * 3 + 3 for w in widths[:2])
    found = sum(item.numel() for item in _tiny().parameters())
    assert found == stem + encoder + reduction + decoder + expansion + heads


def test_deep_supervision_answers_at_the_scales_that_nnunet_reads_off_the_strides():
    network = _tiny(deep_supervision=True)
    image = torch.randn(1, 1, 4, 16, 8)
    answers = network(image)
    assert [tuple(item.shape[2:]) for item in answers] == [(4, 16, 8), (4, 8, 4)]
    network.decoder.deep_supervision = False
    assert torch.equal(network(image), answers[0])


def test_every_parameter_gets_a_gradient():
    network = _tiny(deep_supervision=True)
    sum(item.square().mean() for item in network(torch.randn(2, 1, 8, 16, 16))).backward()
    assert [
        name for name, item in network.named_parameters() if item.grad is None or not item.grad.any()
    ] == []


@pytest.mark.parametrize(
    ("patch", "spacing"),
    [((16, 16, 24), (1.0, 1.0, 1.0)), ((8, 32, 32), (4.0, 1.0, 1.0)), ((32, 16, 16), (1.0, 1.0, 1.0))],
)
def test_a_plan_is_fitted_as_it_is(patch, spacing):
    configuration = plan_of_patch(patch, spacing, features=(2, 8))
    arguments = fit(configuration)
    assert arguments == json.loads(json.dumps(arguments))
    network = Scnas(2, 3, deep_supervision=True, **arguments)
    answers = network(torch.randn(1, 2, *patch))
    scales = torch.tensor(arguments["strides"]).cumprod(0)[:-1].tolist()
    assert [tuple(item.shape[2:]) for item in answers] == [
        tuple(size // by for size, by in zip(patch, scale, strict=True)) for scale in scales
    ]


def test_other_patches_load_the_same_weights():
    network = _tiny().eval()
    for patch in ((4, 8, 8), (2, 16, 8), (6, 4, 20)):
        assert network(torch.randn(1, 1, *patch)).shape == (1, 3, *patch)


def test_lists_that_disagree_are_refused():
    with pytest.raises(ConfigError, match="as many kernel sizes"):
        _tiny(strides=[[1, 1, 1]])
    with pytest.raises(ConfigError, match=r"same number of nodes, but have \[1, 2\]"):
        _tiny(genotype={**GENOTYPE, "encoder": [[["conv"]]]})
