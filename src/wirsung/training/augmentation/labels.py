"""Label maps between voxels: the label that weighs most there, in one pass however many labels there are.

nnU-Net interpolates the indicator of every label of the crop and takes the highest; the weights of the 4 or
8 voxels around a position, summed by their labels, are the same numbers. Where all of them bear one label,
which is nearly everywhere, nothing is summed. Ties are settled as nnU-Net settles them: its scores have half
precision, of equal ones the nearest voxel's label wins, else the lowest.
"""

from itertools import combinations, product

import torch

_MIXED = torch.iinfo(torch.int16).min
"""Marks a cell whose corners bear different labels."""
_SCORE = 1000
"""Of a label that weighs everything: nnU-Net's, whose half precision makes near ties exact."""


def labels_at(where: torch.Tensor, outlined: torch.Tensor) -> torch.Tensor:
    """The labels at positions between voxels.

    Args:
        where: (n, axis, ...): positions in voxels, the first voxel of the label map at 0.
        outlined: (n, channel, ...): label maps with one voxel more on each side, which bears the label of all
            that lies beyond.

    Returns:
        (n, channel, ...) of the positions' shape.
    """
    axes = where.shape[1]
    sizes = outlined.shape[-axes:]
    last_cell = torch.tensor(sizes, device=where.device).view(-1, *[1] * axes) - 2
    cell = where.floor().to(torch.int32).add_(1).clamp_(min=0)
    cell = torch.minimum(cell, last_cell.to(torch.int32))
    index = _indices(cell, outlined)
    codes = _codes(outlined, axes)
    made = codes.view(-1).index_select(0, index.view(-1))
    mixed = (made == _MIXED).nonzero().view(-1)
    if len(mixed):
        per_sample = index[0].numel()
        sample = mixed.div(per_sample, rounding_mode="floor")
        place = mixed % index[0, 0].numel()
        within = where.view(len(where), axes, -1)[sample, :, place].T
        corner = cell.view(len(cell), axes, -1)[sample, :, place].T
        made[mixed] = _heaviest(within, corner, index.view(-1)[mixed], outlined)
    return made.view(len(where), outlined.shape[1], *where.shape[2:])


def _indices(cell: torch.Tensor, outlined: torch.Tensor) -> torch.Tensor:
    """Where each cell's first corner lies in the flattened label maps: (n, channel, ...)."""
    samples, channels = outlined.shape[:2]
    steps = outlined[0, 0].stride()
    within = sum(
        (cell[:, axis] * step for axis, step in enumerate(steps[1:], start=1)), cell[:, 0] * steps[0]
    )
    size = outlined[0, 0].numel()
    starts = torch.arange(samples * channels, dtype=torch.int32, device=cell.device) * size
    return within[:, None] + starts.view(samples, channels, *[1] * (cell.ndim - 2))


def _codes(outlined: torch.Tensor, axes: int) -> torch.Tensor:
    """For each voxel as a cell's first corner: the label of all its corners, or that they are mixed."""
    low = high = outlined
    for axis in range(-axes, 0):
        size = low.shape[axis]
        low = torch.minimum(low.narrow(axis, 0, size - 1), low.narrow(axis, 1, size - 1))
        high = torch.maximum(high.narrow(axis, 0, size - 1), high.narrow(axis, 1, size - 1))
    codes = torch.empty_like(outlined)
    inner = codes[(slice(None), slice(None), *(slice(0, size) for size in low.shape[-axes:]))]
    torch.where(low == high, low, low.new_tensor(_MIXED), out=inner)
    return codes


def _heaviest(
    where: torch.Tensor, cell: torch.Tensor, index: torch.Tensor, outlined: torch.Tensor
) -> torch.Tensor:
    """The label of most weight at some positions (axis, position)."""
    axes = len(where)
    flat, steps = outlined.view(-1), outlined[0, 0].stride()
    upper = (where + 1 - cell).clamp(0, 1)
    # Which corner is nearest: of two as near, the one of the even voxel, as grid_sample's nearest.
    beyond = (where.round().to(torch.int32) + 1 > cell).to(torch.int64)
    nearest = torch.zeros_like(beyond[0])
    labels, weights = [], []
    for corner in product((0, 1), repeat=axes):
        offset = sum(side * step for side, step in zip(corner, steps, strict=True))
        labels.append(flat.index_select(0, index + offset))
        parts = [upper[axis] if side else 1 - upper[axis] for axis, side in enumerate(corner)]
        weights.append(torch.stack(parts).prod(0))
    for axis in range(axes):
        nearest += beyond[axis] * 2 ** (axes - 1 - axis)
    sums = [weight.clone() for weight in weights]
    for one, other in combinations(range(len(labels)), 2):
        same = labels[one] == labels[other]
        sums[one] += weights[other] * same
        sums[other] += weights[one] * same
    scores = torch.stack(sums).mul_(_SCORE).half().float()
    stacked = torch.stack(labels)
    best = scores.amax(0)
    lowest = torch.where(scores == best, stacked, torch.iinfo(torch.int16).max).amin(0)
    closest = nearest[None]
    wins = scores.gather(0, closest)[0] == best
    return torch.where(wins, stacked.gather(0, closest)[0], lowest)
