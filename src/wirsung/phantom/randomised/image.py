"""One randomised scan: who lies where, and the voxels."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wirsung.phantom.appearance import Scene
from wirsung.phantom.body import Body
from wirsung.phantom.centres import Centre
from wirsung.phantom.fields import SmoothField
from wirsung.phantom.grid import Grid
from wirsung.phantom.materials import Attenuation, draw_hu, draw_signals
from wirsung.phantom.plans import CasePlan
from wirsung.phantom.randomised.anatomy import varied
from wirsung.phantom.randomised.artefacts import NONE, draw_artefacts, in_round_view, marred, surrounded
from wirsung.phantom.randomised.chance import chance
from wirsung.phantom.randomised.contrast import FULL, WINDOW_HU, Look, draw_look, plain_look
from wirsung.phantom.randomised.noise import Noise, draw_noise, with_noise
from wirsung.phantom.randomised.resolution import Resolution, degraded, draw_resolution
from wirsung.phantom.randomised.subtissues import divided
from wirsung.phantom.randomised.view import seen
from wirsung.phantom.settings import PhantomSettings

BRIGHTEST = 4095
"""What 12 bits hold."""


def randomised_plan(settings: PhantomSettings, plan: CasePlan) -> CasePlan:
    """The case with its anatomy deformed, where that is asked for."""
    if "deformation" not in settings.randomise:
        return plan
    return replace(plan, patient=varied(plan.patient, chance(settings.seed, plan.number, "deformation")))


def randomised_grid(settings: PhantomSettings, plan: CasePlan, grid: Grid) -> Grid:
    """The part of the grid that is scanned: all of it, unless artefacts are asked for."""
    if "artefacts" not in settings.randomise:
        return grid
    return seen(grid, chance(settings.seed, plan.number, "artefacts").spawn(1)[0])


def randomised_image(
    settings: PhantomSettings, plan: CasePlan, body: Body
) -> tuple[NDArray[np.int16], dict[str, Any]]:
    """The voxels, 0 to BRIGHTEST, and what is known of their look.

    What is not randomised is as in the ordinary phantom of the same seed: a CT of the case's contrast phase,
    shown in a window, with its centre's kernel and noise, on a table.
    """
    scene = Scene(body.tissue, body.grid.spacing_mm)
    ordinary = np.random.default_rng([settings.seed, 6, plan.number])
    mixed, grains, spoils = np.random.default_rng([settings.seed, 9, plan.number]).spawn(3)
    look, codes, told = _contrast(settings, plan, scene, ordinary)
    artefacts = NONE
    if "artefacts" in settings.randomise:
        artefacts = draw_artefacts(chance(settings.seed, plan.number, "artefacts"))
    codes = surrounded(codes, scene, artefacts, table=look.windowed)
    image = look.means[codes] + look.spread[codes] * _texture(scene, mixed)
    resolution = _resolution(settings, plan)
    noise = _noise(settings, plan, look)
    image = marred(degraded(image, scene.spacing_mm, resolution), scene.spacing_mm, artefacts, spoils)
    image = with_noise(image, noise, grains, magnitude=not look.windowed)
    if artefacts.round_view:
        image = in_round_view(image, artefacts.round_view)
    voxels = np.rint(np.clip(image, 0, FULL if look.windowed else BRIGHTEST)).astype(np.int16)
    drawn = {"resolution": asdict(resolution), "noise": asdict(noise), "artefacts": asdict(artefacts)}
    return voxels, {"randomised": {**told, **drawn}}


def _contrast(
    settings: PhantomSettings, plan: CasePlan, scene: Scene, ordinary: np.random.Generator
) -> tuple[Look, NDArray[np.uint8], dict[str, Any]]:
    """Look and codes, and what the truth tells of them."""
    attenuation = _attenuation(plan)
    if "contrast" not in settings.randomise:
        chosen = ordinary.spawn(2)[0]
        signals = (
            draw_hu(plan.phase, attenuation, chosen)
            if settings.modality == "ct"
            else draw_signals(settings.modality, attenuation, chosen)
        )
        look = plain_look(signals, settings.modality)
        return look, scene.tissue, {"style": settings.modality, "means": dict(look.material)}
    rng = chance(settings.seed, plan.number, "contrast")
    style, look = draw_look(attenuation, rng)
    codes, look = divided(scene, look, plan.patient.subcutaneous_fat_mm, rng)
    means = {name: round(value, 2) for name, value in look.material.items()}
    return look, codes, {"style": style, "means": means}


def _attenuation(plan: CasePlan) -> Attenuation | None:
    return plan.patient.tumour.plan.attenuation if plan.patient.tumour else None


def _texture(scene: Scene, rng: np.random.Generator) -> NDArray[np.float32]:
    fine, coarse = (SmoothField(scene.shape, scene.spacing_mm, length, rng).whole() for length in (6.0, 20.0))
    return np.asarray(np.float32(0.8) * fine + np.float32(0.6) * coarse)


def _resolution(settings: PhantomSettings, plan: CasePlan) -> Resolution:
    if "resolution" in settings.randomise:
        return draw_resolution(chance(settings.seed, plan.number, "resolution"))
    width = np.array(plan.centre.kernel_voxels) * plan.centre.spacing_mm * (2 * np.sqrt(2 * np.log(2)))
    i, j, k = (float(value) for value in width)
    return Resolution((i, j, k), (0.0, 0.0, 0.0))


def _noise(settings: PhantomSettings, plan: CasePlan, look: Look) -> Noise:
    if "noise" in settings.randomise:
        return draw_noise(chance(settings.seed, plan.number, "noise"))
    return Noise(_strength(plan.centre, look), plan.centre.kernel_voxels)


def _strength(centre: Centre, look: Look) -> float:
    """The centre's noise in units of the image."""
    if look.windowed:
        return centre.noise_hu * FULL / (WINDOW_HU[1] - WINDOW_HU[0])
    return centre.noise_fraction * max(look.material.values())
