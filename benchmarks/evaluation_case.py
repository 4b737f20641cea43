"""A synthetic 28-class case for the benchmark of the metrics: a phantom and an erring prediction."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from wirsung.anatomy.schemes import scheme
from wirsung.phantom.body import build_body
from wirsung.phantom.grid import Grid
from wirsung.phantom.plans import plan_case
from wirsung.phantom.settings import PhantomSettings

Labels = NDArray[np.uint8]

SHAPE = (512, 512, 300)
SPACING_MM = (0.8, 0.8, 1.75)
"""Of i, j and k; so the volume holds all 28 structures, from the femurs to the lungs."""

_TOP_MM = 170.0
_COARSE = 8
_PAIRS = (
    "adrenal_gland_left adrenal_gland_right",
    "femur_left femur_right",
    "kidney_left kidney_right",
    "lung_left lung_right",
)


def values() -> dict[str, int]:
    """The label of each structure."""
    return {item.name: item.value for item in scheme("pants-28").classes}


def reference() -> Labels:
    """The label map of the phantom's first `full` patient, axes k j i."""
    settings = PhantomSettings(out=Path("unused"), preset="full", tumours=1.0, cases=1)
    middle_mm = (0.0, 0.0, _TOP_MM - (SHAPE[2] - 1) / 2 * SPACING_MM[2])
    body = build_body(plan_case(settings, 1).patient, Grid.centred(SHAPE, SPACING_MM, 0.0, middle_mm))
    labels = np.zeros(SHAPE[::-1], dtype=np.uint8)
    for item in scheme("pants-28").classes:
        for name in item.structures:
            labels.T[body.masks[name]] = item.value
    return labels


def prediction(labels: Labels, *, specks: int = 6, seed: int = 0) -> Labels:
    """The reference bent by about 1.3 mm, with holes, false lesions, mixed bowel and specks of 4 voxels."""
    generator = np.random.default_rng(seed)
    made = _bent(labels, 1.3, generator)
    named = values()
    bowel = [named[name] for name in ("stomach", "duodenum", "colon")]
    inside = np.argwhere(np.isin(made[::4, ::4, ::4], [named["liver"], named["spleen"], *bowel])) * 4
    for value, count, radius_mm in ((0, 8, 6.0), (named["pancreatic_lesion"], 3, 5.0)):
        for centre in generator.choice(inside, count):
            made[_sphere(centre, radius_mm)] = value
    for centre in generator.choice(np.argwhere(np.isin(made[::4, ::4, ::4], bowel)) * 4, 6):
        sphere = _sphere(centre, 12.0)
        mixed = np.isin(made[sphere], bowel)
        made[tuple(axis[mixed] for axis in sphere)] = generator.choice(bowel)
    present = np.flatnonzero(np.bincount(labels.reshape(-1)))[1:]
    for _ in range(specks):
        z, y, x = (int(generator.integers(5, size - 5)) for size in labels.shape)
        made[z, y, x : x + 4] = generator.choice(present)
    return made


def swapped(labels: Labels) -> Labels:
    """Left and right exchanged in four pairs of organs."""
    table = np.arange(256, dtype=np.uint8)
    for pair in _PAIRS:
        left, right = (values()[name] for name in pair.split())
        table[[left, right]] = right, left
    found: Labels = table[labels]
    return found


def _bent(labels: Labels, rms_mm: float, generator: np.random.Generator) -> Labels:
    """Each voxel takes the label of one nearby; the shift is smooth."""
    coarse = []
    for size_mm in SPACING_MM[::-1]:
        noise = generator.standard_normal([size // _COARSE + 2 for size in labels.shape])
        smooth = ndimage.gaussian_filter(noise, 2.0)
        coarse.append(smooth * (rms_mm / np.sqrt(3) / smooth.std() / size_mm))
    bent = np.empty_like(labels)
    for plane in range(len(labels)):
        grid = np.meshgrid([plane], *map(np.arange, labels.shape[1:]), indexing="ij")
        shifts = [
            ndimage.map_coordinates(field, [axis / _COARSE for axis in grid], order=1) for field in coarse
        ]
        source = [
            np.clip(np.rint(axis + shift), 0, size - 1).astype(np.int64)
            for axis, shift, size in zip(grid, shifts, labels.shape, strict=True)
        ]
        bent[plane] = labels[tuple(source)][0]
    return bent


def _sphere(centre: NDArray[Any], radius_mm: float) -> tuple[NDArray[np.int64], ...]:
    """The voxels within the radius, inside the volume."""
    reach = [int(radius_mm / size_mm) for size_mm in SPACING_MM[::-1]]
    ranges = [
        np.arange(max(middle - most, 0), min(middle + most + 1, size))
        for middle, most, size in zip(centre, reach, SHAPE[::-1], strict=True)
    ]
    grid = np.meshgrid(*ranges, indexing="ij")
    squares = sum(
        ((axis - middle) * size_mm) ** 2
        for axis, middle, size_mm in zip(grid, centre, SPACING_MM[::-1], strict=True)
    )
    within = np.asarray(squares) <= radius_mm**2
    return tuple(axis[within] for axis in grid)
