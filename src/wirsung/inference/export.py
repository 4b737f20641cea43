"""From the network's logits to labels on the image's grid, slab by slab: never all classes at full size."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from wirsung.models.plans import Configuration, Plans
from wirsung.models.preprocessing import Placement
from wirsung.models.resampling import axis_matrix, coarse_axis, multiply_axis

# One slab of one class at the image's size has at most this many voxels.
_SLAB_VOXELS = 8_000_000


@dataclass(frozen=True)
class Exported:
    """A prediction on the image's own grid, (z, y, x)."""

    indices: NDArray[np.uint8] | NDArray[np.uint16]
    """Class indices; 0 outside the crop."""
    probability: NDArray[np.float32] | None
    """Of the wanted class, 0 to 1."""


def export(
    logits: torch.Tensor,
    placement: Placement,
    plans: Plans,
    configuration: Configuration,
    *,
    probability_of: int | None = None,
) -> Exported:
    """The class of each voxel of the image, before any transposing.

    The logits are resampled linearly to the cropped image and the largest wins, as nnU-Net does it.

    Args:
        logits: (class, z, y, x) on the network's grid.
        placement: From preprocessing.
        plans: Of the model.
        configuration: One of the plans'.
        probability_of: The class index whose softmax probability is wanted too.

    Source:
        `convert_predicted_logits_to_segmentation_with_correct_shape` of nnU-Net 2.8.
    """
    matrices = _matrices(logits, placement, configuration)
    z, y, x = placement.cropped_shape
    indices = np.zeros(placement.full_shape, np.uint8 if len(logits) <= 256 else np.uint16)
    probability = None if probability_of is None else np.zeros(placement.full_shape, np.float32)
    inside, share = indices[placement.slices], None if probability is None else probability[placement.slices]
    thickness = max(1, _SLAB_VOXELS // (y * x))
    for first in range(0, z, thickness):
        rows = slice(first, min(first + thickness, z))
        winner, wanted = _slab(logits, (matrices[0][rows], matrices[1], matrices[2]), probability_of)
        inside[rows] = winner.cpu().numpy()
        if share is not None and wanted is not None:
            share[rows] = wanted.cpu().numpy()
    backward = plans.transpose_backward
    return Exported(
        indices.transpose(backward), None if probability is None else probability.transpose(backward)
    )


def _matrices(
    logits: torch.Tensor, placement: Placement, configuration: Configuration
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    how = configuration.logit_resampling
    coarse = coarse_axis(configuration.spacing_mm, placement.spacing_mm, how)
    made = []
    for axis, (old, new) in enumerate(zip(logits.shape[1:], placement.cropped_shape, strict=True)):
        matrix = axis_matrix(old, new, 0 if axis == coarse else how.order)
        made.append(torch.from_numpy(matrix).to(logits.device, logits.dtype))
    return made[0], made[1], made[2]


def _slab(
    logits: torch.Tensor, matrices: tuple[torch.Tensor, torch.Tensor, torch.Tensor], wanted: int | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The winning class of each voxel of a slab, and the softmax of one, class by class."""
    used = matrices[0].abs().sum(dim=0).nonzero()
    low, high = int(used.min()), int(used.max()) + 1
    depth = matrices[0][:, low:high]
    best = winner = mass = chosen = torch.empty(0)
    for index in range(len(logits)):
        part = logits[index : index + 1, low:high]
        for axis, matrix in ((0, depth), (1, matrices[1]), (2, matrices[2])):
            part = multiply_axis(part, axis, matrix)
        score = part[0]
        if index == 0:
            best, winner = score, torch.zeros(score.shape, dtype=torch.int32, device=score.device)
            mass = torch.ones_like(score)
        else:
            higher = torch.maximum(best, score)
            if wanted is not None:
                mass = mass * (best - higher).exp() + (score - higher).exp()
            winner[score > best] = index
            best = higher
        if index == wanted:
            chosen = score
    return winner, None if wanted is None else (chosen - best).exp() / mass
