"""A part of a prepared image exported to where it lies in the whole one."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wirsung.inference.export import Export
from wirsung.inference.painting_kernels import Axis
from wirsung.models.nonzero import Box
from wirsung.models.plans import Shape


@dataclass(frozen=True)
class PartExport(Export):
    """How the logits of a part become labels: between the same samples as those of the whole image."""

    whole: Export | None = None
    """How those of the whole image would."""
    part: Box = ((0, 0), (0, 0), (0, 0))
    """Which samples are given."""

    def axis(self, axis: int) -> Axis:
        """The cells along one axis whose samples are all given."""
        if self.whole is None:
            return super().axis(axis)
        found, (start, _) = self.whole.axis(axis), self.part[axis]
        cells = _cells(found, self.part[axis])
        first, stop = int(cells[0, 2]), int(cells[-1, 3])
        return Axis(cells - np.array([start, start, first, first]), found.weights[first:stop])

    def matrix(self, axis: int) -> NDArray[np.float64]:
        """The rows of the voxels between the given samples."""
        if self.whole is None:
            return super().matrix(axis)
        cells = _cells(self.whole.axis(axis), self.part[axis])
        rows, columns = slice(int(cells[0, 2]), int(cells[-1, 3])), slice(*self.part[axis])
        return self.whole.matrix(axis)[rows, columns]


def export_of(whole: Export, part: Box) -> PartExport | None:
    """How the logits of a part of the samples become labels; None where no voxel lies between them.

    Args:
        whole: How those of the whole image do; linear or nearest, as splines reach across any border.
        part: First sample, and one past the last, along each axis.
    """
    box = []
    for axis, bounds in enumerate(part):
        cells = _cells(whole.axis(axis), bounds)
        if not len(cells):
            return None
        before = whole.placement.box[axis][0]
        box.append((before + int(cells[0, 2]), before + int(cells[-1, 3])))
    placement = replace(whole.placement, box=(box[0], box[1], box[2]))
    shape: Shape = (part[0][1] - part[0][0], part[1][1] - part[1][0], part[2][1] - part[2][0])
    return PartExport(placement, whole.configuration, shape, whole.meaning, whole.wanted, whole, part)


def _cells(axis: Axis, bounds: tuple[int, int]) -> NDArray[np.int64]:
    """The cells between given samples."""
    cells = axis.cells
    kept: NDArray[np.int64] = cells[(cells[:, 0] >= bounds[0]) & (cells[:, 1] < bounds[1])]
    return kept
