"""How large cases are and how many tiles they take, from their headers alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wirsung.errors import ImageError
from wirsung.imaging.arrays import Affine
from wirsung.imaging.dicom_headers import Damaged, SetAside, SliceHeader, is_dicom_file, read_headers
from wirsung.imaging.nifti import read_header
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.inference.predictor import Part, Predictor
from wirsung.inference.sliding_window import tile_starts
from wirsung.inference.sources import Source
from wirsung.inference.stage import Stage
from wirsung.models.plans import Shape, Spacing
from wirsung.models.resampling import resampled_shape

_HEADERS = 16
"""Of a DICOM series; all of them would take hours for thousands of cases."""
_SAME_MM = 1e-3
_ROUGHLY = 0.05


@dataclass(frozen=True)
class Extent:
    """Of one case."""

    shape: tuple[int, int, int]
    """Along i, j and k."""
    affine: Affine

    @property
    def voxels(self) -> int:
        """Of one channel."""
        return prod(self.shape)

    def along(self, order: str | None) -> tuple[Shape, Spacing]:
        """Shape and spacing in mm along z, y and x in an axis order; None for that of the file."""
        # No voxel exists: one byte stands for all of them.
        empty = Volume(np.broadcast_to(np.uint8(0), self.shape), self.affine)
        turned = empty if order is None else reorient(empty, order)
        (x, y, z), (x_mm, y_mm, z_mm) = turned.shape, turned.spacing_mm
        return (z, y, x), (z_mm, y_mm, x_mm)


def extent_of(source: Source) -> Extent:
    """Of a NIfTI file from its header; of a DICOM series from some of its files, as near as that is.

    Raises:
        ImageError: A header can't be read.
    """
    if source.kind == "nifti":
        header = read_header(source.path)
        return Extent(header.shape, header.affine)
    files = sorted(path for path in source.path.iterdir() if path.is_file() and is_dicom_file(path))
    slices = _some_slices(files)
    if not slices or slices[0].spacing is None:
        msg = (
            f"Case {source.case} has no DICOM slice whose header tells its size. See what wirsung check says."
        )
        raise ImageError(msg)
    rows, columns = slices[0].shape
    row_mm, column_mm = slices[0].spacing
    count = len(files) if len(files) > 1 else len(slices)
    return Extent((columns, rows, count), np.diag([column_mm, row_mm, _distance_mm(slices, count), 1.0]))


def tiles_of(predictor: Predictor, extent: Extent) -> int:
    """Tiles of that case, of all models and stages together; a preset that looks at a part takes fewer."""
    return sum(_tiles_of_part(part, extent) for part in predictor.parts)


def prepared_voxels(predictor: Predictor, extent: Extent) -> int:
    """Voxels at the spacing of the models, of all of them together."""
    return sum(
        prod(_prepared(part.loaded.stage, extent, part.loaded.orientation)[0]) for part in predictor.parts
    )


def _tiles_of_part(part: Part, extent: Extent) -> int:
    stage: Stage | None = part.loaded.stage
    count = 0
    while stage is not None:
        shape, patch = _prepared(stage, extent, part.loaded.orientation)
        padded = (max(shape[0], patch[0]), max(shape[1], patch[1]), max(shape[2], patch[2]))
        count += prod(map(len, tile_starts(padded, patch, stage.steps)))
        stage = stage.previous
    return count


def _prepared(stage: Stage, extent: Extent, order: str | None) -> tuple[Shape, Shape]:
    """The shape of what a network sees, uncropped, and that of its tiles."""
    shape, spacing_mm = extent.along(order)
    configuration = stage.configuration_for(spacing_mm)
    z, y, x = stage.plans.transpose_forward
    own = resampled_shape(
        (shape[z], shape[y], shape[x]),
        (spacing_mm[z], spacing_mm[y], spacing_mm[x]),
        configuration.spacing_mm,
    )
    return own, configuration.patch_size


def _some_slices(files: Sequence[Path]) -> list[SliceHeader]:
    """Of some files that are evenly spread by name."""
    found: list[SliceHeader] = []
    for index in np.unique(np.linspace(0, len(files) - 1, _HEADERS).round().astype(int)) if files else ():
        try:
            found += read_headers(files[index])
        except (SetAside, Damaged):
            continue
    return found


def _distance_mm(slices: Sequence[SliceHeader], count: int) -> float:
    """Between neighbouring slices, of which some are known, in any order: 1 mm where nothing tells."""
    places = np.array([item.position for item in slices if item.position is not None])
    if len(places) < 2 or count < 2:
        return 1.0
    heights = np.linalg.norm(places - places[0], axis=1)
    normal = (places[heights.argmax()] - places[0]) / (heights.max() or 1.0)
    steps = np.diff(np.sort(places @ normal))
    return _common_step(steps[steps > _SAME_MM], count)


def _common_step(steps: NDArray[np.float64], count: int) -> float:
    """The largest distance of which all steps are multiples, and with which they fit so many slices.

    Example:
        >>> _common_step(np.array([10.0, 7.5, 25.0]), 30)
        2.5
    """
    if not len(steps):
        return 1.0
    least = float(steps.sum()) / (count - 1)
    for divisor in range(1, count):
        step = float(steps.min()) / divisor
        multiples = steps / step
        if step < least * 0.999:
            break
        if np.abs(multiples - multiples.round()).max() < _ROUGHLY:
            return step
    return least
