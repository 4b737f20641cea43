"""The whole augmentation, against nnU-Net's own list of transforms with everything forced."""

import math
from dataclasses import replace

import pytest
import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

from wirsung.training.augmentation.batched import BatchedAugmentation
from wirsung.training.augmentation.drawing import Draw
from wirsung.training.augmentation.recipe import Recipe

SCALES = ((1.0, 1.0, 1.0), (0.5, 0.5, 0.5), (0.25, 0.5, 0.25))
RECIPE = Recipe(
    patch=(16, 12, 20), enlarged=(24, 20, 28), mirror_axes=(0, 1, 2), masked_channels=(1,), scales=SCALES
)
EVERYTHING = Draw(
    angles_rad=(0.3, -0.2, 0.4),
    scale=0.9,
    blur_voxels={0: (0.6, 0.9, 0.7), 1: (0.5, 1.0, 0.8)},
    brightness={0: 1.2, 1: 0.8},
    contrast={0: 0.8, 1: 1.2},
    resolution={1: 0.6},
    gamma_inverted={0: 1.3, 1: 0.8},
    gamma={0: 0.75, 1: 1.4},
    mirrored=(0, 2),
)
FEW = Draw(brightness={1: 0.9}, gamma={0: 1.2, 1: 1.1}, mirrored=(1,))


def crops(count, channels=2):
    random = torch.Generator().manual_seed(2)
    images = torch.randn((count, channels, *RECIPE.enlarged), generator=random)
    rough = torch.randn((count, 4, *RECIPE.enlarged), generator=random)
    labels = torch.nn.functional.avg_pool3d(rough, 5, 1, 2).argmax(1, keepdim=True).to(torch.int16)
    labels[:, :, :8] = -1
    return images, labels


def cut(recipe, draws, arrays):
    parts = [BatchedAugmentation(recipe).part(drawn) for drawn in draws]
    return [array[(slice(None), *part.slices)] for array, part in zip(arrays, parts, strict=True)]


def forced(recipe, drawn, regions=None):
    """nnU-Net's training transforms of which each does what was drawn, and the noise nothing."""
    whole = nnUNetTrainer.get_training_transforms(
        recipe.patch,
        (-1.0, 1.0),
        [list(scale) for scale in recipe.scales],
        recipe.mirror_axes,
        False,
        [channel in recipe.masked_channels for channel in range(2)],
        regions=regions,
        ignore_label=None,
    )
    spatial, noise, *rest = whole.transforms[:8]
    angles, scale = drawn.angles_rad, drawn.scale
    spatial.p_rotation, spatial.p_scaling = float(angles is not None), float(scale is not None)
    spatial.rotation, spatial.scaling = (lambda image, dim: angles[dim]), scale or 1.0
    noise.apply_probability = 0
    blur, brightness, contrast, resolution, inverted, gamma = rest
    channels = {
        blur: (drawn.blur_voxels, "sigmas"),
        brightness: (drawn.brightness, "multipliers"),
        contrast: (drawn.contrast, "multipliers"),
        resolution: (drawn.resolution, "scales"),
        inverted: (drawn.gamma_inverted, "gamma"),
        gamma: (drawn.gamma, "gamma"),
    }
    for transform, (values, name) in channels.items():
        transform.apply_probability = float(bool(values))
        transform.transform.get_parameters = _parameters(transform is inverted, values, name)
    mirror = whole.transforms[8]
    mirror.get_parameters = lambda **_: {"axes": drawn.mirrored}
    return whole


def _parameters(is_inverted, values, name):
    made = torch.tensor([*values.values()])
    if name == "sigmas":
        return lambda **_: {
            "apply_to_channel": torch.tensor([c in values for c in (0, 1)]),
            name: [*values.values()],
        }
    if name == "scales" and values:
        made = made[:, None].expand(-1, 3)
    count = len(values)
    stats = {
        "retain_stats": torch.ones(count, dtype=torch.bool),
        "invert_image": torch.full((count,), is_inverted),
    }
    return lambda **_: {"apply_to_channel": torch.tensor([*values]), name: made, **stats}


def test_everything_together_is_as_in_nnunet():
    draws = [EVERYTHING, FEW, Draw()]
    images, labels = crops(len(draws))
    made, targets = BatchedAugmentation(RECIPE).apply(
        draws, cut(RECIPE, draws, images), cut(RECIPE, draws, labels)
    )
    assert [target.shape for target in targets] == [(3, 1, 16, 12, 20), (3, 1, 8, 6, 10), (3, 1, 4, 6, 5)]
    for index, drawn in enumerate(draws):
        whole = forced(RECIPE, drawn)
        expected = whole(image=images[index].clone(), segmentation=labels[index].clone())
        differences = [
            (ours[index] != theirs).float().mean()
            for ours, theirs in zip(targets, expected["segmentation"], strict=True)
        ]
        assert max(differences) < 1e-3
        # Where a voxel of the label map fell elsewhere, the mask of the second channel did, too.
        same = (targets[0][index] == expected["segmentation"][0]).expand(2, -1, -1, -1)
        torch.testing.assert_close(made[index][same], expected["image"][same], atol=1e-4, rtol=0)


def test_regions_are_made_as_in_nnunet():
    regions = [(1, 2, 3), (3,)]
    recipe = replace(RECIPE, regions=tuple(regions))
    images, labels = crops(1)
    _, targets = BatchedAugmentation(recipe).apply(
        [FEW], cut(recipe, [FEW], images), cut(recipe, [FEW], labels)
    )
    expected = forced(recipe, FEW, regions)(image=images[0].clone(), segmentation=labels[0].clone())
    for ours, theirs in zip(targets, expected["segmentation"], strict=True):
        assert ours.dtype == theirs.dtype == torch.bool
        assert torch.equal(ours[0], theirs)


def test_a_generators_state_decides_everything():
    images, labels = crops(4)
    recipe = replace(RECIPE, mirror_axes=(1,))
    batches = [
        BatchedAugmentation(recipe)(images, labels, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    ]
    assert torch.equal(batches[0][0], batches[1][0])
    assert all(torch.equal(*pair) for pair in zip(batches[0][1], batches[1][1], strict=True))
    assert not torch.equal(batches[0][0], batches[2][0])


def test_what_is_given_is_not_changed():
    images, labels = crops(3)
    before = images.clone(), labels.clone()
    BatchedAugmentation(RECIPE)(images, labels, torch.Generator().manual_seed(5))
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])


def test_a_validation_patch_stays_as_it_is():
    recipe = Recipe.unchanged(RECIPE.patch, None, None)
    images = torch.randn(2, 1, *recipe.patch)
    labels = torch.randint(-1, 3, (2, 1, *recipe.patch), dtype=torch.int16)
    made, target = BatchedAugmentation(recipe)(images, labels, torch.Generator())
    assert torch.equal(made, images)
    assert torch.equal(target, labels.clamp(min=0))


@pytest.mark.gpu
def test_a_gpu_makes_what_a_cpu_makes():
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    draws = [EVERYTHING, FEW, Draw(angles_rad=(0.0, 0.0, math.pi / 7))]
    images, labels = crops(len(draws))
    made = {}
    for device in ("cpu", "cuda"):
        arrays = [[a.to(device) for a in cut(RECIPE, draws, array)] for array in (images, labels)]
        made[device] = BatchedAugmentation(RECIPE).apply(draws, *arrays)
    same = made["cuda"][1][0].cpu() == made["cpu"][1][0]
    assert same.float().mean() > 0.999
    same = same.expand(-1, 2, -1, -1, -1)
    torch.testing.assert_close(made["cuda"][0].cpu()[same], made["cpu"][0][same], atol=1e-3, rtol=0)
