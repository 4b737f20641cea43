"""Gaussian noise and Gaussian blur."""

import math
from collections.abc import Mapping, Sequence

import torch

from wirsung.training.augmentation.rows import chosen

_REACH = 6
"""Length of the blur's kernel in standard deviations, both sides together."""


def add_noise(image: torch.Tensor, sd: float, seed: int) -> None:
    """Add normal noise to one sample's channels, in place.

    Args:
        image: (c, z, y, x).
        sd: Standard deviation in the image's units.
        seed: The same seed draws the same noise on the same kind of device.
    """
    generator = torch.Generator(image.device).manual_seed(seed)
    image.add_(torch.empty_like(image).normal_(std=sd, generator=generator))


def blur(rows: torch.Tensor, sd_voxels: Mapping[int, Sequence[float]]) -> None:
    """Blur some rows along each axis, mirrored at the border, in place.

    Args:
        rows: (row, z, y, x).
        sd_voxels: The Gaussian's standard deviation along each axis, by row.
    """
    if not sd_voxels:
        return
    with chosen(rows, tuple(sd_voxels)) as some:
        for axis, widths in enumerate(zip(*sd_voxels.values(), strict=True)):
            some.copy_(_blurred(some, widths, axis + 1))


def _blurred(rows: torch.Tensor, widths: Sequence[float], axis: int) -> torch.Tensor:
    """One axis; a sum of shifted copies, which beats a convolution at these few taps."""
    kernels = [half_kernel(width, rows.shape[axis]) for width in widths]
    reach = max(map(len, kernels)) - 1
    taps = torch.tensor([[*kernel, *[0.0] * reach][: reach + 1] for kernel in kernels], dtype=rows.dtype)
    taps = taps.to(rows.device).T.reshape(reach + 1, -1, *[1] * (rows.ndim - 1))
    size = rows.shape[axis]
    before = rows.narrow(axis, 1, reach).flip(axis)
    after = rows.narrow(axis, size - 1 - reach, reach).flip(axis)
    padded = torch.cat((before, rows, after), axis)
    made = padded.narrow(axis, reach, size) * taps[0]
    for shift in range(1, reach + 1):
        pair = padded.narrow(axis, reach - shift, size) + padded.narrow(axis, reach + shift, size)
        made.addcmul_(pair, taps[shift])
    return made


def half_kernel(sd_voxels: float, longest: int = 99) -> list[float]:
    """The taps at 0, 1, ... voxels from the centre of a kernel as long as nnU-Net's.

    Args:
        sd_voxels: Standard deviation of the Gaussian.
        longest: Taps at most; an axis of so many voxels has no more to mirror.

    Example:
        >>> [round(tap, 4) for tap in half_kernel(0.5)]
        [0.787, 0.1065]
        >>> len(half_kernel(1.0))
        4
    """
    length = sd_voxels * _REACH + 0.5
    taps = round(length)
    if taps % 2 == 0:
        taps += 1 if length >= taps else -1
    weights = [math.exp(-0.5 * (offset / sd_voxels) ** 2) for offset in range(min(taps // 2 + 1, longest))]
    total = weights[0] + 2 * sum(weights[1:])
    return [weight / total for weight in weights]
