"""Sub-tissues: fat, muscle and bowel are divided at random, and fat holds what the phantom knows nothing of.

A real belly is full of things that no structure names. Codes beyond those of `Tissue` stand for them, in the
image only; the masks know nothing of it.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from wirsung.phantom.appearance import Scene
from wirsung.phantom.fields import SmoothField
from wirsung.phantom.randomised.contrast import Look
from wirsung.phantom.tissues import Tissue

DIVIDED = (Tissue.FAT, Tissue.MUSCLE, Tissue.BOWEL_CONTENT, Tissue.COLON_CONTENT, Tissue.STOMACH_CONTENT)
"""Tissues that are cut into up to PARTS of different brightness."""
PARTS = 3
FIRST_PART = 200
"""The code of the first part of the first divided tissue; the rest follow."""
CLUTTER = (240, 241)
"""Codes of what lies about in the fat inside the belly: loops, vessels, nodes."""
LENGTH_MM = (6.0, 25.0)
"""Size of the parts."""
CLUTTER_MM = (4.0, 10.0)
"""Size of the clutter."""
CLUTTER_FRACTION = (0.0, 0.5)
"""Of the fat inside the belly."""
DEPTH_MM = 22.0
"""Fat so far below the subcutaneous layer's thickness lies inside the belly."""
_OFFSET = (20.0, 150.0)
_SOFT = (Tissue.BOWEL_WALL, Tissue.BOWEL_CONTENT, Tissue.VEIN, Tissue.MUSCLE, Tissue.ARTERY)


def divided(
    scene: Scene, look: Look, fat_mm: float, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Look]:
    """Tissue codes with those of the parts in place of the divided tissues', and the look with theirs.

    Args:
        scene: The anatomy.
        look: Says how bright the whole tissues are.
        fat_mm: Thickness of the subcutaneous fat, which holds no clutter.
        rng: Draws the borders and the brightness.
    """
    codes, means, spread = scene.tissue.copy(), look.means.copy(), look.spread.copy()
    offsets = rng.normal(0, rng.uniform(*_OFFSET), (len(DIVIDED), PARTS))
    part = _parts(scene, rng)
    for number, tissue in enumerate(DIVIDED):
        first = FIRST_PART + PARTS * number
        means[first : first + PARTS] = means[tissue] + offsets[number]
        spread[first : first + PARTS] = spread[tissue]
        if not look.windowed:
            means[first : first + PARTS] = np.abs(means[first : first + PARTS])
        inside = scene.tissue == tissue
        codes[inside] = first + part[inside]
    wanted = rng.uniform(*CLUTTER_FRACTION)
    for code in CLUTTER:
        means[code] = means[_SOFT[int(rng.integers(len(_SOFT)))]] + 60 * float(rng.normal())
    field, other = (_field(scene, CLUTTER_MM, rng) for _ in range(2))
    deep = _inside_belly(scene, fat_mm)
    if deep.any():
        clutter = deep & (field > np.quantile(field[deep], 1 - wanted))
        codes[clutter] = np.where(other[clutter] > 0, *CLUTTER)
    return codes, Look(means, spread, look.windowed, look.material)


def _parts(scene: Scene, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Which part each voxel belongs to: that whose smooth field is the highest there."""
    fields = np.stack([_field(scene, LENGTH_MM, rng) for _ in range(PARTS)])
    found: NDArray[np.uint8] = fields.argmax(axis=0).astype(np.uint8)
    return found


def _field(scene: Scene, length_mm: tuple[float, float], rng: np.random.Generator) -> NDArray[np.float32]:
    return SmoothField(scene.shape, scene.spacing_mm, float(rng.uniform(*length_mm)), rng).whole()


def _inside_belly(scene: Scene, fat_mm: float) -> NDArray[np.bool_]:
    fat = scene.tissue == Tissue.FAT
    depth = distance_transform_edt(scene.tissue != Tissue.AIR, sampling=scene.spacing_mm)
    found: NDArray[np.bool_] = fat & (depth > fat_mm + DEPTH_MM)
    return found
