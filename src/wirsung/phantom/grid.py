"""Where the voxels of a phantom lie."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wirsung.errors import GeometryError
from wirsung.imaging.arrays import Affine


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid in RAS+ mm; voxel centres lie at integer indices.

    The phantom's origin lies in front of the disc between the first two lumbar vertebrae, a little behind the
    neck of the pancreas. An adult is whole from -360 mm (below the lesser trochanter) to 170 mm (lung above
    the liver's dome) along z, within 200 mm of the midline along x and within 140 mm along y.

    Raises:
        GeometryError: An empty axis, or an affine that is singular or infinite.

    Example:
        >>> grid = Grid.centred((5, 5, 3), (2.0, 2.0, 4.0))
        >>> grid.affine[:3, 3].tolist()
        [-4.0, -4.0, -4.0]
        >>> [axis.tolist() for axis in grid.axes_mm]
        [[-4.0, -2.0, 0.0, 2.0, 4.0], [-4.0, -2.0, 0.0, 2.0, 4.0], [-4.0, 0.0, 4.0]]
    """

    shape: tuple[int, int, int]
    """Voxels along i, j and k."""
    affine: Affine
    """Voxel index to RAS+ mm."""

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if len(self.shape) != 3 or min(self.shape) < 1:
            msg = f"A grid needs three axes with voxels on each, but its shape is {self.shape}."
            raise GeometryError(msg)
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-9:
            msg = f"A grid's affine is a finite, regular 4 x 4 matrix, but this is {affine.tolist()}."
            raise GeometryError(msg)
        affine.flags.writeable = False
        object.__setattr__(self, "affine", affine)

    @classmethod
    def centred(
        cls,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        oblique_deg: float = 0.0,
        centre_ras_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> "Grid":
        """A grid whose middle lies at `centre_ras_mm`, turned about the patient's left-right axis."""
        angle = np.deg2rad(oblique_deg)
        turn = np.array(
            [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]], dtype=float
        )
        affine = np.eye(4)
        affine[:3, :3] = turn @ np.diag(spacing_mm)
        affine[:3, 3] = np.array(centre_ras_mm) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
        return cls(shape, affine)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres along i, j and k."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def axes_mm(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """RAS+ coordinate of the voxel centres along i, j and k.

        Raises:
            GeometryError: The grid is oblique, so that a coordinate is not a function of one index.
        """
        scale = np.diag(self.affine[:3, :3])
        if not np.allclose(self.affine[:3, :3], np.diag(scale)):
            msg = "An oblique grid has no axes in RAS+. Use its affine."
            raise GeometryError(msg)
        i, j, k = (
            np.arange(n) * s + o for n, s, o in zip(self.shape, scale, self.affine[:3, 3], strict=True)
        )
        return i, j, k
