"""Low resolution: voxels left out, and what is left interpolated."""

from collections.abc import Mapping

import torch
from torch.nn.functional import interpolate


def coarsen(rows: torch.Tensor, fractions: Mapping[int, float], *, flat: bool) -> None:
    """Keep a fraction of some rows' voxels along each axis and interpolate linearly between them, in place.

    Args:
        rows: (row, z, y, x).
        fractions: More than 0 to 1, by row.
        flat: Whether the first axis keeps all its voxels.
    """
    fixed = int(flat)
    for row, fraction in fractions.items():
        shape = rows.shape[1:]
        # As nnU-Net, which keeps the fraction in single precision.
        kept = float(torch.tensor(fraction))
        coarse = [*shape[:fixed], *(round(size * kept) for size in shape[fixed:])]
        left = interpolate(rows[row][None, None], coarse, mode="nearest-exact")
        rows[row] = interpolate(left, shape, mode="trilinear")[0, 0]
