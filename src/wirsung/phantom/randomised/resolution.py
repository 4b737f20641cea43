"""Resolution: thick slices, blur, and the interpolation that follows them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

Image = NDArray[np.float32]
THICK_MM = 10.0
"""The thickest slices."""
SLICED = (0.2, 0.2, 0.6)
"""How often the slices lie across i, j and k: sagittal, coronal and axial."""
BLUR_MM = (1.5, 7.0)
"""Width at half height of the blur in the slice plane."""
_SIGMA = 1 / (2 * np.sqrt(2 * np.log(2)))
"""Of a Gaussian of width 1 at half height."""


@dataclass(frozen=True)
class Resolution:
    """What a scan resolves along i, j and k."""

    width_mm: tuple[float, float, float]
    """Width at half height of the blur."""
    step_mm: tuple[float, float, float]
    """Distance of the samples that the image is interpolated from; below the grid's there are none."""


def draw_resolution(rng: np.random.Generator) -> Resolution:
    """Slices of up to 10 mm along one axis, and some blur along the others."""
    axis = int(rng.choice(3, p=SLICED))
    thick_mm = float(rng.uniform(BLUR_MM[0], THICK_MM))
    blur_mm = float(rng.uniform(*BLUR_MM))
    width, step = [blur_mm] * 3, [0.0] * 3
    width[axis], step[axis] = thick_mm, thick_mm * float(rng.uniform(0.7, 1.0))
    return Resolution((width[0], width[1], width[2]), (step[0], step[1], step[2]))


def degraded(image: Image, spacing_mm: tuple[float, float, float], resolution: Resolution) -> Image:
    """The image as such a scan shows it, interpolated onto its own grid again.

    Example:
        >>> line = np.zeros((1, 1, 9), dtype=np.float32)
        >>> line[0, 0, 4] = 8
        >>> coarse = Resolution((0.0, 0.0, 0.0), (0.0, 0.0, 4.0))
        >>> degraded(line, (2.0, 2.0, 2.0), coarse).ravel().tolist()  # samples at 0, 2, 4, 6 and 8
        [0.0, 0.0, 0.0, 4.0, 8.0, 4.0, 0.0, 0.0, 0.0]
    """
    for axis in range(3):
        sigma = resolution.width_mm[axis] * _SIGMA / spacing_mm[axis]
        if sigma > 0.1:  # less is no blur on a grid
            image = gaussian_filter1d(image, sigma, axis=axis, mode="nearest", truncate=3.0)
        step = resolution.step_mm[axis] / spacing_mm[axis]
        if step > 1:
            image = _resampled(image, axis, step)
    return image


def _resampled(image: Image, axis: int, step: float) -> Image:
    """Linear interpolation from samples `step` voxels apart, the outermost of which may be cut off."""
    count = image.shape[axis]
    samples = np.arange(0, count - 1 + 1e-6, step)
    coarse = _linear(image, axis, samples)
    return _linear(coarse, axis, np.arange(count) / step)


def _linear(image: Image, axis: int, places: NDArray[np.float64]) -> Image:
    below = np.clip(np.floor(places).astype(int), 0, max(image.shape[axis] - 2, 0))
    above = np.minimum(below + 1, image.shape[axis] - 1)
    shape = [1, 1, 1]
    shape[axis] = len(places)
    weight = np.clip(places - below, 0, 1).astype(np.float32).reshape(shape)
    found: Image = np.take(image, below, axis) * (1 - weight) + np.take(image, above, axis) * weight
    return found
