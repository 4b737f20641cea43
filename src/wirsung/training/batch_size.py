"""How many patches a step has, how many of them are centred on the lesion, and why.

nnU-Net's planner makes the patch so large that two fit the memory. Of two, one is centred on a random class
of a random case: on the lesion once in 250 steps, where it is one of 28 classes and in one case of nine.
Networks trained so never learnt the tumour in 1,000 epochs (`docs/how-to/watch-training.md`). Here the patch
gives way until four fit the same memory, and a quarter of all patches is centred on the lesion.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wirsung.models.plans import Plans, parse_plans
from wirsung.training.presets import Preset
from wirsung.training.watching.best import lesion_class
from wirsung.training.workspace import CONFIGURATION

PLANS_KEY = "wirsung"
"""What nnU-Net's plans are told beyond nnU-Net's own; it reads past it."""

_SMALLEST_OF_NNUNET = 2

ASKED = "Asked for."


@dataclass(frozen=True)
class BatchSize:
    """Patches a step."""

    value: int
    planned: int
    """What nnU-Net's planner says."""
    reason: str


@dataclass(frozen=True)
class LesionPatches:
    """Which patches are centred on the lesion."""

    fraction: float
    """Of the patches, on average, 0 to 1; 0 where all are drawn as nnU-Net draws them."""
    name: str | None
    """The lesion's class."""
    label: int | None
    """The class's index."""
    reason: str


def planned_experiment(planner: Any, plans_file: Path, preset: Preset) -> dict[str, Any]:  # noqa: ANN401
    """What nnU-Net's planner plans, with a patch of which the preset's smallest batch fits its memory.

    Args:
        planner: nnU-Net's.
        plans_file: Where it leaves the plans; older ones there would be merged in.
        preset: What is said of batch and patch.

    Returns:
        The plans, with the batch size and its reason under a key of their own.
    """
    first = _plan(planner, plans_file)
    found = settled_batch(_configuration(first), preset)
    if found.value > found.planned and preset.batch_size is None and preset.patch is None:
        memory_gb = planner.UNet_vram_target_GB
        planner.UNet_vram_target_GB = memory_gb * _SMALLEST_OF_NNUNET / found.value
        smaller = _plan(planner, plans_file)
        planner.UNet_vram_target_GB = memory_gb
        found = settled_batch(_configuration(first), preset, _configuration(smaller))
        first = smaller
    _configuration(first)["batch_size"] = found.value
    return {**first, PLANS_KEY: {"schema": 1, "batch_size": asdict(found)}}


def settled_batch(
    planned: Mapping[str, Any], preset: Preset, smaller: Mapping[str, Any] | None = None
) -> BatchSize:
    """The batch size and why.

    Args:
        planned: The configuration that nnU-Net's planner made for its memory.
        preset: What is said of batch and patch.
        smaller: The configuration of which the smallest batch fits the same memory, where it is known.

    Example:
        >>> from wirsung.training.presets import PRESETS
        >>> planned = {"batch_size": 2, "patch_size": [128, 128, 128]}
        >>> settled_batch(planned, PRESETS["default"]).value, settled_batch(planned, PRESETS["demo"]).value
        (4, 2)
    """
    own, least = int(planned["batch_size"]), preset.smallest_batch
    if preset.batch_size is not None:
        return BatchSize(preset.batch_size, own, ASKED)
    if own >= least:
        return BatchSize(own, own, "What nnU-Net's planner fits into its memory.")
    if preset.patch is not None:
        room = own * math.prod(planned["patch_size"]) / math.prod(preset.patch)
        value = min(max(int(room + 1e-9), _SMALLEST_OF_NNUNET), least)
        reason = "As many as the planner's memory holds of the patch that was asked for"
        return BatchSize(value, own, f"{reason}, from {_SMALLEST_OF_NNUNET} to {least}.")
    of = f" of {_by(smaller['patch_size'])} voxels" if smaller else ""
    reason = (
        f"With nnU-Net's {own} patches of {_by(planned['patch_size'])} voxels a step the tumour was never "
        f"learnt among 28 classes; {least}{of} take the same memory, and one of them can always be on the "
        "lesion."
    )
    return BatchSize(least, own, reason)


def settled_lesion(table: Mapping[str, Any], preset: Preset) -> LesionPatches:
    """Which patches are centred on the lesion, and why.

    Args:
        table: `dataset.json`.
        preset: Says the fraction.

    Example:
        >>> from wirsung.training.presets import PRESETS
        >>> table = {"labels": {"background": 0, "pancreas": 1, "pancreatic_lesion": 2}}
        >>> settled_lesion(table, PRESETS["default"]).label
        2
    """
    name = lesion_class(table)
    if name is None:
        return LesionPatches(0.0, None, None, "The classes have no pancreatic lesion.")
    label = int(table["labels"][name])
    if not preset.lesion_patches:
        return LesionPatches(0.0, name, label, "The preset draws patches as nnU-Net does.")
    classes = len(table["labels"]) - 1
    reason = (
        f"{preset.lesion_patches:.0%} of the patches are centred on {name}, in a case that has it; nnU-Net "
        f"centres one forced patch in {classes} on it, and only where the case that was drawn has it."
    )
    return LesionPatches(preset.lesion_patches, name, label, reason)


def with_lesion_patches(plans: Plans, found: LesionPatches) -> Plans:
    """The plans with what is said of the lesion's patches."""
    own = {**plans.content.get(PLANS_KEY, {"schema": 1}), "lesion_patches": asdict(found)}
    return parse_plans({**plans.content, PLANS_KEY: own})


def lesion_patches_of(plans: Plans) -> LesionPatches | None:
    """What the plans say of the lesion's patches; None for plans that say nothing, as nnU-Net's own."""
    said = plans.content.get(PLANS_KEY, {}).get("lesion_patches")
    return LesionPatches(**said) if said else None


def batch_size_of(plans: Plans) -> BatchSize | None:
    """What the plans say of the batch size; None for plans that give no reason, as nnU-Net's own."""
    said = plans.content.get(PLANS_KEY, {}).get("batch_size")
    return BatchSize(**said) if said else None


def _plan(planner: Any, plans_file: Path) -> dict[str, Any]:  # noqa: ANN401 - nnU-Net has no types
    plans_file.unlink(missing_ok=True)
    content: dict[str, Any] = planner.plan_experiment()
    return content


def _configuration(content: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["configurations"][CONFIGURATION]
    return found


def _by(values: Any) -> str:  # noqa: ANN401 - numbers of any kind
    return " x ".join(str(int(value)) for value in values)
