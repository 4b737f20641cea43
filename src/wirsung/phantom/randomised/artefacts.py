"""Artefacts: uneven coils, ghosts of motion, streaks, arms and tables, a round field of view."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wirsung.phantom.appearance import Scene, table_box, with_table
from wirsung.phantom.fields import SmoothField
from wirsung.phantom.tissues import Tissue

Image = NDArray[np.float32]
BIAS_SD = 0.35
"""The largest standard deviation of the logarithm of the bias."""
COIL_MM = (90.0, 250.0)
"""Length over which it changes."""
GHOSTS, STREAKS, ARMS, TABLE, ROUND = 0.25, 0.25, 0.25, 0.6, 0.15
"""How often each is there."""


@dataclass(frozen=True)
class Artefacts:
    """What is wrong with one scan."""

    bias_sd: float
    """Of the logarithm of the bias; 0 is an even scan."""
    coil_mm: float
    ghost: float
    """Brightness of the first ghost as a fraction of the body's."""
    ghost_shift: float
    """How far it lies off, as a fraction of the field of view."""
    ghost_axis: int
    streak: float
    """Standard deviation of the streaks beside their source, in units of the image."""
    streak_from: tuple[float, float]
    """Their source along i and j, as a fraction of the field of view."""
    arms_mm: float
    """Radius of the arms that lie beside the body; 0 where they are raised."""
    table: bool
    round_view: float
    """Radius of the round field of view as a fraction of half its width; 0 where it is not round."""


NONE = Artefacts(0, 1, 0, 0, 0, 0, (0, 0), 0, True, 0)
"""The ordinary phantom, which lies on a table."""


def draw_artefacts(rng: np.random.Generator) -> Artefacts:
    """Each artefact is there or not, by its own chance."""
    present = rng.random(5) < (GHOSTS, STREAKS, ARMS, TABLE, ROUND)
    source = rng.uniform(0.2, 0.8, 2)
    return Artefacts(
        bias_sd=float(rng.uniform(0, BIAS_SD)),
        coil_mm=float(rng.uniform(*COIL_MM)),
        ghost=float(rng.uniform(0.03, 0.2)) * bool(present[0]),
        ghost_shift=float(rng.uniform(0.1, 0.5)),
        ghost_axis=int(rng.integers(2)),
        streak=float(rng.uniform(15, 120)) * bool(present[1]),
        streak_from=(float(source[0]), float(source[1])),
        arms_mm=float(rng.uniform(30, 48)) * bool(present[2]),
        table=bool(present[3]),
        round_view=float(rng.uniform(0.85, 1.1)) * bool(present[4]),
    )


def surrounded(
    codes: NDArray[np.uint8], scene: Scene, artefacts: Artefacts, *, table: bool
) -> NDArray[np.uint8]:
    """Tissue codes with arms and, where such a scan shows it, the table: only air is painted over."""
    found = codes
    if artefacts.arms_mm:
        found = _with_arms(found, scene, artefacts.arms_mm)
    if table and artefacts.table:
        box = table_box(scene)
        lying = np.stack([with_table(plane, i, box, scene.spacing_mm) for i, plane in enumerate(found)])
        found = np.where(scene.tissue == Tissue.AIR, lying, found)
    return found


def marred(
    image: Image, spacing_mm: tuple[float, float, float], artefacts: Artefacts, rng: np.random.Generator
) -> Image:
    """The image with bias, ghosts and streaks."""
    shape = (image.shape[0], image.shape[1], image.shape[2])
    field = SmoothField(shape, spacing_mm, artefacts.coil_mm, rng)
    rays = rng.standard_normal((image.shape[2], _RAYS)).astype(np.float32)
    if artefacts.bias_sd:
        image = image * np.exp(np.float32(artefacts.bias_sd) * field.whole())
    if artefacts.ghost:
        image = _ghosted(image, artefacts)
    if artefacts.streak:
        image = image + np.float32(artefacts.streak) * _streaks(
            shape, spacing_mm, artefacts.streak_from, rays
        )
    return image


def in_round_view(image: Image, radius: float) -> Image:
    """The image with nothing outside a circle in the slice plane.

    Example:
        >>> in_round_view(np.ones((3, 3, 1), dtype=np.float32), 1.0)[..., 0].astype(int).tolist()
        [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    """
    i, j = (np.linspace(-1, 1, count) for count in image.shape[:2])
    wide = max(image.shape[:2])
    across = (i * image.shape[0] / wide)[:, None] ** 2 + (j * image.shape[1] / wide)[None, :] ** 2
    found: Image = np.where((across <= radius**2)[..., None], image, np.float32(0))
    return found


_RAYS = 90


def _with_arms(codes: NDArray[np.uint8], scene: Scene, radius_mm: float) -> NDArray[np.uint8]:
    """A limb on either side of the body, of muscle in fat around a bone."""
    body = np.flatnonzero((scene.tissue != Tissue.AIR).any(axis=(1, 2)))
    middle_j = scene.shape[1] * 0.55
    if not body.size:
        return codes
    found = codes.copy()
    gap = (radius_mm + 8) / scene.spacing_mm[0]
    i, j = np.ogrid[: scene.shape[0], : scene.shape[1]]
    air = scene.tissue == Tissue.AIR
    for middle_i in (body[0] - gap, body[-1] + gap):
        apart = np.hypot((i - middle_i) * scene.spacing_mm[0], (j - middle_j) * scene.spacing_mm[1])
        for tissue, part in ((Tissue.FAT, 1.0), (Tissue.MUSCLE, 0.8), (Tissue.CORTICAL_BONE, 0.3)):
            found[(apart < part * radius_mm)[..., None] & air] = tissue
    return found


def _ghosted(image: Image, artefacts: Artefacts) -> Image:
    """Replicas of the body along one axis, each weaker than the one before."""
    axis = artefacts.ghost_axis
    shift = max(round(artefacts.ghost_shift * image.shape[axis]), 1)
    found = image.copy()
    for order in (1, 2):
        weight = np.float32(artefacts.ghost / order**2)
        found += weight * (np.roll(image, order * shift, axis) - image)
    return found


def _streaks(
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    source: tuple[float, float],
    rays: Image,
) -> Image:
    """Rays from one place in the plane, other ones in each slice, weaker the farther off."""
    i = (np.arange(shape[0]) - source[0] * shape[0])[:, None] * spacing_mm[0]
    j = (np.arange(shape[1]) - source[1] * shape[1])[None, :] * spacing_mm[1]
    angle = (np.arctan2(j, i) / (2 * np.pi) + 0.5) * (_RAYS - 1)
    below = np.floor(angle).astype(int)
    weight = (angle - below).astype(np.float32)
    fade = (1 / (1 + np.hypot(i, j) / 60)).astype(np.float32)
    lower, upper = rays[:, below], rays[:, np.minimum(below + 1, _RAYS - 1)]
    found: Image = np.moveaxis((lower * (1 - weight) + upper * weight) * fade, 0, -1)
    return found
