"""Distances between two boundaries, and the metrics that follow from them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Distances = NDArray[np.float64]

# The header's float32 spacing makes 3 x 0.8 exceed 2.4 in the last bits: a tie is what is this near to one.
_TIE = 1e-6


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """From each boundary voxel of one mask to the nearest of the other, mm; both non-empty."""

    reference_to_prediction_mm: Distances
    prediction_to_reference_mm: Distances

    def nsd(self, tolerance_mm: float, *, strict: bool) -> float:
        """Normalised surface distance: the fraction of both boundaries near the other one, pooled, 0 to 1.

        Args:
            tolerance_mm: How far is near.
            strict: Near is `<` the tolerance, as in PanTS, rather than `<=`. Distances within a millionth of
                the tolerance count as equal to it.

        Source:
            PanTS (Li et al., 2025), appendix B.4.2, equation 2.
        """
        near = sum(_near(distances, tolerance_mm, strict=strict) for distances in self.increasing_mm)
        return near / sum(distances.size for distances in self.increasing_mm)

    @property
    def hd(self) -> float:
        """Hausdorff distance: the largest distance in either direction, mm."""
        return float(max(distances[-1] for distances in self.increasing_mm))

    @property
    def hd95(self) -> float:
        """The larger of the two directions' 95th percentiles, linearly interpolated, mm."""
        return float(max(np.percentile(distances, 95) for distances in self.increasing_mm))

    @property
    def assd(self) -> float:
        """Average symmetric surface distance: the mean over both boundaries pooled, mm."""
        total = sum(float(distances.sum()) for distances in self.increasing_mm)
        return total / sum(distances.size for distances in self.increasing_mm)

    @property
    def masd(self) -> float:
        """Mean average surface distance: the mean of the two directions' means, mm; some call this ASSD."""
        return sum(float(distances.mean()) for distances in self.increasing_mm) / 2

    @cached_property
    def increasing_mm(self) -> tuple[Distances, Distances]:
        """Both sorted, so that no sum depends on the order in memory."""
        return np.sort(self.reference_to_prediction_mm), np.sort(self.prediction_to_reference_mm)


@dataclass(frozen=True, eq=False)
class SurfelDistances(SurfaceDistances):
    """From each surface element of one mask to the nearest of the other, mm, each weighing its area.

    Source:
        google-deepmind/surface-distance. Its average is one a direction; `assd` here pools both.
    """

    reference_areas_mm2: Distances
    prediction_areas_mm2: Distances

    def nsd(self, tolerance_mm: float, *, strict: bool) -> float:
        """The fraction of both surfaces' area near the other one, 0 to 1; arguments as for voxels."""
        near = total = 0.0
        for distances, areas in self._weighed:
            near += float(areas[: _near(distances, tolerance_mm, strict=strict)].sum())
            total += float(areas.sum())
        return near / total

    @property
    def hd95(self) -> float:
        """The larger of the two directions' distances that 95 % of the area is not beyond, mm."""
        return max(self._percentiles_mm)

    @property
    def assd(self) -> float:
        """Average symmetric surface distance: the mean over the area of both surfaces, mm."""
        total = sum(float((distances * areas).sum()) for distances, areas in self._weighed)
        return total / sum(float(areas.sum()) for _, areas in self._weighed)

    @property
    def masd(self) -> float:
        """Mean average surface distance: the mean of the two directions' means over area, mm."""
        means = [float((distances * areas).sum() / areas.sum()) for distances, areas in self._weighed]
        return sum(means) / 2

    @property
    def _percentiles_mm(self) -> list[float]:
        found = []
        for distances, areas in self._weighed:
            share = np.cumsum(areas) / areas.sum()
            found.append(float(distances[min(int(np.searchsorted(share, 0.95)), distances.size - 1)]))
        return found

    @cached_property
    def _weighed(self) -> tuple[tuple[Distances, Distances], ...]:
        """Distances, increasing, and their areas."""
        both = (
            (self.reference_to_prediction_mm, self.reference_areas_mm2),
            (self.prediction_to_reference_mm, self.prediction_areas_mm2),
        )
        orders = [np.lexsort((areas, distances)) for distances, areas in both]
        return tuple((item[0][order], item[1][order]) for item, order in zip(both, orders, strict=True))


def _near(distances: Distances, tolerance_mm: float, *, strict: bool) -> int:
    """How many of the increasing distances are near."""
    bound = tolerance_mm * (1 - _TIE if strict else 1 + _TIE)
    return int(np.searchsorted(distances, bound, side="left" if strict else "right"))
