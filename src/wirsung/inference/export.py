"""From the network's logits to labels on the image's grid, slab by slab: never all outputs at full size."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from wirsung.inference.painting_kernels import Axis, Canvas, Grid, class_codes, paint_labels, region_codes
from wirsung.inference.probability_kernels import Share, find_leads, paint_probability
from wirsung.inference.sliding_window import Slab
from wirsung.models.plans import Configuration, Plans, Shape
from wirsung.models.preprocessing import Placement
from wirsung.models.resampling import axis_matrix, coarse_axis, multiply_axis, nearest_index

# One slab of one class at the image's size has at most this many voxels.
_SLAB_VOXELS = 8_000_000


@dataclass(frozen=True)
class Exported:
    """A prediction on the image's own grid, (z, y, x)."""

    indices: NDArray[np.uint8] | NDArray[np.uint16]
    """Labels; where none were given, class indices. Outside the crop that of background."""
    probability: NDArray[np.float32] | None
    """Of the wanted output, 0 to 1."""


@dataclass(frozen=True)
class Meaning:
    """What the outputs of a network stand for."""

    values: NDArray[Any]
    """Code to label, uint8 or uint16. The code of a class is its index, that of a region one more."""
    regions: bool = False
    """Whether outputs overlap; then each is a sigmoid, and the last one above one half wins."""

    @classmethod
    def of_classes(cls, count: int) -> "Meaning":
        """Class indices as they are."""
        return cls(np.arange(count, dtype=np.uint8 if count <= 256 else np.uint16))


class _Painter(Protocol):
    """Paints rows of voxels as soon as the logits that they lie between are there."""

    labels: NDArray[Any]
    shares: NDArray[np.float32] | None

    def paint(self, slab: Slab, rows: range) -> None: ...


def export(
    logits: torch.Tensor,
    placement: Placement,
    plans: Plans,
    configuration: Configuration,
    *,
    meaning: Meaning | None = None,
    probability_of: int | None = None,
) -> Exported:
    """The class of each voxel of the image, before any transposing.

    The logits are resampled linearly to the cropped image and the largest wins, as nnU-Net does it.

    Args:
        logits: (output, z, y, x) on the network's grid.
        placement: From preprocessing.
        plans: Of the model.
        configuration: One of the plans'.
        meaning: Of the outputs; None for classes whose labels are their indices.
        probability_of: The output whose probability is wanted too: softmax, or of a region sigmoid.

    Source:
        `convert_predicted_logits_to_segmentation_with_correct_shape` of nnU-Net 2.8.
    """
    shape = (logits.shape[1], logits.shape[2], logits.shape[3])
    how = Export(placement, configuration, shape, meaning or Meaning.of_classes(len(logits)), probability_of)
    return export_slabs([Slab(0, 0, logits)], how, plans)


@dataclass(frozen=True)
class Export:
    """How logits become labels."""

    placement: Placement
    """From preprocessing."""
    configuration: Configuration
    shape: Shape
    """Of the logits."""
    meaning: Meaning
    wanted: int | None = None
    """The output whose probability is wanted too."""

    @property
    def order(self) -> int:
        """Of the interpolation."""
        return self.configuration.logit_resampling.order

    @property
    def coarse(self) -> int | None:
        """The axis along which the nearest sample counts."""
        how = self.configuration.logit_resampling
        return coarse_axis(self.configuration.spacing_mm, self.placement.spacing_mm, how)

    def axis(self, axis: int) -> Axis:
        """The cells along one axis."""
        old, new = self.shape[axis], self.placement.cropped_shape[axis]
        return cells_along(old, new, is_nearest=axis == self.coarse or self.order == 0)

    def matrix(self, axis: int) -> NDArray[np.float64]:
        """The matrix that resamples logits along one axis."""
        old, new = self.shape[axis], self.placement.cropped_shape[axis]
        return axis_matrix(old, new, 0 if axis == self.coarse else self.configuration.logit_resampling.order)


def export_slabs(slabs: Iterable[Slab], how: Export, plans: Plans, *, threads: int = 1) -> Exported:
    """The labels of logits that come slab by slab along the first axis; only the last slab need exist.

    Args:
        slabs: From the first row to the last, each with the last row of the one before.
        how: Shapes and meaning.
        plans: Of the model.
        threads: On a CPU.
    """
    axis, painter, painted = how.axis(0), None, 0
    length = how.placement.cropped_shape[0]
    for slab in slabs if how.order <= 1 else [_joined(slabs)]:
        painter = painter or _painter(slab, how, threads)
        is_last = slab.stop == how.shape[0]
        ready = length if is_last else _ready(axis, slab.stop)
        painter.paint(slab, range(painted, ready))
        painted = ready
    if painter is None:
        msg = "no logits to export"
        raise ValueError(msg)
    backward = plans.transpose_backward
    shares = painter.shares
    return Exported(
        painter.labels.transpose(backward), None if shares is None else shares.transpose(backward)
    )


def cells_along(old: int, new: int, *, is_nearest: bool) -> Axis:
    """Between which samples each voxel of an axis lies, grouped by cells; half-pixel centres, edges repeated.

    Example:
        >>> axis = cells_along(2, 4, is_nearest=False)
        >>> axis.cells.tolist(), axis.weights.tolist()
        ([[0, 1, 0, 3], [1, 1, 3, 4]], [0.0, 0.25, 0.75, 0.0])
    """
    if is_nearest:
        below = above = nearest_index(old, new)
        weights = np.zeros(new, np.float32)
    else:
        centres = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
        below = np.floor(centres).astype(np.int64)
        above, weights = np.minimum(below + 1, old - 1), (centres - below).astype(np.float32)
    first = np.flatnonzero(np.diff(below, prepend=-1))
    stop = np.append(first[1:], new)
    return Axis(np.ascontiguousarray(np.stack([below[first], above[first], first, stop], axis=1)), weights)


def _ready(axis: Axis, stop: int) -> int:
    """How many voxels along an axis lie between samples below `stop`."""
    inside = axis.cells[axis.cells[:, 1] < stop]
    return int(inside[-1, 3]) if len(inside) else 0


def _joined(slabs: Iterable[Slab]) -> Slab:
    """All in one, for splines that reach from border to border."""
    parts = [slab.logits[:, slab.repeated :].clone() for slab in slabs]
    return Slab(0, 0, torch.cat(parts, dim=1))


def _painter(slab: Slab, how: Export, threads: int) -> _Painter:
    if slab.logits.device.type == "cpu" and how.order <= 1:
        return _CellPainter(how, threads)
    return _MatrixPainter(how, slab.logits)


def _canvas(how: Export) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    labels: NDArray[Any] = np.full(how.placement.full_shape, how.meaning.values[0], how.meaning.values.dtype)
    return labels, None if how.wanted is None else np.zeros(how.placement.full_shape, np.float32)


class _Seen(NamedTuple):
    """The samples of a slab, and what is known of each place."""

    samples: NDArray[np.float32]
    """(z, y, x, output)."""
    codes: NDArray[np.uint16]
    leads: NDArray[np.float32]
    """Filled where the probability of a class is wanted."""


class _CellPainter:
    """On a CPU, cell by cell: see `painting_kernels`."""

    def __init__(self, how: Export, threads: int) -> None:
        self.how, self.threads = how, threads
        self.labels, self.shares = _canvas(how)
        self.axes = how.axis(0), how.axis(1), how.axis(2)

    def paint(self, slab: Slab, rows: range) -> None:
        """The cells that hold these rows of voxels."""
        # The outputs of one place side by side, which is how the sliding window leaves them.
        samples = slab.logits.permute(1, 2, 3, 0).contiguous().numpy()
        places = samples.shape[:3]
        seen = _Seen(samples, np.empty(places, np.uint16), np.empty(places, np.float32))
        cells = self.axes[0].cells
        cells = cells[(cells[:, 2] >= rows.start) & (cells[:, 2] < rows.stop)].copy()
        cells[:, :2] -= slab.first
        with ThreadPoolExecutor(self.threads) as pool:
            bounds = np.linspace(0, len(samples), self.threads + 1).astype(int).tolist()
            list(pool.map(lambda part: self._look(seen, slice(*part)), pairwise(bounds)))
            # Several pieces a thread, as some rows hold more structures than others.
            pieces = np.array_split(cells, min(len(cells), 4 * self.threads)) if len(cells) else []
            list(pool.map(lambda piece: self._paint(seen, piece), pieces))

    def _look(self, seen: "_Seen", rows: slice) -> None:
        """What is known of each sample before the voxels between them are painted."""
        samples, codes = seen.samples[rows], seen.codes[rows]
        if self.how.meaning.regions:
            region_codes(samples, codes)
        else:
            class_codes(samples, codes)
            if self.how.wanted is not None:
                find_leads(samples, codes, self.how.wanted, seen.leads[rows])

    def _paint(self, seen: "_Seen", cells: NDArray[np.int64]) -> None:
        how, inside = self.how, self.how.placement.slices
        axis_z, axis_y, axis_x = self.axes
        grid = Grid(Axis(cells, axis_z.weights), axis_y, axis_x)
        canvas = Canvas(self.labels[inside], how.meaning.values)
        paint_labels(seen.samples, seen.codes, grid, how.meaning.regions, canvas)
        if self.shares is not None and how.wanted is not None:
            share = Share(self.shares[inside], how.wanted, seen.leads)
            paint_probability(seen.samples, seen.codes, grid, how.meaning.regions, share)


class _MatrixPainter:
    """On a GPU, or with splines: each output resampled by small matrices, with a running maximum."""

    def __init__(self, how: Export, logits: torch.Tensor) -> None:
        self.how = how
        self.labels, self.shares = _canvas(how)
        self.matrices = [_matrix(how, axis, logits) for axis in range(3)]

    def paint(self, slab: Slab, rows: range) -> None:
        """So many rows at a time as fit a slab."""
        _, y, x = self.how.placement.cropped_shape
        inside = self.how.placement.slices
        thickness = max(1, _SLAB_VOXELS // (y * x))
        for first in range(rows.start, rows.stop, thickness):
            part = slice(first, min(first + thickness, rows.stop))
            codes, share = self._slab(slab, self.matrices[0][part])
            self.labels[inside][part] = self.how.meaning.values[codes.cpu().numpy()]
            if self.shares is not None and share is not None:
                self.shares[inside][part] = share.cpu().numpy()

    def _slab(self, slab: Slab, depth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        used = depth.abs().sum(dim=0).nonzero()
        low, high = int(used.min()), int(used.max()) + 1
        state = _Regions(self.how.wanted) if self.how.meaning.regions else _Classes(self.how.wanted)
        for index in range(len(slab.logits)):
            part = slab.logits[index : index + 1, low - slab.first : high - slab.first]
            for axis, matrix in ((0, depth[:, low:high]), (1, self.matrices[1]), (2, self.matrices[2])):
                part = multiply_axis(part, axis, matrix)
            state.add(index, part[0])
        return state.codes, state.share()


def _matrix(how: Export, axis: int, logits: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(how.matrix(axis)).to(logits.device, logits.dtype)


class _Classes:
    """The largest so far, and the sum of exponentials beside it."""

    def __init__(self, wanted: int | None) -> None:
        self.wanted = wanted
        self.codes = self.best = self.mass = self.chosen = torch.empty(0)

    def add(self, index: int, score: torch.Tensor) -> None:
        if index == 0:
            self.best, self.codes = score, torch.zeros(score.shape, dtype=torch.int32, device=score.device)
            self.mass = torch.ones_like(score)
        else:
            higher = torch.maximum(self.best, score)
            if self.wanted is not None:
                self.mass = self.mass * (self.best - higher).exp() + (score - higher).exp()
            self.codes[score > self.best] = index
            self.best = higher
        if index == self.wanted:
            self.chosen = score

    def share(self) -> torch.Tensor | None:
        return None if self.wanted is None else (self.chosen - self.best).exp() / self.mass


class _Regions:
    """The last above 0 so far."""

    def __init__(self, wanted: int | None) -> None:
        self.wanted = wanted
        self.codes = self.chosen = torch.empty(0)

    def add(self, index: int, score: torch.Tensor) -> None:
        if index == 0:
            self.codes = torch.zeros(score.shape, dtype=torch.int32, device=score.device)
        self.codes[score > 0] = index + 1
        if index == self.wanted:
            self.chosen = score

    def share(self) -> torch.Tensor | None:
        return None if self.wanted is None else torch.sigmoid(self.chosen)
