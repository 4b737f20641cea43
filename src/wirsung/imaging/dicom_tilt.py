"""Slices of a tilted gantry, moved back within their planes onto a grid with right angles.

A tilted stack is a sheared grid: every slice lies beside the one before. NIfTI could say so, but most
software refuses such a file or reads it wrong, so the slices are resampled once, along the shear alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from wirsung.imaging.volume import Volume

_MARGIN = 12
"""Pixels beyond the border; of what lies further away, a cubic spline feels 0.27^12, a ten-millionth."""
_NO_SHIFT = 1e-3
"""Pixels; a shift below leaves the values as they are."""

Plane = NDArray[np.float64]


@dataclass(frozen=True)
class Shear:
    """How far each slice lies beside the one before."""

    along_row_mm: float
    """From column to column, in the direction of a row."""
    along_column_mm: float
    step_mm: float
    """Between slices, along their normal."""

    @property
    def degrees(self) -> float:
        """The tilt, with the sign of the larger part.

        Example:
            >>> round(Shear(0.0, -2.0, 2.0).degrees, 6)
            -45.0
        """
        larger = max(self.along_row_mm, self.along_column_mm, key=abs)
        size_mm = float(np.hypot(self.along_row_mm, self.along_column_mm))
        return float(np.degrees(np.arctan2(np.copysign(size_mm, larger), self.step_mm)))


def straightened(volume: Volume, shear: Shear, *, fill: float) -> Volume:
    """The slices put where they were taken, by cubic splines; integers are rounded once.

    The grid grows by as much as the outermost slices are moved, so that nothing is lost. What no slice covers
    is filled, and values stay within those of their slice.

    Args:
        volume: Columns, rows and slices as stored, on the grid that its middle slice stands right on.
        shear: As the positions say.
        fill: The value of what was not scanned.
    """
    spacing = volume.spacing_mm
    shift = np.array([shear.along_row_mm / spacing[0], shear.along_column_mm / spacing[1]])
    count = volume.shape[2]
    from_middle = np.arange(count) - (count - 1) / 2
    grown = np.ceil(np.abs(shift * from_middle[0]) - _NO_SHIFT).astype(int).clip(0)
    shape = (volume.shape[0] + 2 * grown[0], volume.shape[1] + 2 * grown[1], count)
    voxels = np.full(shape, fill, dtype=volume.voxels.dtype)
    for k, steps in enumerate(from_middle):
        _place(voxels[..., k], volume.voxels[..., k], grown, shift * steps)
    affine = volume.affine.copy()
    affine[:3, 3] -= affine[:3, :2] @ grown
    return Volume(voxels, affine)


def _place(target: NDArray[np.generic], stored: NDArray[np.generic], grown: Plane, shift: Plane) -> None:
    """Write one slice into the larger plane, moved by `shift` pixels."""
    whole = np.floor(shift + _NO_SHIFT).astype(int)
    part = np.where(shift - whole < _NO_SHIFT, 0.0, shift - whole)
    values = stored
    for axis in (0, 1):
        if part[axis]:
            values = _moved(values, float(part[axis]), axis)
    if values is not stored:
        values = values.clip(stored.min(), stored.max())
        values = np.rint(values) if target.dtype.kind in "iu" else values
    start = grown + whole + (part > 0)
    place = tuple(slice(first, first + length) for first, length in zip(start, values.shape, strict=True))
    target[place] = values


def _moved(values: NDArray[np.generic], part: float, axis: int) -> Plane:
    """Values half-way between pixels: a pixel fewer along the axis, as none lies beyond the border."""
    margin = [(0, 0), (0, 0)]
    margin[axis] = (_MARGIN, _MARGIN)
    # Reflected in the border's value too, so that a slope goes on across the border.
    wide = np.pad(values.astype(np.float64), margin, mode="reflect", reflect_type="odd")
    coefficients = ndimage.spline_filter1d(wide, order=3, axis=axis, mode="mirror")
    # The value at t - part, for t from 1 on: the pixels from t - 2 to t + 1 have a say in it.
    at = 1 - part
    weights = (
        np.array([(1 - at) ** 3, 3 * at**3 - 6 * at**2 + 4, -3 * at**3 + 3 * at**2 + 3 * at + 1, at**3]) / 6
    )
    first = _MARGIN - 1
    length = values.shape[axis] - 1
    parts = [
        weight * coefficients.take(range(first + tap, first + tap + length), axis=axis)
        for tap, weight in enumerate(weights)
    ]
    return np.asarray(sum(parts))
