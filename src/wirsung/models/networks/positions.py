"""Where a token is in its volume, told by turning its features: no table, so any size does."""

import math
from collections.abc import Sequence

import torch

_BASE = 100.0
"""Of the wavelengths, which go from 2 pi to about 100 times that; no stage has an axis so long."""


def angles(shape: Sequence[int], size: int, device: torch.device | None = None) -> torch.Tensor:
    """The angle of each pair of features at each voxel: (voxels in raster order, size // 2), radians.

    The pairs are dealt to the axes in turns; each axis has its own row of wavelengths.

    Args:
        shape: Voxels along each axis.
        size: Features of a head.
        device: Of the result.

    Example:
        >>> angles((1, 1, 2), 6).tolist()
        [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    pairs = size // 2
    axes = len(shape)
    made = []
    for pair in range(pairs):
        axis, turn = pair % axes, pair // axes
        of_this_axis = (pairs - axis + axes - 1) // axes
        rate = _BASE ** (-turn / of_this_axis)
        place = torch.arange(shape[axis], device=device, dtype=torch.float32) * rate
        view = [1] * axes
        view[axis] = -1
        made.append(place.view(view).expand(*shape).reshape(-1))
    return torch.stack(made, dim=1) if made else torch.zeros(math.prod(shape), 0, device=device)


def turned(tokens: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """Queries or keys (B, head, n, d), each pair of features turned by its angle.

    The product of a turned query and a turned key depends on how far they are apart, not on where they are.
    A last feature without a partner stays as it is.

    Source:
        Su et al. 2021, arXiv:2104.09864, section 3.2, along each axis of the volume.
    """
    pairs = tokens.shape[-1] // 2
    first, second = tokens[..., :pairs], tokens[..., pairs : 2 * pairs]
    cos, sin = by.cos().to(tokens.dtype), by.sin().to(tokens.dtype)
    rest = tokens[..., 2 * pairs :]
    return torch.cat((first * cos - second * sin, first * sin + second * cos, rest), dim=-1)
