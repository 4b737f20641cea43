"""A CT of the phantom: each tissue's CT number, texture, partial volume, noise, and the table below."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wirsung.phantom.centres import Centre
from wirsung.phantom.fields import Plane, SmoothField
from wirsung.phantom.materials import Signals, table_of, textures
from wirsung.phantom.scanner import filtered, gain
from wirsung.phantom.tissues import Tissue

HU_RANGE = (-1024, 3071)
"""What 12 bits with an intercept of -1024 hold."""

TABLE_HU = (-20.0, -850.0)
TABLE_CODES = (254, 255)
"""Of the table's shell and of the foam inside, which are no tissues."""
_TABLE_MM = (25.0, 3.0, 210.0)
"""Thickness, thickness of its shell, half width."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What stands before the scanner: tissue codes on a grid whose j axis points to the patient's back."""

    tissue: NDArray[np.uint8]
    """Codes of Tissue, shape (i, j, k)."""
    spacing_mm: tuple[float, float, float]
    """Distance of voxel centres along i, j and k."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j and k."""
        i, j, k = self.tissue.shape
        return i, j, k


def ct_image(scene: Scene, signals: Signals, centre: Centre, rng: np.random.Generator) -> NDArray[np.int16]:
    """The CT in HU, -1024 to 3071, with the noise of the centre.

    Noise passes through the same kernel as the image, so it is correlated as the centre's kernel is, and has
    the centre's standard deviation everywhere.

    Args:
        scene: Tissues and their grid.
        signals: CT number by material, see materials.draw_hu.
        centre: Kernel and noise.
        rng: Draws texture and noise.
    """
    means, spread = table_of(signals), textures()
    means[list(TABLE_CODES)] = TABLE_HU
    fine = SmoothField(scene.shape, scene.spacing_mm, 6.0, rng)
    coarse = SmoothField(scene.shape, scene.spacing_mm, 20.0, rng)
    white = np.float32(centre.noise_hu / gain(centre.kernel_voxels))
    table = table_box(scene)

    def plane(i: int) -> Plane:
        codes = with_table(scene.tissue[i], i, table, scene.spacing_mm)
        noise = rng.standard_normal(codes.shape, dtype=np.float32)
        noise *= white
        noise += means[codes]
        noise += spread[codes] * (np.float32(0.8) * fine.plane(i) + np.float32(0.6) * coarse.plane(i))
        return noise

    voxels = np.empty(scene.shape, dtype=np.int16)
    for i, found in enumerate(filtered(plane, scene.shape[0], centre.kernel_voxels)):
        voxels[i] = np.rint(np.clip(found, *HU_RANGE))
    return voxels


def table_box(scene: Scene) -> tuple[slice, slice]:
    """Where the table lies below the body, along i and j; empty where the image ends before the table."""
    body = np.flatnonzero((scene.tissue != Tissue.AIR).any(axis=(0, 2)))
    first = int(body[-1]) + 2 if body.size else scene.shape[1]
    thick, _, half = _TABLE_MM
    middle, reach = scene.shape[0] // 2, round(half / scene.spacing_mm[0])
    return (
        slice(max(middle - reach, 0), middle + reach),
        slice(first, min(first + max(round(thick / scene.spacing_mm[1]), 3), scene.shape[1])),
    )


def with_table(
    codes: NDArray[np.uint8], i: int, table: tuple[slice, slice], spacing_mm: tuple[float, float, float]
) -> NDArray[np.uint8]:
    """The plane across the first axis at index `i` with the table's codes in its box."""
    along_i, along_j = table
    if not along_i.start <= i < along_i.stop or along_j.start >= along_j.stop:
        return codes
    codes = codes.copy()
    shell, foam = TABLE_CODES
    skin = max(round(_TABLE_MM[1] / spacing_mm[1]), 1)
    at_end = i - along_i.start < skin or along_i.stop - i <= skin
    codes[along_j] = shell
    codes[along_j.start + skin : along_j.stop - skin] = shell if at_end else foam
    return codes
