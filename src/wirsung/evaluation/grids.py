"""The prediction on the reference's grid: re-indexed where that is all, resampled where the user asks."""

import numpy as np
from scipy import ndimage

from wirsung.errors import GeometryError
from wirsung.imaging.geometry import grid_corners_mm, same_grid_as
from wirsung.imaging.orientation import axis_codes, reorient
from wirsung.imaging.volume import Volume


def on_grid_of(
    reference: Volume, prediction: Volume, *, case: str, resample: bool = False, name: str = "prediction"
) -> tuple[Volume, str]:
    """The prediction's labels on the reference's grid, and a note on what was done to them.

    Flipped and permuted axes are turned back without interpolation, which needs no note.

    Args:
        reference: The volume whose grid counts.
        prediction: A label map, or codes.
        case: For the message.
        resample: Take the nearest voxel where the grids differ; what lies beyond the prediction is 0.
        name: What the prediction is called in the message and the note.

    Raises:
        GeometryError: They differ, and `resample` is off; the message gives the distance in mm.
    """
    try:
        return same_grid_as(prediction, reference, case=case, names=("reference", name)), ""
    except GeometryError as error:
        words = _difference(reference, prediction)
        if not resample:
            msg = (
                f"Case {case}: the {name} {words}. Mend its affine, or bring it onto the reference's "
                "grid with --resample."
            )
            raise GeometryError(msg) from error
    return nearest(prediction, reference), f"resampled: the {name} {words}"


def nearest(volume: Volume, reference: Volume) -> Volume:
    """Each voxel of the reference's grid takes the value of the nearest voxel; 0 beyond the volume.

    Example:
        >>> coarse = Volume(np.array([1, 2], np.uint8).reshape(2, 1, 1), np.diag([3.0, 1, 1, 1]))
        >>> fine = Volume(np.zeros((6, 1, 1), np.uint8), np.eye(4))
        >>> nearest(coarse, fine).voxels.ravel()
        array([1, 1, 2, 2, 2, 0], dtype=uint8)
    """
    steps = np.linalg.solve(volume.affine, reference.affine)
    # Rounding noise of the two affines must not decide between two voxels.
    steps = steps.round(9)
    found = np.empty(reference.shape, dtype=volume.voxels.dtype)
    ndimage.affine_transform(
        volume.voxels, steps[:3, :3], steps[:3, 3], output=found, order=0, mode="grid-constant", cval=0
    )
    return reference.with_voxels(found)


def _difference(reference: Volume, prediction: Volume) -> str:
    """How far the grids are apart, and how they differ."""
    turned = reorient(prediction, axis_codes(reference.affine))
    corners = [grid_corners_mm(volume.shape, volume.affine) for volume in (reference, turned)]
    distance_mm = float(np.linalg.norm(corners[0] - corners[1], axis=1).max())
    words = f"lies {round(distance_mm, 6):.3g} mm away from the reference at the farthest corner of its grid"
    sizes = [f"{_by(volume.shape)} voxels of {_by(volume.spacing_mm)} mm" for volume in (turned, reference)]
    return words if sizes[0] == sizes[1] else f"{words} ({sizes[0]}, the reference {sizes[1]})"


def _by(numbers: tuple[float, float, float]) -> str:
    return " x ".join(f"{number:.4g}" for number in numbers)
