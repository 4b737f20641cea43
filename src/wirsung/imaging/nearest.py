"""Labels on another grid: each voxel takes the value of the nearest one, where a user asks for that."""

import numpy as np

from wirsung.imaging.arrays import Voxels
from wirsung.imaging.volume import Volume

_ROUNDING = 1e-6
"""Of a voxel: a tie is decided the same way on every machine."""


def nearest_on(volume: Volume, reference: Volume) -> tuple[Voxels, float]:
    """The volume's values on the reference's grid, and the farthest in mm that one was fetched from.

    Beyond the volume all is 0. Between two voxels the one of the higher index counts.

    Example:
        >>> row = Volume(np.array([[[1, 2, 3]]]), np.eye(4))
        >>> finer = Volume(np.zeros((1, 1, 6)), np.diag([1.0, 1, 0.5, 1]))
        >>> values, far_mm = nearest_on(row, finer)
        >>> values.ravel().tolist(), far_mm
        ([1, 2, 2, 3, 3, 0], 0.5)
    """
    to_index = np.linalg.inv(volume.affine) @ reference.affine
    size = np.array(volume.shape)[:, None, None]
    made = np.zeros(reference.shape, dtype=volume.voxels.dtype)
    i, j = np.meshgrid(*(np.arange(count) for count in reference.shape[:2]), indexing="ij")
    flat = np.einsum("ab,bij->aij", to_index[:3, :2], np.stack([i, j])) + to_index[:3, 3][:, None, None]
    farthest_mm = 0.0
    for k in range(reference.shape[2]):
        place = flat + k * to_index[:3, 2][:, None, None]
        near = np.floor(place + 0.5 + _ROUNDING).astype(int)
        inside = ((near >= 0) & (near < size)).all(axis=0)
        if inside.any():
            made[..., k][inside] = volume.voxels[tuple(near[:, inside])]
            off_mm = volume.affine[:3, :3] @ (place - near)[:, inside]
            farthest_mm = max(farthest_mm, float(np.linalg.norm(off_mm, axis=0).max()))
    return made, farthest_mm
