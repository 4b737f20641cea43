"""Counting metrics, all from one joint histogram of two label maps."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wirsung.evaluation.boundary_scan import count_voxels
from wirsung.evaluation.label_bytes import label_bytes
from wirsung.imaging.arrays import LabelMap

Confusion = NDArray[np.int64]
"""Voxels by reference value (row) and prediction value (column)."""


@dataclass(frozen=True)
class Overlap:
    """Voxel counts of one structure, and the fractions that follow; NaN where a denominator is 0.

    Example:
        >>> two_cubes = Overlap(intersection=4, reference=8, prediction=8)
        >>> two_cubes.dsc, two_cubes.sensitivity
        (0.5, 0.5)
    """

    intersection: int
    reference: int
    prediction: int
    voxels: int = field(default=0, compare=False, repr=False)
    """Of the whole volume; what is outside a structure needs it."""

    @property
    def dsc(self) -> float:
        """Dice similarity coefficient, 2|P∩G| / (|P| + |G|), 0 to 1."""
        return _fraction(2 * self.intersection, self.reference + self.prediction)

    @property
    def iou(self) -> float:
        """Intersection over union, 0 to 1."""
        return _fraction(self.intersection, self.reference + self.prediction - self.intersection)

    @property
    def sensitivity(self) -> float:
        """Fraction of the reference that the prediction holds."""
        return _fraction(self.intersection, self.reference)

    @property
    def specificity(self) -> float:
        """Fraction of the voxels outside the reference that the prediction leaves out; near 1 in any scan."""
        outside = self.voxels - self.reference
        return _fraction(outside - (self.prediction - self.intersection), outside)

    @property
    def precision(self) -> float:
        """Fraction of the prediction that the reference holds."""
        return _fraction(self.intersection, self.prediction)

    @property
    def kappa(self) -> float:
        """Cohen's kappa over all voxels of the volume, -1 to 1: agreement beyond chance.

        Example:
            >>> Overlap(intersection=4, reference=8, prediction=8, voxels=16).kappa
            0.0
        """
        missed, added = self.reference - self.intersection, self.prediction - self.intersection
        neither = self.voxels - self.reference - added
        agreed = 2 * (self.intersection * neither - missed * added)
        return _fraction(agreed, self.reference * (missed + neither) + self.prediction * (added + neither))


def confusion(reference: LabelMap, prediction: LabelMap) -> Confusion:
    """The joint histogram of two label maps; its size is the larger of their largest values plus one.

    Args:
        reference: At most 255 values beside 0.
        prediction: As the reference, of the same shape.

    Raises:
        LabelError: More values.

    Example:
        >>> confusion(np.array([[[0, 1, 1, 2]]]), np.array([[[0, 1, 2, 2]]])).tolist()
        [[1, 0, 0], [0, 1, 1], [0, 0, 1]]
    """
    maps = label_bytes(reference, prediction)
    return maps.by_value(count_voxels(maps.reference, maps.prediction, 0, reference.size))


def overlap(counts: Confusion, reference_values: Sequence[int], prediction_values: Sequence[int]) -> Overlap:
    """The overlap of one structure, which may be several values of each label map together.

    Example:
        >>> counts = confusion(np.array([[[0, 1, 1, 2]]]), np.array([[[0, 1, 2, 2]]]))
        >>> overlap(counts, [1, 2], [1, 2])
        Overlap(intersection=3, reference=3, prediction=3)
    """
    rows = [value for value in reference_values if value < len(counts)]
    columns = [value for value in prediction_values if value < len(counts)]
    return Overlap(
        int(counts[np.ix_(rows, columns)].sum()),
        int(counts[rows].sum()),
        int(counts[:, columns].sum()),
        int(counts.sum()),
    )


def _fraction(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
