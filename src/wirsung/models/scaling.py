"""What a normalisation does to the voxels of one channel: clip, shift, scale, a few slices at a time.

Which normalisation a channel gets is decided in `normalisation`; here are its numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wirsung.models.normalisation import CT_SCHEME, IMAGE_SCHEME, Normalisation

_SMALLEST = 1e-8
"""A spread below it is taken for it."""
_RANGE_SCHEME = "RescaleTo01Normalization"


@dataclass(frozen=True)
class Scaling:
    """The numbers of one channel."""

    bounds: tuple[float, float] | None = None
    """What is clipped first."""
    shift: float = 0.0
    scale: float = 1.0

    def apply(self, values: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> None:
        """Clip, subtract the shift and divide by the scale, in place.

        Args:
            values: Of any shape.
            mask: Where to; elsewhere the values stay. None for everywhere.

        Example:
            >>> values = np.array([-5, 0, 4], np.float32)
            >>> Scaling((-1.0, 3.0), 1.0, 2.0).apply(values)
            >>> values
            array([-1. , -0.5,  1. ], dtype=float32)
        """
        if self.bounds is not None:
            np.clip(values, *self.bounds, out=values)
        if (self.shift, self.scale) != (0.0, 1.0):
            where: NDArray[np.bool_] | bool = True if mask is None else mask
            np.subtract(values, np.float32(self.shift), out=values, where=where)
            np.divide(values, np.float32(self.scale), out=values, where=where)


def scaling_of(
    channel: NDArray[np.generic], way: Normalisation, mask: NDArray[np.bool_] | None = None
) -> Scaling:
    """The numbers that nnU-Net's class of that name would find.

    Args:
        channel: (z, y, x), in the image's own unit.
        way: Only CT's takes its numbers from the training cases, the others take them from the channel.
        mask: The region that counts, where the way is limited to one.

    Source:
        `default_normalization_schemes.py` of nnU-Net 2.8; sums in float64, where it has float32.

    Example:
        >>> from wirsung.models.normalisation import BY_ITSELF
        >>> scaling_of(np.array([[[1, 3]]]), BY_ITSELF)
        Scaling(bounds=None, shift=2.0, scale=1.0)
    """
    if way.scheme == CT_SCHEME:
        about = way.intensity
        bounds = (about.percentile_00_5, about.percentile_99_5)
        return Scaling(bounds, about.mean, max(about.std, _SMALLEST))
    if way.scheme == IMAGE_SCHEME:
        mean, spread = _moments(channel, mask if way.inside_mask_only else None)
        return Scaling(None, mean, max(spread, _SMALLEST))
    if way.scheme == _RANGE_SCHEME:
        low, high = np.float32(channel.min()), np.float32(channel.max())
        return Scaling(None, float(low), max(float(high - low), _SMALLEST))
    return Scaling()


def _moments(channel: NDArray[np.generic], mask: NDArray[np.bool_] | None) -> tuple[float, float]:
    """Mean and standard deviation, slice by slice, so that float64 never exists for all of them."""
    kept = list(channel) if mask is None else [plane[own] for plane, own in zip(channel, mask, strict=True)]
    count = sum(plane.size for plane in kept)
    if not count:
        return 0.0, 1.0
    mean = sum(float(plane.sum(dtype=np.float64)) for plane in kept) / count
    squares = sum(float(np.square(plane - mean, dtype=np.float64).sum()) for plane in kept)
    return mean, float(np.sqrt(squares / count))
