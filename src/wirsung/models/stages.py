"""Configurations that nnU-Net runs in another way than slice by slice through a 3D network.

A 2D configuration is a 3D one whose patch is one slice thick and whose spacing along the first axis is that
of each image. The second stage of a cascade is a plain configuration with further channels.
"""

from dataclasses import replace
from typing import Any

from wirsung.models.plans import Configuration, Outline, Plans, Spacing


def stage_outline(plans: Plans, name: str) -> Outline:
    """What the plans say of a configuration, with those obstacles only that no way leads around.

    Raises:
        CheckpointError: There is none, or a key is missing or contradicts another.
    """
    outline = plans.outline(name)
    return replace(outline, obstacles=_as_plain(plans, outline).outline(name).obstacles)


def stage_configuration(plans: Plans, name: str) -> Configuration:
    """The configuration in three dimensions; of a 2D one the spacing along the first axis is 1 mm for now.

    Raises:
        CheckpointError: There is none, or it needs what is unknown here.
    """
    return _as_plain(plans, plans.outline(name)).configuration(name)


def at_slices_of(configuration: Configuration, spacing_mm: Spacing, plans: Plans) -> Configuration:
    """A 2D configuration at the slice spacing of an image, whose own spacing is given before transposing."""
    _, y_mm, x_mm = configuration.spacing_mm
    return replace(configuration, spacing_mm=(spacing_mm[plans.transpose_forward[0]], y_mm, x_mm))


def _as_plain(plans: Plans, outline: Outline) -> Plans:
    """The plans, with this configuration in three dimensions and without its first stage."""
    table: dict[str, Any] = dict(plans.content["configurations"])
    own = {**table[outline.name], "previous_stage": None}
    if len(outline.patch_size) == 2:
        own |= {"patch_size": [1, *outline.patch_size], "spacing": [1.0, *outline.spacing_mm]}
    content = {**plans.content, "configurations": {**table, outline.name: own}}
    return replace(plans, content=content)
