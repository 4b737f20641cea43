"""Rotation and scaling, against batchgeneratorsv2's own transform with the same parameters."""

import math

import pytest
import torch
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform

from wirsung.training.augmentation.batched import BatchedAugmentation
from wirsung.training.augmentation.drawing import Draw
from wirsung.training.augmentation.recipe import Recipe

RECIPE = Recipe(patch=(14, 16, 12), enlarged=(23, 25, 22))
FLAT = Recipe(patch=(4, 18, 16), enlarged=(4, 31, 28), rotation_rad=math.pi, flat=True)
DRAWS = {
    "turned": Draw(angles_rad=(0.4, -0.5, 0.3)),
    "smaller things": Draw(scale=1.37),
    "larger things": Draw(scale=0.71),
    "both": Draw(angles_rad=(-0.2, 0.1, 0.5), scale=1.2),
    "neither": Draw(),
}


def crops(recipe, count=1, channels=2, seed=0):
    """Smooth images and label maps of blobs, -1 near a border, as nnU-Net's loader hands them over."""
    random = torch.Generator().manual_seed(seed)
    images = torch.randn((count, channels, *recipe.enlarged), generator=random)
    rough = torch.randn((count, 6, *recipe.enlarged), generator=random)
    labels = torch.nn.functional.avg_pool3d(rough, 3, 1, 1).argmax(1, keepdim=True).to(torch.int16)
    labels[:, :, :, :5] = -1
    return images, labels


def theirs(recipe, draw, image, labels):
    """nnU-Net's transform with a draw's parameters."""
    angles = draw.angles_rad
    transform = SpatialTransform(
        recipe.patch[-recipe.moving :],
        patch_center_dist_from_border=0,
        random_crop=False,
        p_rotation=float(angles is not None),
        rotation=lambda image, dim: angles[-recipe.moving :][dim],
        p_scaling=float(draw.scale is not None),
        scaling=draw.scale or 1.0,
        p_synchronize_scaling_across_axes=1,
        border_mode_seg="constant",
        padding_value_seg=-1,
    )
    shapes = [(len(array), *recipe.patch) for array in (image, labels)]
    if recipe.flat:
        image, labels = image.flatten(0, 1), labels.flatten(0, 1)
    made = transform(image=image.clone(), segmentation=labels.clone())
    return made["image"].view(shapes[0]), made["segmentation"].view(shapes[1])


def ours(recipe, draws, images, labels):
    """Before the loss's targets are made of the labels."""
    made = BatchedAugmentation(recipe)
    parts = [made.part(draw) for draw in draws]
    cut = [
        [array[(slice(None), *part.slices)] for array, part in zip(arrays, parts, strict=True)]
        for arrays in (images, labels)
    ]
    return made.placed(draws, *cut)


@pytest.mark.parametrize("recipe", [RECIPE, FLAT], ids=["whole", "flat"])
@pytest.mark.parametrize("kind", DRAWS)
def test_an_image_is_moved_as_by_nnunet(recipe, kind):
    images, labels = crops(recipe)
    made, _ = ours(recipe, [DRAWS[kind]], images, labels)
    expected, _ = theirs(recipe, DRAWS[kind], images[0], labels[0])
    torch.testing.assert_close(made[0], expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("recipe", [RECIPE, FLAT], ids=["whole", "flat"])
@pytest.mark.parametrize("kind", DRAWS)
def test_labels_are_moved_as_by_nnunet(recipe, kind):
    different = voxels = 0
    for seed in range(8):
        images, labels = crops(recipe, seed=seed)
        _, made = ours(recipe, [DRAWS[kind]], images, labels)
        _, expected = theirs(recipe, DRAWS[kind], images[0], labels[0])
        different += int((made[0] != expected).sum())
        voxels += expected.numel()
    # Not all: positions are rounded otherwise, so a score at the edge of half precision may fall elsewhere.
    assert different <= 2e-4 * voxels


def test_a_batch_is_moved_as_its_samples_are_alone():
    draws = list(DRAWS.values())
    images, labels = crops(RECIPE, len(draws))
    together = ours(RECIPE, draws, images, labels)
    for index, draw in enumerate(draws):
        alone = ours(RECIPE, [draw], images[index : index + 1], labels[index : index + 1])
        torch.testing.assert_close(together[0][index], alone[0][0], atol=1e-5, rtol=0)
        assert (together[1][index] != alone[1][0]).float().mean() < 1e-3


def test_what_was_not_read_would_not_have_been_used():
    images, labels = crops(RECIPE)
    draw = Draw(angles_rad=(0.1, 0.0, -0.1), scale=0.7)
    part = BatchedAugmentation(RECIPE).part(draw)
    assert math.prod(part.size) < math.prod(RECIPE.enlarged) / 2
    changed = torch.full_like(images, 1e6)
    place = (slice(None), slice(None), *part.slices)
    changed[place] = images[place]
    expected, _ = theirs(RECIPE, draw, images[0], labels[0])
    whole, _ = theirs(RECIPE, draw, changed[0], labels[0])
    assert torch.equal(whole, expected)


def test_a_quarter_turn_moves_voxels_exactly():
    recipe = Recipe(patch=(5, 5, 5), enlarged=(9, 9, 9))
    images, labels = crops(recipe, channels=1)
    made, marked = ours(recipe, [Draw(angles_rad=(0.0, 0.0, math.pi / 2))], images, labels)
    middle = (slice(None), slice(None), *[slice(2, 7)] * 3)
    # The voxel at (z, y) from the middle comes from (-y, z).
    torch.testing.assert_close(made, images[middle].transpose(2, 3).flip(3), atol=1e-4, rtol=0)
    assert torch.equal(marked, labels[middle].transpose(2, 3).flip(3))
