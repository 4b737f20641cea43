"""The volume: an array of voxels at a known place."""

from dataclasses import dataclass

import numpy as np

from wirsung.errors import GeometryError
from wirsung.imaging.arrays import Affine, Voxels


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels `i j k` with an affine to RAS+ in mm; neither can be changed after construction.

    Args:
        voxels: Any scalar type; kept as a read-only view, not copied.
        affine: Voxel index to RAS+ mm, 4 x 4; voxel centres lie at integer indices.

    Raises:
        GeometryError: Not three axes, an empty axis, or an affine that is singular, infinite or not 4 x 4.

    Example:
        >>> volume = Volume(np.zeros((4, 4, 2)), np.diag([0.8, 0.8, 2.5, 1.0]))
        >>> volume.spacing_mm
        (0.8, 0.8, 2.5)
        >>> round(volume.voxel_volume_mm3, 3)
        1.6
    """

    voxels: Voxels
    affine: Affine

    def __post_init__(self) -> None:
        voxels = np.asarray(self.voxels).view()
        affine = np.array(self.affine, dtype=np.float64)
        if voxels.ndim != 3 or 0 in voxels.shape:
            msg = f"A volume needs three axes with voxels on each, but the array has shape {voxels.shape}."
            raise GeometryError(msg)
        _check_affine(affine)
        voxels.flags.writeable = False
        affine.flags.writeable = False
        object.__setattr__(self, "voxels", voxels)
        object.__setattr__(self, "affine", affine)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j and k."""
        i, j, k = self.voxels.shape
        return i, j, k

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along i, j and k."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel, from the determinant, so right for sheared grids too."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def with_voxels(self, voxels: Voxels) -> "Volume":
        """Other voxels on the same grid.

        Raises:
            GeometryError: The shape differs.
        """
        if voxels.shape != self.shape:
            msg = f"The new voxels have shape {voxels.shape}, but the grid has {self.shape}."
            raise GeometryError(msg)
        return Volume(voxels, self.affine)


def _check_affine(affine: Affine) -> None:
    if affine.shape != (4, 4) or not np.isfinite(affine).all():
        msg = f"An affine is a finite 4 x 4 matrix, but this one has shape {affine.shape} or is not finite."
        raise GeometryError(msg)
    columns = np.linalg.norm(affine[:3, :3], axis=0)
    if (columns == 0).any() or abs(np.linalg.det(affine[:3, :3] / columns)) < 1e-6:
        msg = f"The affine's columns {affine[:3, :3].tolist()} span no volume, so voxels have no place."
        raise GeometryError(msg)
