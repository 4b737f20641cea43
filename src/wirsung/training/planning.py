"""Fingerprint and plans: the facts are gathered here, the plans are made by nnU-Net's own planners."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wirsung.compute.atomic import write_json
from wirsung.compute.cases import Outcome, map_cases
from wirsung.datasets.layout import MODALITIES, Case
from wirsung.errors import ConfigError, LabelError, WirsungError
from wirsung.models.networks import architecture_of, entry
from wirsung.models.networks.topology import plan_of_patch
from wirsung.models.normalisation import BY_MODALITY, Intensity, way_of, with_ways
from wirsung.models.plans import Plans, Shape, parse_plans
from wirsung.models.preprocessing import nonzero_box
from wirsung.training.batch_size import planned_experiment, settled_lesion, with_lesion_patches
from wirsung.training.classes import Classes
from wirsung.training.presets import Preset
from wirsung.training.reading import read_case
from wirsung.training.settings import Network
from wirsung.training.workspace import CONFIGURATION, Workspace, silence

R = TypeVar("R")

CHANNELS = {"ct": "CT", "t1": "T1", "t2": "T2", "mr": "MR"}
"""Modality to the channel name that nnU-Net chooses the normalisation by."""

# nnU-Net draws 1e8 voxels over all cases; beyond half a million a case the percentiles stand still.
_VOXELS_OF_ALL = 100_000_000
_VOXELS_OF_A_CASE = 500_000


@dataclass(frozen=True)
class FingerprintTask:
    """What one process needs to describe one case."""

    case: Case
    classes: Classes
    voxels: int
    """Foreground voxels to draw, with replacement."""


@dataclass(frozen=True)
class CaseFacts:
    """What nnU-Net's planner must know of one case; axes (z, y, x)."""

    spacing_mm: tuple[float, float, float]
    cropped_shape: tuple[int, int, int]
    kept: float
    """Fraction of the voxels that cropping keeps."""
    foreground: NDArray[np.float32]
    """Drawn intensities inside the labels."""


def facts_of(task: FingerprintTask) -> CaseFacts:
    """Describe one case.

    Source:
        `DatasetFingerprintExtractor.analyze_case` of nnU-Net 2.8.
    """
    arrays = read_case(task.case, task.classes)
    _, placement = nonzero_box(arrays.image)
    inside = arrays.image[0][placement.slices][arrays.labels[placement.slices] > 0]
    random = np.random.RandomState(1234)
    drawn = random.choice(inside, task.voxels, replace=True) if inside.size else inside
    kept = float(np.prod(placement.cropped_shape) / np.prod(placement.full_shape))
    return CaseFacts(arrays.spacing_mm, placement.cropped_shape, kept, drawn.astype(np.float32))


def fingerprint(cases: Sequence[Case], classes: Classes, workers: int) -> dict[str, Any]:
    """nnU-Net's `dataset_fingerprint.json`; of several modalities with how each of them is to be normalised.

    Raises:
        WirsungError: A case can't be read, or no case, or none of a modality, has a labelled voxel.
    """
    voxels = min(_VOXELS_OF_ALL // len(cases), _VOXELS_OF_A_CASE)
    tasks = {case.id: FingerprintTask(case, classes, voxels) for case in cases}
    facts = succeeded(map_cases(facts_of, tasks, workers=workers, description="fingerprint"))
    groups = _by_modality(cases, facts)
    # Of several modalities only CT's numbers mean the same in every case; z-scores need none.
    overall = _statistics(groups.get("ct", facts), classes)
    shared = {
        "spacings": [list(item.spacing_mm) for item in facts],
        "shapes_after_crop": [list(item.cropped_shape) for item in facts],
        "foreground_intensity_properties_per_channel": {"0": overall},
        "median_relative_size_after_cropping": _kept(facts),
    }
    if len(groups) == 1:
        return shared
    ways = {
        modality: way_of(
            modality, Intensity.of(_statistics(own, classes, f"{modality} ")), _kept(own)
        ).as_plan()
        for modality, own in groups.items()
    }
    return {**shared, BY_MODALITY: ways}


def _by_modality(cases: Sequence[Case], facts: Sequence[CaseFacts]) -> dict[str, list[CaseFacts]]:
    groups: dict[str, list[CaseFacts]] = {modality: [] for modality in MODALITIES}
    for case, own in zip(cases, facts, strict=True):
        groups[case.modality].append(own)
    return {modality: own for modality, own in groups.items() if own}


def _kept(facts: Sequence[CaseFacts]) -> float:
    return float(np.median([item.kept for item in facts]))


def _statistics(facts: Sequence[CaseFacts], classes: Classes, modality: str = "") -> dict[str, float]:
    """nnU-Net's numbers of the foreground that was drawn from those cases."""
    foreground = np.concatenate([item.foreground for item in facts])
    if not foreground.size:
        msg = f"No {modality}case has a voxel of any class of {classes.scheme.name}. Choose another --scheme."
        raise LabelError(msg)
    low, median, high = (float(value) for value in np.percentile(foreground, (0.5, 50.0, 99.5)))
    return {
        "mean": float(foreground.mean(dtype=np.float64)),
        "median": median,
        "std": float(foreground.std(dtype=np.float64)),
        "min": float(foreground.min()),
        "max": float(foreground.max()),
        "percentile_99_5": high,
        "percentile_00_5": low,
    }


def label_table(cases: Sequence[Case], classes: Classes) -> dict[str, Any]:
    """nnU-Net's `dataset.json` of the model: no path and no case id in it.

    The channel of several modalities is called after all of them, which nnU-Net takes for one to be z-scored.
    """
    modalities = {case.modality for case in cases}
    channel = "+".join(CHANNELS[modality] for modality in MODALITIES if modality in modalities)
    return {
        "channel_names": {"0": channel},
        "labels": classes.labels,
        # For us alone: the scheme, and which class is the lesion, whatever its name.
        "scheme": classes.scheme.name,
        "structures": {item.name: list(item.structures) for item in classes.learnt},
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "SimpleITKIO",
    }


def plan(
    workspace: Workspace,
    facts: Mapping[str, Any],
    table: Mapping[str, Any],
    images: Mapping[str, Path],
    preset: Preset,
    network: Network,
) -> Plans:
    """nnU-Net's plans for the dataset, made by its own planner inside this process.

    Args:
        workspace: Where nnU-Net works.
        facts: The fingerprint.
        table: `dataset.json`.
        images: Case id to its image, which stays where it is.
        preset: Says how much memory to plan for.
        network: Says which planner, and what takes the place of its network.

    Raises:
        ConfigError: The network can't take the patch that was planned; the message names one that would do.
        MissingDependencyError: A package that the network needs is not installed.
    """
    require_network(network)
    where = {case: {"images": [str(path.resolve())], "label": ""} for case, path in images.items()}
    write_json(workspace.raw / "dataset.json", {**table, "dataset": where})
    write_json(workspace.preprocessed / "dataset.json", dict(table))
    write_json(workspace.preprocessed / "dataset_fingerprint.json", dict(facts))
    with workspace.environment(1), silence():
        planner = _planner(network, preset)
        plans_file = workspace.preprocessed / f"{planner.plans_identifier}.json"
        content = planned_experiment(planner, plans_file, preset)
    if BY_MODALITY in facts:
        content = with_ways(content, facts[BY_MODALITY])
    # Through JSON, so that what comes back is the same whether it was made or read: no numpy, no tuples.
    features = (planner.UNet_base_num_features, planner.UNet_max_features_3d)
    plans = _with_network(parse_plans(json.loads(json.dumps(content))), network, preset.patch, features)
    plans.configuration(CONFIGURATION)
    return with_lesion_patches(plans, settled_lesion(table, preset))


def require_network(network: Network) -> None:
    """Do nothing where all that the network needs is installed.

    Raises:
        MissingDependencyError: A package is missing.
    """
    entry(full_name(network)).require()


def full_name(network: Network) -> str:
    """The network's name in the catalog, where a short one was said."""
    return f"nnunet-{network}" if network.startswith("resenc-") else network


def _with_network(plans: Plans, network: Network, patch: Shape | None, features: tuple[int, int]) -> Plans:
    """The plans with the wanted patch, and a network that is none of nnU-Net's own in its place."""
    name = full_name(network)
    if patch is None and name.startswith("nnunet"):
        return plans
    configuration = plans.configuration(CONFIGURATION)
    if patch is not None:
        configuration = plan_of_patch(
            patch, configuration.spacing_mm, features=features, batch_size=configuration.batch_size
        )
    try:
        found = architecture_of(entry(name), configuration)
    except ConfigError as error:
        msg = f"{error} Say it with --patch."
        raise ConfigError(msg) from error
    own = dict(plans.content["configurations"][CONFIGURATION])
    own["patch_size"] = list(configuration.patch_size)
    own["architecture"] = found.as_plan()
    configurations = {**plans.content["configurations"], CONFIGURATION: own}
    return parse_plans({**plans.content, "configurations": configurations})


def _planner(network: Network, preset: Preset) -> Any:  # noqa: ANN401 - nnU-Net has no types
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
    from nnunetv2.experiment_planning.experiment_planners.residual_unets import (
        residual_encoder_unet_planners as residual,
    )

    planners = {
        "nnunet-resenc-m": residual.nnUNetPlannerResEncM,
        "nnunet-resenc-l": residual.nnUNetPlannerResEncL,
        "nnunet-resenc-xl": residual.nnUNetPlannerResEncXL,
    }
    planner = planners.get(full_name(network), ExperimentPlanner)(1)
    if preset.memory_gb is not None:
        planner.UNet_vram_target_GB = preset.memory_gb
        planner.lowres_creation_threshold = 0
    if preset.features is not None:
        planner.UNet_base_num_features, planner.UNet_max_features_3d = preset.features
    if preset.finest_mm is not None:
        wanted = planner.determine_fullres_target_spacing()
        planner.overwrite_target_spacing = [max(float(value), preset.finest_mm) for value in wanted]
    return planner


def succeeded(outcomes: Sequence[Outcome[R]]) -> list[R]:
    """The values, where every case went well.

    Raises:
        WirsungError: One did not; the message names the first.
    """
    failed = [item for item in outcomes if item.status == "failed"]
    if failed:
        more = f" (and {len(failed) - 1} more cases)" if len(failed) > 1 else ""
        msg = f"case {failed[0].case}: {failed[0].message}{more}"
        raise WirsungError(msg)
    return [item.value for item in outcomes if item.value is not None]
