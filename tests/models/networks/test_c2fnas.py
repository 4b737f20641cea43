"""C2FNAS in our reading: its size by hand, and which cell gets what."""

import json

import pytest
import torch
from torch import nn

from wirsung.errors import ConfigError
from wirsung.models.networks.c2fnas import C2Fnas, fit
from wirsung.models.networks.topology import plan_of_patch

torch.set_num_threads(1)


def _tiny(**changed):
    torch.manual_seed(0)
    network = C2Fnas(1, 3, features=2, **changed)
    network.apply(network.initialize)
    return network


def test_the_parameters_are_those_of_a_count_by_hand():
    """15.31 M, written out cell by cell in squares of the width."""
    c1, c2, c3, c4 = 64, 128, 256, 512
    flat, cube, pseudo = 9, 27, 9 + 3
    before, after = 1, 1
    level_1 = (
        (before + flat + after)
        + (2 * before + pseudo + after)
        + (before + cube + after)
        + (before + flat + after)
        + (2 * before + cube + after)
    )
    level_2 = 2 * (before + cube + after) + (before + pseudo + after)
    level_3 = (before + cube + after) + 2 * (before + cube + after)
    level_4 = before + flat + after
    cells = level_1 * c1**2 + level_2 * c2**2 + level_3 * c3**2 + level_4 * c4**2
    stem = 27 * 1 * 32 + 27 * 32 * 64
    downs = 27 * (c1 * c2 + c2 * c3 + c3 * c4)
    ups = c4 * c3 + c3 * c2 + c2 * c1
    head = 27 * (2 * c1) * 64 + 27 * 64 * 32 + 32 * 2 + 2
    norms = 2 * (32 + 64) + 2 * (5 * c1 + 3 * c2 + 3 * c3 + c4) + 2 * (c2 + c3 + c4) + 2 * (c1 + c2 + c3)
    norms += 2 * (64 + 32)
    ours = (c1 + c2 + c3) * 2 + 3 * 2
    with torch.device("meta"):
        network = C2Fnas(1, 2)
    assert (
        sum(item.numel() for item in network.parameters()) == cells + stem + downs + ups + head + norms + ours
    )
    assert cells + stem + downs + ups + head + norms == pytest.approx(15.31e6, abs=0.01e6)


def test_the_operations_are_those_of_the_reading():
    def kernels(cell):
        return [item.kernel_size for item in cell.operation]

    flat, cube, pseudo = [(1, 3, 3)], [(3, 3, 3)], [(1, 3, 3), (3, 1, 1)]
    network = _tiny()
    assert [[kernels(cell) for cell in level] for level in network.cells] == [
        [flat, pseudo],
        [cube, cube],
        [cube],
        [flat],
    ]
    assert [[kernels(cell) for cell in level] for level in network.decoder.cells] == [
        [cube, flat, cube],
        [pseudo],
        [cube, cube],
    ]


@pytest.mark.parametrize("patch", [(16, 16, 32), (32, 16, 48), (32, 32, 32)])
def test_any_patch_of_multiples_of_16_is_answered(patch):
    assert _tiny()(torch.randn(1, 1, *patch)).shape == (1, 3, *patch)


def test_deep_supervision_answers_at_the_scales_that_nnunet_reads_off_the_strides():
    strides = [[1, 1, 1], [1, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2]]
    network = _tiny(deep_supervision=True, strides=strides)
    answers = network(torch.randn(1, 1, 16, 32, 32))
    assert [tuple(item.shape[2:]) for item in answers] == [(16, 32, 32), (16, 16, 16), (8, 8, 8), (4, 4, 4)]
    image = torch.randn(1, 1, 16, 32, 32)
    first = network(image)[0]
    network.decoder.deep_supervision = False
    assert torch.equal(network(image), first)


def test_every_parameter_gets_a_gradient():
    network = _tiny(deep_supervision=True)
    sum(item.square().mean() for item in network(torch.randn(2, 1, 32, 32, 32))).backward()
    assert [
        name for name, item in network.named_parameters() if item.grad is None or not item.grad.any()
    ] == []


def test_the_second_cell_gets_the_stem_and_the_last_the_output_of_two_cells_before():
    """The network by hand, from its own parts, where every norm is the identity."""
    network = _tiny().double().eval()
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.InstanceNorm3d):
                setattr(module, name, nn.Identity())

    def cell(block, *inputs):
        summed = sum(convolution(item) for convolution, item in zip(block.before, inputs, strict=True))
        return block.after(block.operation(torch.relu(summed)))

    image = torch.randn(1, 1, 16, 16, 16, dtype=torch.double)
    stem = network.stem(image)
    (a1, a2), (b1, b2), (c1,), (d1,) = (list(level) for level in network.cells)
    level_1 = cell(a2, cell(a1, stem), stem)
    level_2 = cell(b2, cell(b1, network.downs[0](level_1)))
    level_3 = cell(c1, network.downs[1](level_2))
    level_4 = cell(d1, network.downs[2](level_3))
    (e1, e2, e3), (f1,), (g1, g2) = (list(level) for level in network.decoder.cells)
    up_3 = cell(g2, cell(g1, network.decoder.ups[2](level_4) + level_3))
    up_2 = cell(f1, network.decoder.ups[1](up_3) + level_2)
    first = cell(e1, network.decoder.ups[0](up_2) + level_1)
    second = cell(e2, first)
    third = cell(e3, second, first)
    expected = network.decoder.head(torch.cat([second, third], 1))
    torch.testing.assert_close(network(image), expected)


def test_a_plan_gives_its_width_and_its_first_four_steps():
    found = fit(plan_of_patch((32, 224, 224), (4.4, 1.09, 1.09)))
    assert found == json.loads(json.dumps(found))
    assert found == {"features": 32, "strides": [[1, 1, 1], [1, 2, 2], [1, 2, 2], [2, 2, 2], [2, 2, 2]]}
    assert fit(plan_of_patch((128, 128, 128)))["strides"][1:] == [[2, 2, 2]] * 4


def test_a_plan_of_few_steps_is_refused_with_a_patch_that_would_do():
    with pytest.raises(ConfigError, match=r"down at least 4 times.*32 x 32 x 32.*64 x 64 x 64 would do"):
        fit(plan_of_patch((32, 32, 32)))
    fit(plan_of_patch((64, 64, 64)))


def test_another_number_of_strides_is_refused():
    with pytest.raises(ConfigError, match="steps down 4 times, but 2"):
        _tiny(strides=[[1, 1, 1], [2, 2, 2], [2, 2, 2]])
