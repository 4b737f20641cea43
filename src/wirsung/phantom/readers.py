"""Further readers: masks that differ from the truth as radiologists' masks differ from one another."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, find_objects
from scipy.special import expit, logit, ndtri

from wirsung.imaging.arrays import Mask
from wirsung.phantom.fields import SmoothField

# Spread of the log odds of the Dice over cases: with a median of 0.86, half of them lie in 0.82 to 0.89.
_LOG_ODDS_SD = 0.4
_GOLDEN = (5**0.5 - 1) / 2
_BISECTIONS = 24
_LARGEST_MM = 3.0
_INNER = ("pancreatic_lesion", "pancreatic_duct")
_PARTS = ("pancreas_head", "pancreas_body", "pancreas_tail")


def read_by(
    mask: Mask,
    spacing_mm: tuple[float, float, float],
    *,
    reader_seed: int,
    median_dsc: float = 0.86,
    quantile: float | None = None,
    largest_mm: float = float("inf"),
) -> Mask:
    """The mask as another reader draws it.

    The boundary moves in and out by a smooth random distance, with a lean to draw large or small. Its
    amplitude is found by bisection so that the Dice against `mask` is this case's share of a distribution
    over cases with the chosen median. Masks of a few voxels come as near as whole voxels allow.

    Args:
        mask: The truth; an empty one stays empty.
        spacing_mm: Distance of voxel centres along i, j and k.
        reader_seed: One per reader, case and structure; the same seed gives the same mask.
        median_dsc: Median Dice over many masks, 0.5 to 0.99.
        quantile: Where in the distribution this case lies, 0 to 1; drawn from the seed where None.
        largest_mm: Bound of the boundary's typical movement: nobody draws a liver 10 mm too large, however
            low the Dice asked for.
    """
    found = np.zeros_like(mask)
    if not mask.any():
        return found
    rng = np.random.default_rng([reader_seed, 7])
    drawn = float(rng.uniform(0.02, 0.98))
    target = target_dsc(median_dsc, drawn if quantile is None else quantile)
    margin_mm = min(_typical_mm(mask, spacing_mm, target), largest_mm) * 5
    box = _box(mask, spacing_mm, margin_mm)
    inside = mask[box]
    depth_mm = _depth(inside, spacing_mm)
    near = np.abs(depth_mm) <= margin_mm + max(spacing_mm)
    moved = _movement(inside.shape, spacing_mm, _length_mm(mask, spacing_mm), rng)[near]
    drawn_inside = inside.copy()
    drawn_inside[near] = _calibrate(depth_mm[near], moved, int(inside.sum()), target, largest_mm)
    found[box] = drawn_inside
    return found


def read_case(
    masks: Mapping[str, Mask],
    spacing_mm: tuple[float, float, float],
    *,
    seeds: tuple[int, int, int],
    median_dsc: float,
) -> Iterator[tuple[str, Mask]]:
    """All structures of a case as another reader draws them, one after the other.

    The lesion's Dice is chosen; other boundaries move by at most 3 mm, so large organs agree better. The
    pancreas holds what the reader took for lesion or duct, and its parts are told apart as in the truth.

    Args:
        masks: The truth by structure.
        spacing_mm: Distance of voxel centres along i, j and k.
        seeds: Of the cohort, the case's number, and the reader's number.
        median_dsc: Median Dice over the cases of the cohort.
    """
    seed, number, reader = seeds
    inner: list[Mask] = []
    for index, structure in enumerate((*_INNER, *(name for name in masks if name not in (*_INNER, *_PARTS)))):
        start = float(np.random.default_rng([seed, 4, reader, index]).random())
        drawn = read_by(
            masks[structure],
            spacing_mm,
            reader_seed=int(np.random.default_rng([seed, 5, reader, index, number]).integers(2**62)),
            median_dsc=median_dsc,
            quantile=spread_quantile(number, start),
            largest_mm=float("inf") if structure == "pancreatic_lesion" else _LARGEST_MM,
        )
        if structure in _INNER:
            inner.append(drawn)
        elif structure == "pancreas":
            for mask in inner:
                drawn |= mask
            yield from _parts(drawn, masks, spacing_mm)
        yield structure, drawn


def _parts(
    pancreas: Mask, masks: Mapping[str, Mask], spacing_mm: tuple[float, float, float]
) -> Iterator[tuple[str, Mask]]:
    """The reader's pancreas divided: each voxel belongs to the part that is nearest in the truth."""
    truth = np.zeros(pancreas.shape, dtype=np.uint8)
    for value, name in enumerate(_PARTS, start=1):
        truth[masks[name]] = value
    if truth.any():
        box = _box(pancreas | (truth > 0), spacing_mm, 0.0)
        _, nearest = distance_transform_edt(truth[box] == 0, sampling=spacing_mm, return_indices=True)
        truth[box] = truth[box][tuple(nearest)]
    for value, name in enumerate(_PARTS, start=1):
        yield name, pancreas & (truth == value)


def target_dsc(median_dsc: float, quantile: float) -> float:
    """The Dice at that quantile over cases, 0 to 1: normal in the log odds.

    Example:
        >>> [round(target_dsc(0.86, quantile), 2) for quantile in (0.25, 0.5, 0.75)]
        [0.82, 0.86, 0.89]
    """
    return float(expit(logit(median_dsc) + _LOG_ODDS_SD * ndtri(np.clip(quantile, 0.02, 0.98))))


def spread_quantile(index: int, start: float) -> float:
    """The quantile of case `index`, 0 to 1: any run of cases covers 0 to 1 evenly.

    Source:
        The golden-ratio sequence (H. Weyl 1916): the fractional parts of multiples of an irrational number.

    Example:
        >>> [round(spread_quantile(index, 0.0), 2) for index in range(4)]
        [0.0, 0.62, 0.24, 0.85]
    """
    return float((start + index * _GOLDEN) % 1)


def _typical_mm(mask: Mask, spacing_mm: tuple[float, float, float], target: float) -> float:
    """The mean movement that gives the Dice: a shell as thick differs by 2 (1 - DSC) of the volume."""
    volume_mm3 = float(mask.sum()) * float(np.prod(spacing_mm))
    area_mm2 = sum(
        np.count_nonzero(np.diff(mask, axis=axis)) * float(np.prod(spacing_mm)) / spacing_mm[axis]
        for axis in range(3)
    )
    # A voxelated surface is 1.5 times as large as the smooth one, averaged over directions.
    thickness_mm = 2 * (1 - target) * volume_mm3 / max(area_mm2 / 1.5, 1e-6)
    return max(thickness_mm, 0.5 * max(spacing_mm))


def _length_mm(mask: Mask, spacing_mm: tuple[float, float, float]) -> float:
    """How far along the boundary a reader's error reaches: some of a small structure, at most 12 mm."""
    volume_mm3 = float(mask.sum()) * float(np.prod(spacing_mm))
    radius_mm = (3 * volume_mm3 / (4 * np.pi)) ** (1 / 3)
    return float(np.clip(0.5 * radius_mm, 2.5, 12.0))


def _box(mask: Mask, spacing_mm: tuple[float, float, float], margin_mm: float) -> tuple[slice, ...]:
    found = find_objects(mask.view(np.uint8))[0]
    margins = [int(np.ceil(margin_mm / step)) + 2 for step in spacing_mm]
    return tuple(
        slice(max(part.start - margin, 0), min(part.stop + margin, size))
        for part, margin, size in zip(found, margins, mask.shape, strict=True)
    )


def _depth(inside: Mask, spacing_mm: tuple[float, float, float]) -> NDArray[np.float32]:
    """Distance to the boundary in mm, positive inside; the boundary runs half way between voxel centres."""
    half = min(spacing_mm) / 2
    within = distance_transform_edt(np.pad(inside, 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    without = distance_transform_edt(~inside, sampling=spacing_mm)
    depth: NDArray[np.float32] = np.where(inside, within - half, half - without).astype(np.float32)
    return depth


def _movement(
    shape: tuple[int, ...],
    spacing_mm: tuple[float, float, float],
    length_mm: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Smooth, standard deviation about 1, with a lean of the whole mask to the large or the small."""
    lean = rng.normal(0.0, 0.5)
    size = (shape[0], shape[1], shape[2])
    return SmoothField(size, spacing_mm, length_mm, rng).whole() + np.float32(lean)


def _calibrate(
    depth_mm: NDArray[np.float32],
    moved: NDArray[np.float32],
    reference_voxels: int,
    target: float,
    largest_mm: float,
) -> Mask:
    """The redrawn voxels near the boundary at the amplitude whose Dice is nearest to the target."""
    deep = reference_voxels - np.count_nonzero(depth_mm > 0)

    def draw(amplitude_mm: float) -> tuple[float, Mask]:
        drawn = depth_mm + np.float32(amplitude_mm) * moved > 0
        both = deep + np.count_nonzero(drawn & (depth_mm > 0))
        return 2 * both / (reference_voxels + deep + np.count_nonzero(drawn)), drawn

    low, high = 0.0, min(2 * float(np.abs(depth_mm).max()), largest_mm)
    best_dsc, best = draw(high)
    if best_dsc >= target:
        return best
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        dsc, drawn = draw(middle)
        if abs(dsc - target) < abs(best_dsc - target):
            best_dsc, best = dsc, drawn
        low, high = (middle, high) if dsc > target else (low, middle)
    return best
