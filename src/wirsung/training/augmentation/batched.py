"""Whole batches augmented on the device that trains, as nnU-Net's default transforms would one by one."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch

from wirsung.training.augmentation.brightness import brighten, contrast
from wirsung.training.augmentation.crops import Part, part
from wirsung.training.augmentation.drawing import Draw, draw
from wirsung.training.augmentation.gamma import change_gamma
from wirsung.training.augmentation.mirroring import mirror
from wirsung.training.augmentation.noise import add_noise, blur
from wirsung.training.augmentation.recipe import Recipe
from wirsung.training.augmentation.resolution import coarsen
from wirsung.training.augmentation.spatial import moved
from wirsung.training.augmentation.targets import Targets, targets

_Value = TypeVar("_Value")


class BatchedAugmentation:
    """nnU-Net's default augmentation of one training, in its order and with its chances."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def __call__(
        self, images: torch.Tensor, labels: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, Targets]:
        """Draw and augment whole enlarged crops.

        Args:
            images: (b, c, z, y, x), of the recipe's enlarged size.
            labels: (b, 1, z, y, x).
            generator: On the CPU; its state decides everything.

        Returns:
            The images, of the patch's size, and what the loss compares with.
        """
        draws = [draw(self.recipe, images.shape[1], generator) for _ in range(len(images))]
        parts = [self.part(drawn) for drawn in draws]
        cut = [
            [array[(slice(None), *piece.slices)] for array, piece in zip(arrays, parts, strict=True)]
            for arrays in (images, labels)
        ]
        return self.apply(draws, *cut)

    def part(self, drawn: Draw) -> Part:
        """What must be read of the enlarged crop for a draw."""
        return part(self.recipe, drawn)

    @torch.no_grad()
    def apply(
        self, draws: Sequence[Draw], images: Sequence[torch.Tensor], labels: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, Targets]:
        """Augment what was read for some draws, where it lies.

        Args:
            draws: One a sample.
            images: Each sample's part of the enlarged crop, (c, z, y, x), on the device that computes.
            labels: Likewise, (1, z, y, x).
        """
        made, marked = self.placed(draws, images, labels)
        self._changed(draws, made)
        for sample, drawn in enumerate(draws):
            mirror((made[sample], marked[sample]), drawn.mirrored)
        for channel in self.recipe.masked_channels:
            made[:, channel].masked_fill_(marked[:, 0] < 0, 0)
        return made, targets(self.recipe, marked)

    def placed(
        self, draws: Sequence[Draw], images: Sequence[torch.Tensor], labels: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The patches, rotated and scaled where that was drawn, and otherwise as they were read."""
        shape = (len(draws), len(images[0]), *self.recipe.patch)
        made = images[0].new_empty(shape, dtype=torch.float32)
        marked = labels[0].new_empty((len(draws), 1, *self.recipe.patch))
        moving = [sample for sample, drawn in enumerate(draws) if drawn.moved]
        for sample in set(range(len(draws))) - set(moving):
            made[sample], marked[sample] = images[sample], labels[sample]
        if moving:
            parts = [self.part(draws[sample]) for sample in moving]
            picked = [[arrays[sample] for sample in moving] for arrays in (images, labels)]
            turned = moved(self.recipe, [draws[sample] for sample in moving], parts, picked[0], picked[1])
            made[moving], marked[moving] = turned
        return made, marked

    def _changed(self, draws: Sequence[Draw], images: torch.Tensor) -> None:
        """Everything that changes intensities, in place."""
        for image, drawn in zip(images, draws, strict=True):
            if drawn.noise_sd is not None:
                add_noise(image, drawn.noise_sd, drawn.noise_seed)
        rows = images.flatten(0, 1)
        channels = images.shape[1]
        blur(rows, _by_row([drawn.blur_voxels for drawn in draws], channels))
        brighten(rows, _by_row([drawn.brightness for drawn in draws], channels))
        contrast(rows, _by_row([drawn.contrast for drawn in draws], channels))
        coarsen(rows, _by_row([drawn.resolution for drawn in draws], channels), flat=self.recipe.flat)
        change_gamma(rows, _by_row([drawn.gamma_inverted for drawn in draws], channels), inverted=True)
        change_gamma(rows, _by_row([drawn.gamma for drawn in draws], channels), inverted=False)


def _by_row(drawn: Sequence[Mapping[int, _Value]], channels: int) -> dict[int, _Value]:
    """What was drawn for the channels of each sample, by the row of sample and channel."""
    return {
        sample * channels + channel: value
        for sample, values in enumerate(drawn)
        for channel, value in values.items()
    }
