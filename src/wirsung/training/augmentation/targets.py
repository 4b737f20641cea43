"""From label maps to what the loss compares with: background for -1, regions, and coarser copies."""

from collections.abc import Sequence

import torch

from wirsung.training.augmentation.recipe import OUTSIDE, Recipe

Targets = torch.Tensor | list[torch.Tensor]
"""A list where the network is supervised at several resolutions, the finest first."""


def targets(recipe: Recipe, labels: torch.Tensor) -> Targets:
    """What nnU-Net's loss wants of labels (b, 1, z, y, x), which are changed in place."""
    labels.masked_fill_(labels == OUTSIDE, 0)
    if recipe.regions is not None:
        labels = torch.cat([_isin(labels, region) for region in recipe.regions], 1)
    if recipe.scales is None:
        return labels
    return [coarser(labels, scale) for scale in recipe.scales]


def coarser(labels: torch.Tensor, scale: Sequence[float]) -> torch.Tensor:
    """The voxel nearest to the centre of each coarser one; of two, the later.

    Example:
        >>> coarser(torch.arange(8).view(1, 1, 1, 1, 8), (1, 1, 0.5)).flatten().tolist()
        [1, 3, 5, 7]
    """
    made = labels
    for axis, fraction in enumerate(scale, start=2):
        size = labels.shape[axis]
        coarse = round(size * fraction)
        if coarse == size:
            continue
        # In single precision, as torch's nearest-exact.
        centres = (torch.arange(coarse) + 0.5) * (torch.tensor(float(size)) / coarse)
        places = centres.floor().long().clamp(max=size - 1)
        made = made.index_select(axis, places.to(labels.device))
    return made


def _isin(labels: torch.Tensor, region: Sequence[int]) -> torch.Tensor:
    inside = labels == region[0]
    for value in region[1:]:
        inside |= labels == value
    return inside
