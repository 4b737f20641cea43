"""An MR of the phantom: signal by weighting, a smooth bias field whose truth is known, and Rician noise."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from wirsung.phantom.appearance import Scene
from wirsung.phantom.centres import Centre
from wirsung.phantom.fields import Plane, SmoothField
from wirsung.phantom.materials import Signals, table_of, textures
from wirsung.phantom.scanner import filtered, gain

LARGEST = 4095
"""What 12 bits hold."""

_BIAS_SD = 0.15
# Each HU of CT texture is this fraction of the tissue's MR signal.
_TEXTURE = 0.006
Coefficients = dict[str, float]
"""Polynomial of the logarithm of the bias: the keys are the powers of u, v, w, as `"1 0 2"`."""


def draw_bias(rng: np.random.Generator) -> Coefficients:
    """A field of about 0.7 to 1.4, smooth as a receive coil's: a polynomial of order 2 of its logarithm."""
    powers = [power for power in product(range(3), repeat=3) if 0 < sum(power) <= 2]
    return {" ".join(map(str, power)): round(float(rng.normal(0, _BIAS_SD)), 5) for power in powers}


def bias_field(coefficients: Coefficients, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """The bias at every voxel, which the signal is multiplied by.

    u, v and w run from -1 at the first voxel centre to 1 at the last along i, j and k.

    Example:
        >>> field = bias_field({"1 0 0": 0.5}, (3, 1, 1)).ravel()
        >>> [round(float(value), 3) for value in field]  # exp(-0.5), 1, exp(0.5)
        [0.607, 1.0, 1.649]
    """
    planes = range(shape[0])
    return np.stack([bias_plane(coefficients, shape, i) for i in planes])


def bias_plane(coefficients: Coefficients, shape: tuple[int, int, int], i: int) -> Plane:
    """The bias on the plane across the first axis at index `i`, shape (j, k)."""
    u, v, w = (_unit_range(count) for count in shape)
    logarithm = np.zeros((shape[1], shape[2]), dtype=np.float32)
    for key, value in coefficients.items():
        a, b, c = map(int, key.split())
        logarithm += np.float32(value) * u[i] ** a * np.outer(v**b, w**c)
    plane: Plane = np.exp(logarithm)
    return plane


def mr_image(
    scene: Scene, signals: Signals, bias: Coefficients, centre: Centre, rng: np.random.Generator
) -> NDArray[np.int16]:
    """The magnitude image, 0 to 4095: bias times signal, blurred, with Rician noise.

    Args:
        scene: Tissues and their grid.
        signals: Signal by material, see materials.draw_signals.
        bias: See bias_field.
        centre: Kernel and noise.
        rng: Draws texture and noise.

    Source:
        H. Gudbjartsson, S. Patz, Magn Reson Med 1995;34:910: the magnitude of a complex signal with equal
        normal noise in both channels.
    """
    means, spread = table_of(signals), textures()
    spread *= np.float32(_TEXTURE) * means
    field = SmoothField(scene.shape, scene.spacing_mm, 8.0, rng)
    white = np.float32(max(signals.values()) * centre.noise_fraction / gain(centre.kernel_voxels))
    seeds = rng.integers(2**63, size=2)
    real_noise, imaginary_noise = (np.random.default_rng(int(seed)) for seed in seeds)

    def real(i: int) -> Plane:
        codes = scene.tissue[i]
        signal = (means[codes] + spread[codes] * field.plane(i)) * bias_plane(bias, scene.shape, i)
        found: Plane = signal + white * real_noise.standard_normal(codes.shape, dtype=np.float32)
        return found

    def imaginary(_: int) -> Plane:
        found: Plane = white * imaginary_noise.standard_normal(scene.shape[1:], dtype=np.float32)
        return found

    voxels = np.empty(scene.shape, dtype=np.int16)
    channels = (filtered(channel, scene.shape[0], centre.kernel_voxels) for channel in (real, imaginary))
    for i, (first, second) in enumerate(zip(*channels, strict=True)):
        voxels[i] = np.rint(np.clip(np.hypot(first, second), 0, LARGEST))
    return voxels


def _unit_range(count: int) -> NDArray[np.float32]:
    return np.linspace(-1, 1, count, dtype=np.float32) if count > 1 else np.zeros(1, dtype=np.float32)
