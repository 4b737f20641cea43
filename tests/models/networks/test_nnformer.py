"""nnFormer: its size by hand, its fit to plans, and where its parts lie."""

import json

import pytest
import torch

from wirsung.errors import ConfigError
from wirsung.models.networks.nnformer import NnFormer, fit
from wirsung.models.networks.topology import plan_of_patch

torch.set_num_threads(1)

TINY = {
    "embedding_stride": [2, 2, 2],
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
    "channels": 8,
    "heads": [1, 2, 4],
    "depths": [2, 2, 2],
    "windows": [[2, 2, 2], [4, 4, 4], [4, 4, 4]],
}


def _tiny(**changed):
    torch.manual_seed(0)
    network = NnFormer(1, 3, **{**TINY, **changed})
    network.apply(network.initialize)
    return network


def test_the_parameters_are_those_of_a_count_by_hand():
    """Block by block, at the released configuration for Synapse: 0.3 % below the 150.5 M of the paper."""

    def linear(inputs, outputs):
        return inputs * outputs + outputs

    def block(width, heads, window, projected):
        attention = linear(width, projected * width) + linear(width, width) + (2 * window - 1) ** 3 * heads
        perceptron = linear(width, 4 * width) + linear(4 * width, width)
        return attention + perceptron + 4 * width

    widths, heads, windows = [192, 384, 768, 1536], [6, 12, 24, 48], [4, 4, 8, 4]
    kernel = 27
    embedding = (
        linear(kernel * 1, 96)
        + linear(kernel * 96, 96)
        + linear(kernel * 96, 192)
        + linear(kernel * 192, 192)
    )
    embedding += 2 * (96 + 96 + 192 + 192)
    levels = list(zip(widths, heads, windows, strict=True))
    encoder = sum(2 * block(*level, projected=3) + 2 * level[0] for level in levels)
    encoder += sum(2 * width + linear(kernel * width, 2 * width) for width in widths[:-1])
    decoder = sum(block(*level, projected=2) + block(*level, projected=3) for level in levels[:-1])
    decoder += sum(2 * 2 * width + 2 * width * width * 8 + width for width in widths[:-1])
    answers = sum(width * 14 * 2 * 4 * 4 + 14 for width in widths[:-1])
    with torch.device("meta"):
        network = NnFormer(1, 14)
    assert sum(item.numel() for item in network.parameters()) == embedding + encoder + decoder + answers
    assert embedding + encoder + decoder + answers == pytest.approx(150.5e6, rel=0.005)


def test_deep_supervision_answers_at_the_scales_that_nnunet_reads_off_the_strides():
    network = _tiny(deep_supervision=True)
    answers = network(torch.randn(2, 1, 16, 32, 16))
    assert [tuple(item.shape) for item in answers] == [(2, 3, 16, 32, 16), (2, 3, 16, 16, 8)]
    network.decoder.deep_supervision = False
    network.eval()
    image = torch.randn(1, 1, 16, 32, 16)
    whole = network(image)
    network.decoder.deep_supervision = True
    assert torch.equal(network(image)[0], whole)


def test_every_parameter_gets_a_gradient():
    network = _tiny(deep_supervision=True, drop_path=0.0)
    sum(item.square().mean() for item in network(torch.randn(1, 1, 16, 32, 16))).backward()
    without = [name for name, item in network.named_parameters() if item.grad is None or not item.grad.any()]
    # A window of 4 on grids of 2 tokens uses a part of its table, but a part at least.
    assert without == []


def test_other_patches_load_the_same_weights():
    network = _tiny().eval()
    for patch in ((16, 16, 16), (8, 16, 32), (20, 24, 16)):
        assert network(torch.randn(1, 1, *patch)).shape == (1, 3, *patch)


def test_the_coarsest_level_sees_the_whole_patch():
    """With windows of one token at the fine level, only the coarsest can carry news from end to end."""
    network = _tiny(
        strides=[[1, 1, 1], [2, 2, 2]], heads=[1, 2], depths=[1, 1], windows=[[1, 1, 1], [8, 8, 8]]
    )
    network = network.double().eval()
    image = torch.randn(1, 1, 8, 8, 32, dtype=torch.double)
    changed = image.clone()
    changed[..., 0] += 1
    assert (network(image) - network(changed))[..., -1].abs().max() > 1e-9
    network.encoder.blocks[1] = torch.nn.ModuleList()
    assert (network(image) - network(changed))[..., -1].abs().max() == 0


def test_dropping_paths_keeps_the_mean_and_stops_when_not_training():
    network = _tiny(drop_path=0.5)
    block = network.encoder.blocks[2][1]
    assert block.drop == 0.5
    torch.manual_seed(0)
    kept = torch.cat([block._kept(torch.ones(100, 1, 1, 1, 1)) for _ in range(20)])
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert kept.mean().item() == pytest.approx(1.0, abs=0.1)
    network.eval()
    image = torch.randn(1, 1, 16, 16, 16)
    assert torch.equal(network(image), network(image))


def test_the_plan_of_the_papers_patch_gives_the_released_configuration():
    """nnU-Net's own steps for that patch and Synapse's spacing are those that the authors chose by hand."""
    found = fit(plan_of_patch((64, 128, 128), (3.0, 0.76, 0.76)))
    assert found == json.loads(json.dumps(found))
    assert found == {
        "embedding_stride": [2, 4, 4],
        "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2]],
        "channels": 192,
        "heads": [6, 12, 24, 48],
        "depths": [2, 2, 2, 2],
        "windows": [[4, 4, 4], [4, 4, 4], [8, 8, 8], [4, 4, 4]],
    }


@pytest.mark.parametrize(
    ("patch", "spacing"),
    [((32, 32, 48), (1.0, 1.0, 1.0)), ((8, 64, 64), (4.0, 1.0, 1.0)), ((64, 96, 32), (1.0, 1.0, 1.0))],
)
def test_a_plan_is_fitted(patch, spacing):
    arguments = fit(plan_of_patch(patch, spacing, features=(2, 16)))
    network = NnFormer(2, 3, deep_supervision=True, **arguments)
    answers = network(torch.randn(1, 2, *patch))
    scales = torch.tensor(arguments["strides"]).cumprod(0)[:-1].tolist()
    assert len(answers) == len(scales)
    for answer, scale in zip(answers, scales, strict=True):
        assert tuple(answer.shape[2:]) == tuple(size // by for size, by in zip(patch, scale, strict=True))
    grid = [size // by for size, by in zip(patch, arguments["embedding_stride"], strict=True)]
    total = torch.tensor(arguments["strides"]).prod(0).tolist()
    assert arguments["windows"][-1] == [size // by for size, by in zip(grid, total, strict=True)]


def test_of_three_steps_the_embedding_takes_one():
    """Two levels of the decoder must answer: of one alone, nnU-Net's loss would weigh nothing."""
    found = fit(plan_of_patch((32, 32, 32)))
    assert found["embedding_stride"] == [2, 2, 2]
    assert found["strides"] == [[1, 1, 1], [2, 2, 2], [2, 2, 2]]
    assert found["windows"] == [[4, 4, 4], [4, 4, 4], [4, 4, 4]]
    assert fit(plan_of_patch((64, 64, 64)))["embedding_stride"] == [4, 4, 4]


def test_a_plan_of_few_steps_is_refused_with_a_patch_that_would_do():
    with pytest.raises(ConfigError, match=r"down at least 3 times.*16 x 16 x 16.*32 x 32 x 32 would do"):
        fit(plan_of_patch((16, 16, 16)))
    fit(plan_of_patch((32, 32, 32)))


def test_lists_that_disagree_are_refused():
    with pytest.raises(ConfigError, match="as many heads"):
        _tiny(heads=[1, 2])
    with pytest.raises(ConfigError, match="16 channels into 3 heads"):
        _tiny(heads=[1, 3, 4])
