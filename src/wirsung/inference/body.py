"""Where the body lies in a prepared CT, so that tiles outside it need no network.

A model whose foreground has next to no voxel as dark as air can find nothing in air. Its plans tell: nnU-Net
keeps the percentile 0.5 of the intensities of all training foreground, and clips CT to it. Where that is well
above air, blocks of voxels at the bound are air, lung or the like, and a tile without anything brighter is
background. Lines and noise are brighter, but small beside a body; a table that is not small is taken for a
part of it. MRI has no such scale: nothing of it is ever left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from wirsung.models.normalisation import CT_SCHEME, Normalisation
from wirsung.models.plans import Shape

AIR_HU = -500.0
"""A model is taken to find nothing in air where 99.5 % of its foreground is brighter."""
_BLOCK = 4
"""Voxels along each axis that are judged together."""
_ABOVE = 0.1
"""What is brighter than the bound by this part of the way to the foreground's mean is tissue."""
_SHARE = 0.25
"""A block of which so much is tissue belongs to a piece of it."""
_SMALLEST = 0.01
"""Pieces smaller than this part of the largest are no body."""


@dataclass(frozen=True)
class Body:
    """Where tissue lies, in blocks of voxels of the prepared image."""

    blocks: NDArray[np.bool_]
    """(z, y, x)."""
    sizes: Shape
    """Voxels along each axis of a block."""

    def touches(self, start: Shape, patch: Shape) -> bool:
        """Whether the tile that begins there holds some of it.

        Example:
            >>> body = Body(np.array([[[False, False, True]]]), (1, 1, 4))  # voxels 8 to 11
            >>> body.touches((0, 0, 2), (1, 1, 6)), body.touches((0, 0, 3), (1, 1, 6))
            (False, True)
        """
        places = (
            slice(max(0, at) // size, max(0, -(-(at + length) // size)))
            for at, length, size in zip(start, patch, self.sizes, strict=True)
        )
        return bool(self.blocks[tuple(places)].any())


def body_of(prepared: torch.Tensor, ways: Sequence[Normalisation]) -> Body | None:
    """The body in a prepared image, by its first CT channel; None where the model may find something in air.

    Args:
        prepared: (channel, z, y, x).
        ways: How each channel was normalised.
    """
    for channel, way in zip(prepared, ways, strict=False):
        about = way.intensity
        if way.scheme != CT_SCHEME or way.inside_mask_only or about.percentile_00_5 <= AIR_HU:
            continue
        limit = about.percentile_00_5 + _ABOVE * (about.mean - about.percentile_00_5)
        sizes = tuple(min(_BLOCK, size) for size in channel.shape)
        return _body(channel > (limit - about.mean) / max(about.std, 1e-8), (sizes[0], sizes[1], sizes[2]))
    return None


def _body(tissue: torch.Tensor, sizes: Shape) -> Body | None:
    shares = torch.nn.functional.avg_pool3d(
        tissue.float()[None, None], sizes, ceil_mode=True, count_include_pad=False
    )
    pieces, count = ndimage.label((shares[0, 0] >= _SHARE).cpu().numpy())
    if not count:
        return None
    volumes = np.bincount(pieces.ravel())[1:]
    kept = np.flatnonzero(volumes >= _SMALLEST * volumes.max()) + 1
    # One block more on every side, as the edge of a body fills blocks by less than was asked for.
    return Body(ndimage.binary_dilation(np.isin(pieces, kept), np.ones((3, 3, 3), bool)), sizes)
