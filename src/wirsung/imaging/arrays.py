"""The shapes of arrays, named once. Grid axes are `i j k`; affines map voxel indices to RAS+ in mm."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Voxels = NDArray[Any]
"""Any scalar volume, shape (i, j, k)."""

Mask = NDArray[np.bool_]
"""One structure, shape (i, j, k)."""

LabelMap = NDArray[np.integer[Any]]
"""One label value per voxel, shape (i, j, k); 0 is background."""

Affine = NDArray[np.float64]
"""Voxel indices to RAS+ mm, shape (4, 4)."""
