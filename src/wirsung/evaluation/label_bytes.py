"""Two label maps as the compiled loops want them: bytes, in C order, with their values known."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirsung.errors import LabelError
from wirsung.evaluation.boundary_scan import VALUES, Bytes, Integers
from wirsung.imaging.arrays import LabelMap


class LabelBytes(NamedTuple):
    """Two label maps, a byte a voxel, read-only."""

    reference: Bytes
    prediction: Bytes
    values: Integers
    """The value that each byte stands for."""
    turned: bool
    """The axes are k j i: arrays in Fortran order, as nibabel's are, are taken as they lie in memory."""

    def by_value(self, counts: Integers) -> Integers:
        """Counts by byte as counts by value; their size is the largest value that occurs plus one."""
        rows, columns = np.nonzero(counts)
        size = int(max(self.values[rows].max(), self.values[columns].max())) + 1
        found = np.zeros((size, size), dtype=np.int64)
        found[self.values[rows], self.values[columns]] = counts[rows, columns]
        return found


def label_bytes(reference: LabelMap, prediction: LabelMap) -> LabelBytes:
    """Both maps as bytes; without a copy where they are uint8 and lie in memory alike.

    Raises:
        LabelError: More than 255 values beside 0.
    """
    if reference.shape != prediction.shape:
        msg = f"The reference has shape {reference.shape} and the prediction {prediction.shape}."
        raise ValueError(msg)
    values = np.arange(VALUES)
    pair = [reference, prediction]
    if any(voxels.dtype.itemsize > 1 for voxels in pair):
        if max(int(voxels.max()) for voxels in pair) < VALUES:
            pair = [voxels.astype(np.uint8) for voxels in pair]
        else:
            pair, values = _coded(pair)
    turned = reference.flags.f_contiguous and not reference.flags.c_contiguous
    one, other = (read_only(voxels.T if turned else voxels) for voxels in pair)
    return LabelBytes(one, other, values, turned)


def _coded(pair: list[LabelMap]) -> tuple[list[LabelMap], NDArray[np.int64]]:
    """Values above 255 as the bytes 0, 1, 2 ..., in their order."""
    present = np.zeros(max(int(voxels.max()) for voxels in pair) + 1, dtype=np.bool_)
    present[0] = True
    for voxels in pair:
        present[voxels] = True
    values = np.flatnonzero(present)
    if values.size > VALUES:
        msg = f"The label maps hold {values.size} values, but at most {VALUES} can be scored at once."
        raise LabelError(msg)
    codes = np.zeros(present.size, dtype=np.uint8)
    codes[values] = np.arange(values.size)
    # Unused bytes stand for no value.
    padded = np.concatenate([values, np.full(VALUES - values.size, -1)])
    return [codes[voxels] for voxels in pair], padded


def read_only(voxels: LabelMap) -> Bytes:
    """The same as a read-only array in C order: one type for the compiler, and nothing is ever written."""
    view = np.ascontiguousarray(voxels).view(np.uint8)
    view.flags.writeable = False
    return view
