"""Random smooth fields that are made plane by plane, so that a large grid never holds one in memory."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

_REACH = 4.0
"""In sigma; a node farther off would weigh less than a thousandth."""

Plane = NDArray[np.float32]
"""One plane of a volume, across its first axis: shape (j, k)."""


class SmoothField:
    """A random field of mean 0 and standard deviation 1 at every voxel, smooth over `length_mm`.

    White noise on a coarse grid is spread by Gaussian weights; each voxel's weights have unit length, so its
    variance is exactly 1. The three axes separate, hence two small products give a plane.

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
        self._along_i, self._along_j, self._along_k = (
            _weights(count, step_mm, length_mm) for count, step_mm in zip(shape, spacing_mm, strict=True)
        )
        nodes = self._along_i.shape[1], self._along_j.shape[1], self._along_k.shape[1]
        self._coarse = rng.standard_normal(nodes, dtype=np.float32)

    def plane(self, i: int) -> Plane:
        """The plane across the first axis at index `i`."""
        start, stop = self._along_i.indptr[i : i + 2]
        row = self._along_i.data[start:stop], self._coarse[self._along_i.indices[start:stop]]
        coarse = np.einsum("n,njk->jk", *row)
        plane: Plane = self._along_j @ np.ascontiguousarray((self._along_k @ coarse.T).T)
        return plane

    def whole(self) -> NDArray[np.float32]:
        """All planes, shape (i, j, k)."""
        return np.stack([self.plane(i) for i in range(self._along_i.shape[0])])


def _weights(count: int, spacing_mm: float, length_mm: float) -> csr_array:
    """Rows: voxels; columns: nodes one sigma apart, some of them beyond each end.

    Sparse, as only nodes within four sigma count: faster than a dense product, and without BLAS, whose
    threads would get in the way of parallel workers.
    """
    beyond = int(_REACH) + 1
    nodes = int(np.ceil(count * spacing_mm / length_mm)) + 2 * beyond + 1
    voxel_mm = np.arange(count)[:, None] * spacing_mm
    node_mm = (np.arange(nodes)[None, :] - beyond) * length_mm
    apart = np.abs(voxel_mm - node_mm) / length_mm
    weights = np.where(apart <= _REACH, np.exp(-0.5 * apart**2), 0)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return csr_array(weights.astype(np.float32))
