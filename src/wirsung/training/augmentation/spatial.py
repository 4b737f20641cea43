"""Rotation and scaling: the positions that a patch's voxels come from, and the image there."""

from collections.abc import Sequence

import torch
from torch.nn.functional import grid_sample

from wirsung.training.augmentation.crops import Part
from wirsung.training.augmentation.drawing import Draw
from wirsung.training.augmentation.labels import labels_at
from wirsung.training.augmentation.recipe import OUTSIDE, Recipe


def moved(
    recipe: Recipe,
    draws: Sequence[Draw],
    parts: Sequence[Part],
    images: Sequence[torch.Tensor],
    labels: Sequence[torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples rotated and scaled, images by linear interpolation: one call for all of them.

    Args:
        recipe: Of the training.
        draws: Of these samples, each of which moves.
        parts: What was read of each sample's enlarged crop.
        images: Each (c, *part).
        labels: Each (1, *part).

    Returns:
        Images (n, c, z, y, x), 0 outside what nnU-Net would have read, and label maps (n, 1, z, y, x).
    """
    device = images[0].device
    where = positions(recipe, draws, parts, device)
    moved_images = _images_at(where, _together(recipe, images, 0, margin=0))
    moved_labels = labels_at(where, _together(recipe, labels, OUTSIDE, margin=1))
    shape = (len(draws), -1, *recipe.patch)
    return moved_images.view(shape), moved_labels.view(shape)


def positions(
    recipe: Recipe, draws: Sequence[Draw], parts: Sequence[Part], device: torch.device
) -> torch.Tensor:
    """Where each voxel of the patch comes from, in voxels of the part; (n, axis, ...) of the moving axes."""
    axes = recipe.moving
    fixed = len(recipe.patch) - axes
    matrices = torch.stack([torch.from_numpy(draw.matrix(axes)) for draw in draws]).float().to(device)
    centres = [
        [
            (size - 1) / 2 - start
            for size, start in zip(recipe.enlarged[fixed:], part.start[fixed:], strict=True)
        ]
        for part in parts
    ]
    made = torch.tensor(centres, device=device).view(len(draws), axes, *[1] * axes)
    for axis, size in enumerate(recipe.patch[fixed:]):
        ramp = torch.arange(size, device=device) - (size - 1) / 2
        steps = matrices[:, :, axis].reshape(len(draws), axes, *[1] * axes)
        made = made + steps * ramp.view(-1, *[1] * (axes - 1 - axis))
    return made


def _together(recipe: Recipe, arrays: Sequence[torch.Tensor], fill: int, margin: int) -> torch.Tensor:
    """Parts of different sizes in the first corner of equal ones; what does not move becomes channels."""
    axes = recipe.moving
    sizes = zip(*(array.shape[-axes:] for array in arrays), strict=True)
    largest = [max(size) + 2 * margin for size in sizes]
    first = arrays[0]
    channels = first.shape[:-axes].numel()
    if margin == 0 and len(arrays) == 1:
        return first.reshape(1, channels, *largest)
    made = first.new_full((len(arrays), channels, *largest), fill)
    for index, array in enumerate(arrays):
        place = tuple(slice(margin, margin + size) for size in array.shape[-axes:])
        made[index][(slice(None), *place)] = array.reshape(channels, *array.shape[-axes:])
    return made


def _images_at(where: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Linear interpolation between voxels; 0 outside."""
    axes = where.shape[1]
    sizes = torch.tensor(images.shape[-axes:], dtype=where.dtype, device=where.device)
    sizes = sizes.view(-1, *[1] * axes)
    # grid_sample counts from -1 to 1, from the outer edge of the first voxel, and names the last axis first.
    grid = torch.addcmul(1 / sizes - 1, where, 2 / sizes).flip(1).movedim(1, -1)
    return grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
