"""Noise: how strong, how coarse, and with or without a sign."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

Image = NDArray[np.float32]
STRENGTH = (4.0, 70.0)
"""Standard deviation where a soft-tissue window is 1000; log-uniform."""
COARSENESS_VOXELS = (0.0, 0.9)
"""Sigma of the kernel that the noise passes through."""


@dataclass(frozen=True)
class Noise:
    """The noise of one scan."""

    strength: float
    """Standard deviation, in units of the image."""
    sigma_voxels: tuple[float, float, float]
    """Of the kernel along i, j and k."""


def draw_noise(rng: np.random.Generator) -> Noise:
    """Noise of a random strength and grain."""
    low, high = np.log(STRENGTH)
    i, j, k = (float(value) for value in rng.uniform(*COARSENESS_VOXELS, 3))
    return Noise(float(np.exp(rng.uniform(low, high))), (i, j, k))


def grain(shape: tuple[int, ...], noise: Noise, rng: np.random.Generator) -> Image:
    """Normal noise of mean 0 and the standard deviation `noise.strength` at every voxel."""
    found = rng.standard_normal(shape, dtype=np.float32)
    for axis, sigma in enumerate(noise.sigma_voxels):
        if sigma > 0.1:
            weights = np.exp(-0.5 * (np.arange(-3, 4) / sigma) ** 2)
            weights /= np.linalg.norm(weights)  # keeps the variance
            found = correlate1d(found, weights, axis=axis, mode="wrap")
    found *= np.float32(noise.strength)
    return found


def with_noise(image: Image, noise: Noise, rng: np.random.Generator, *, magnitude: bool) -> Image:
    """The image with noise; as a magnitude, the length of a complex signal with it in both channels.

    Source:
        H. Gudbjartsson, S. Patz, Magn Reson Med 1995;34:910.
    """
    first = image + grain(image.shape, noise, rng)
    if not magnitude:
        return first
    found: Image = np.hypot(first, grain(image.shape, noise, rng))
    return found
