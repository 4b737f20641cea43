"""A case of the dataset as nnU-Net's arrays: (channel, z, y, x), which is k, j, i of an RPS volume."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wirsung.compute.file_state import state_of_file
from wirsung.datasets.foreign_labels import DRAWN_FILE
from wirsung.datasets.layout import Case
from wirsung.imaging.geometry import same_grid_as
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.models.plans import Spacing
from wirsung.training.classes import Classes

ORIENTATION = "RPS"
"""The axis order of every volume that a network here is trained on."""


@dataclass(frozen=True)
class CaseArrays:
    """One training case; not yet preprocessed."""

    image: NDArray[np.generic]
    """(channel, z, y, x)."""
    labels: NDArray[np.int16]
    """(z, y, x), of class indices."""
    spacing_mm: Spacing


def read_case(case: Case, classes: Classes) -> CaseArrays:
    """The case's image and class indices.

    Raises:
        ImageError: The image is damaged.
        LabelError: A mask is damaged.
        GeometryError: Image and masks lie on different grids.
    """
    image = case.image()
    labels = case.label_map(classes.scheme)
    labels = same_grid_as(labels, image, case=case.id, names=("masks", case.image_path.name))
    turned, turned_labels = reorient(image, ORIENTATION), reorient(labels, ORIENTATION)
    x_mm, y_mm, z_mm = turned.spacing_mm
    indices = classes.indices(turned_labels.voxels)
    return CaseArrays(_zyx(turned)[None], indices.transpose(2, 1, 0), (z_mm, y_mm, x_mm))


def state_of(case: Case) -> list[list[str | int]]:
    """Name, size and time of the case's files: what changes when the case does."""
    files = [case.image_path, *sorted(case.label_files), case.label_folder / DRAWN_FILE]
    return [state_of_file(path) for path in files if path.is_file()]


def _zyx(volume: Volume) -> NDArray[np.generic]:
    return volume.voxels.transpose(2, 1, 0)
