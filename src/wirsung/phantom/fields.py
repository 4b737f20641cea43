"""Random smooth fields that are made plane by plane, so that a large grid never holds one in memory."""

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""One plane of a volume, across its first axis: shape (j, k)."""


class SmoothField:
    """A random field of mean 0 and standard deviation 1 at every voxel, smooth over `length_mm`.

    White noise on a coarse grid is spread by Gaussian weights; each voxel's weights have unit length, so its
    variance is exactly 1. The three axes separate, hence two small matrix products give a plane.

    Args:
        shape: Voxels along i, j and k.
        spacing_mm: Distance of voxel centres.
        length_mm: Sigma of the Gaussian weights.
        rng: Draws the coarse noise.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        length_mm: float,
        rng: np.random.Generator,
    ) -> None:
        self._weights = [_weights(*axis, length_mm) for axis in zip(shape, spacing_mm, strict=True)]
        nodes = tuple(weights.shape[1] for weights in self._weights)
        self._coarse = rng.standard_normal(nodes, dtype=np.float32)

    def plane(self, i: int) -> Plane:
        """The plane across the first axis at index `i`."""
        along_i, along_j, along_k = self._weights
        coarse = np.tensordot(along_i[i], self._coarse, axes=1).astype(np.float32, copy=False)
        plane: Plane = along_j @ (coarse @ along_k.T)
        return plane

    def whole(self) -> NDArray[np.float32]:
        """All planes, shape (i, j, k)."""
        along_i, along_j, along_k = self._weights
        spread = np.tensordot(self._coarse, along_k, axes=(2, 1))
        spread = np.tensordot(along_j, spread, axes=(1, 1))
        found: NDArray[np.float32] = np.tensordot(along_i, spread, axes=(1, 1))
        return found


def _weights(count: int, spacing_mm: float, length_mm: float) -> NDArray[np.float32]:
    """Rows: voxels; columns: nodes one sigma apart, two of them beyond each end."""
    nodes = int(np.ceil(count * spacing_mm / length_mm)) + 5
    voxel_mm = np.arange(count)[:, None] * spacing_mm
    node_mm = (np.arange(nodes)[None, :] - 2) * length_mm
    weights = np.exp(-0.5 * ((voxel_mm - node_mm) / length_mm) ** 2)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return weights.astype(np.float32)
