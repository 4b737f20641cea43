"""The plans of nnU-Net v1, read strictly, and the same in the words of v2."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wirsung.errors import CheckpointError
from wirsung.models.plans import Shape, Spacing

_MOST_FEATURES = 320
"""Of a stage of v1's 3D U-Nets, which double from stage to stage."""
_MOST_STAGES = 12
_LONGEST_AXIS = 4096
_WIDEST_FIRST = 512
_MOST_CLASSES = 1000

_NORMALISATIONS = {
    "CT": "CTNormalization",
    "nonCT": "ZScoreNormalization",
    "noNorm": "NoNormalization",
}
_STATISTICS = {
    "mean": "mean",
    "median": "median",
    "std": "sd",
    "min": "mn",
    "max": "mx",
    "percentile_00_5": "percentile_00_5",
    "percentile_99_5": "percentile_99_5",
}
"""v2's word to v1's."""
_UNUSED = {**dict.fromkeys(_STATISTICS, 0.0), "std": 1.0}
"""v1 measures intensities of CT only, and only CT's normalisation reads them."""


@dataclass(frozen=True)
class V1Stage:
    """One resolution of v1's plans; axes after `transpose_forward`."""

    batch_size: int
    patch_size: Shape
    spacing_mm: Spacing
    median_shape: tuple[int, ...]
    strides: tuple[Shape, ...]
    """One a stage of the network, that of the first is 1."""
    kernels: tuple[Shape, ...]
    features: tuple[int, ...]


@dataclass(frozen=True)
class V1Plans:
    """What of v1's plans a trained network needs."""

    stages: tuple[V1Stage, ...]
    """From the coarsest."""
    channels: tuple[str, ...]
    classes: int
    """Background excluded."""
    convolutions: int
    """A stage."""
    normalisations: tuple[str, ...]
    """v2's names."""
    inside_mask_only: tuple[bool, ...]
    intensities: tuple[Mapping[str, float], ...]
    """v2's words."""
    transpose_forward: tuple[int, ...]
    transpose_backward: tuple[int, ...]
    cases: int
    """That the plans were made from."""

    def name_of(self, stage: int) -> str:
        """v2's name of a stage."""
        return "3d_lowres" if stage + 1 < len(self.stages) else "3d_fullres"


def parse_v1_plans(content: object, source: str) -> V1Plans:
    """The plans of nnU-Net v1.

    Args:
        content: Of the pickle.
        source: Its name, for messages.

    Raises:
        CheckpointError: A key is missing, of the wrong type or out of bounds, or the plans are 2D.
    """
    if not isinstance(content, Mapping) or "plans_per_stage" not in content:
        msg = (
            f"{source} holds no plans of nnU-Net v1. It writes them as plans.pkl, and beside each checkpoint."
        )
        raise CheckpointError(msg)
    try:
        return _plans(content)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        msg = f"{source}: the plans of nnU-Net v1 lack or contradict {error}. Get the file anew."
        raise CheckpointError(msg) from error


def v2_plans(plans: V1Plans, stage: int, architecture: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The content of `plans.json` for one stage.

    Args:
        plans: Of v1.
        stage: Which of them.
        architecture: `network_class_name` and `arch_kwargs`.
        name: Of the dataset.
    """
    chosen, configuration = plans.stages[stage], plans.name_of(stage)
    return {
        "dataset_name": name,
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": list(chosen.spacing_mm),
        "original_median_shape_after_transp": list(chosen.median_shape),
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": list(plans.transpose_forward),
        "transpose_backward": list(plans.transpose_backward),
        "experiment_planner_used": "nnU-Net v1",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            str(channel): dict(table) for channel, table in enumerate(plans.intensities)
        },
        "configurations": {
            configuration: {
                "data_identifier": f"nnUNetPlans_{configuration}",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": chosen.batch_size,
                "patch_size": list(chosen.patch_size),
                "median_image_size_in_voxels": list(chosen.median_shape),
                "spacing": list(chosen.spacing_mm),
                "normalization_schemes": list(plans.normalisations),
                "use_mask_for_norm": list(plans.inside_mask_only),
                **_resampling(),
                "batch_dice": False,
                "architecture": {**architecture, "_kw_requires_import": []},
            }
        },
    }


def v2_dataset(plans: V1Plans, classes: Sequence[str]) -> dict[str, Any]:
    """The content of `dataset.json`.

    Args:
        plans: Of v1.
        classes: The names of the foreground classes, as many as the plans have.
    """
    return {
        "channel_names": {str(channel): name for channel, name in enumerate(plans.channels)},
        "labels": {"background": 0, **{name: value for value, name in enumerate(classes, start=1)}},
        "numTraining": plans.cases,
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "SimpleITKIO",
    }


def _plans(content: Mapping[str, Any]) -> V1Plans:
    channels = _bounded(content["num_modalities"], 1, _MOST_CLASSES, "num_modalities")
    classes = _bounded(content["num_classes"], 1, _MOST_CLASSES, "num_classes")
    if [int(value) for value in content["all_classes"]] != list(range(1, classes + 1)):
        msg = f"all_classes, which must be 1 to {classes}"
        raise ValueError(msg)
    base = _bounded(content["base_num_features"], 1, _WIDEST_FIRST, "base_num_features")
    stages = content["plans_per_stage"]
    masks = content["use_mask_for_norm"]
    schemes = [_scheme(content["normalization_schemes"][channel]) for channel in range(channels)]
    statistics = content["dataset_properties"].get("intensityproperties") or {}
    return V1Plans(
        stages=tuple(_stage(stages[number], base) for number in sorted(stages)),
        channels=tuple(str(content["modalities"][channel]) for channel in range(channels)),
        classes=classes,
        convolutions=_bounded(content.get("conv_per_stage", 2), 1, 9, "conv_per_stage"),
        normalisations=tuple(schemes),
        inside_mask_only=tuple(bool(masks[channel]) for channel in range(channels)),
        intensities=tuple(
            _intensity(statistics.get(channel), scheme) for channel, scheme in enumerate(schemes)
        ),
        transpose_forward=_axes(content["transpose_forward"]),
        transpose_backward=_axes(content["transpose_backward"]),
        cases=len(content.get("list_of_npz_files") or ()),
    )


def _stage(table: Mapping[str, Any], base: int) -> V1Stage:
    if len(table["patch_size"]) != 3:
        msg = "a third dimension: they are of a 2D network, which can't be used here"
        raise ValueError(msg)
    patch = _shape(table["patch_size"], _LONGEST_AXIS, "patch_size")
    strides = (
        (1, 1, 1),
        *(_shape(item, 8, "pool_op_kernel_sizes") for item in table["pool_op_kernel_sizes"]),
    )
    kernels = tuple(_shape(item, 9, "conv_kernel_sizes") for item in table["conv_kernel_sizes"])
    if not 2 <= len(strides) == len(kernels) <= _MOST_STAGES:
        msg = f"conv_kernel_sizes, of which there are {len(kernels)} for {len(strides) - 1} poolings"
        raise ValueError(msg)
    z, y, x = (_finite(value, "current_spacing") for value in table["current_spacing"])
    if min(z, y, x) <= 0:
        msg = "current_spacing, which must be above 0 mm"
        raise ValueError(msg)
    return V1Stage(
        batch_size=_bounded(table["batch_size"], 1, 10_000, "batch_size"),
        patch_size=patch,
        spacing_mm=(z, y, x),
        median_shape=tuple(int(value) for value in table["median_patient_size_in_voxels"]),
        strides=strides,
        kernels=kernels,
        features=tuple(min(_MOST_FEATURES, base * 2**stage) for stage in range(len(strides))),
    )


def _scheme(name: object) -> str:
    if name not in _NORMALISATIONS:
        msg = f"normalization_schemes, where {name!r} is unknown here"
        raise ValueError(msg)
    return _NORMALISATIONS[str(name)]


def _intensity(table: Mapping[str, Any] | None, scheme: str) -> dict[str, float]:
    if scheme != "CTNormalization":
        return dict(_UNUSED)
    if table is None:
        msg = "intensityproperties, which CT is normalised by"
        raise ValueError(msg)
    return {word: _finite(table[old], old) for word, old in _STATISTICS.items()}


def _resampling() -> dict[str, Any]:
    """v1's: cubic for images, linear for labels and probabilities, nearest neighbour along a coarse axis."""
    orders = {"data": 3, "seg": 1, "probabilities": 1}
    made: dict[str, Any] = {}
    for kind, order in orders.items():
        made[f"resampling_fn_{kind}"] = "resample_data_or_seg_to_shape"
        made[f"resampling_fn_{kind}_kwargs"] = {
            "is_seg": kind == "seg",
            "order": order,
            "order_z": 0,
            "force_separate_z": None,
        }
    return made


def _finite(value: Any, name: str) -> float:  # noqa: ANN401 - whatever the file holds
    made = float(value)
    if not math.isfinite(made):
        msg = f"{name}, which must be a number"
        raise ValueError(msg)
    return made


def _bounded(value: object, least: int, most: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        msg = f"{name}, which must be {least} to {most}"
        raise ValueError(msg)
    return int(value)


def _shape(values: Sequence[Any], most: int, name: str) -> Shape:
    first, second, third = (_bounded(int(value), 1, most, name) for value in values)
    return first, second, third


def _axes(values: Sequence[Any]) -> tuple[int, ...]:
    made = tuple(int(value) for value in values)
    if sorted(made) != [0, 1, 2]:
        msg = "transpose_forward and transpose_backward, which must be the axes 0, 1 and 2"
        raise ValueError(msg)
    return made
