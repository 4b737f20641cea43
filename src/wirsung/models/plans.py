"""nnU-Net's `plans.json` and `dataset.json`, read strictly and typed.

Axes are nnU-Net's: (z, y, x), which is (k, j, i) of a volume; after `transpose_forward` where a name says so.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from wirsung.compute.atomic import write_json
from wirsung.errors import CheckpointError, near_names
from wirsung.models.labels import Labels, parse_labels, uses_regions_or_ignore
from wirsung.models.normalisation import BY_ITSELF, OTHER, Intensity, Normalisation, way_for, ways_in
from wirsung.models.old_plans import modernised

PLANS_FILE = "plans.json"
DATASET_FILE = "dataset.json"

R = TypeVar("R")
N = TypeVar("N", int, float)

Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]

_RESAMPLING = "resample_data_or_seg_to_shape"
_NORMALISATIONS = (
    "CTNormalization",
    "ZScoreNormalization",
    "NoNormalization",
    "RescaleTo01Normalization",
)


@dataclass(frozen=True)
class Resampling:
    """How one kind of array is resampled."""

    order: Literal[0, 1, 3]
    """Of the spline; 1 is linear."""
    separate_z: bool | None
    """Whether the axis of low resolution is taken apart; None decides by the spacing."""


@dataclass(frozen=True)
class Architecture:
    """The network as the plans name it."""

    class_name: str
    arguments: Mapping[str, Any]
    imported_arguments: tuple[str, ...]
    """The arguments whose values are import paths."""

    def as_plan(self) -> dict[str, Any]:
        """As `plans.json` holds it."""
        return {
            "network_class_name": self.class_name,
            "arch_kwargs": dict(self.arguments),
            "_kw_requires_import": list(self.imported_arguments),
        }


@dataclass(frozen=True)
class Configuration:
    """One way to train on the dataset, such as `3d_fullres`; axes after `transpose_forward`."""

    name: str
    spacing_mm: Spacing
    patch_size: Shape
    batch_size: int
    normalisations: tuple[str, ...]
    """One nnU-Net class name a channel."""
    inside_mask_only: tuple[bool, ...]
    """Whether a channel is normalised over the nonzero region only."""
    image_resampling: Resampling
    label_resampling: Resampling
    logit_resampling: Resampling
    architecture: Architecture
    data_identifier: str


@dataclass(frozen=True)
class Outline:
    """What the plans say of any configuration: also of those that can't be run here yet."""

    name: str
    patch_size: tuple[int, ...]
    """Two numbers or three."""
    spacing_mm: tuple[float, ...]
    """As many."""
    normalisations: tuple[str, ...]
    architecture: Architecture
    previous_stage: str | None
    """The configuration whose prediction it is given as further channels."""
    obstacles: tuple[str, ...]
    """Why it can't be run here, as ends of a sentence; empty where it can."""

    def input_channels(self, labels: Labels) -> int:
        """Of the network: in a cascade each foreground class of the first stage is one more."""
        return len(labels.channels) + (len(labels.foreground) if self.previous_stage else 0)


@dataclass(frozen=True)
class Plans:
    """The plans of a model folder."""

    content: Mapping[str, Any]
    """As in the file."""
    dataset_name: str
    transpose_forward: tuple[int, int, int]
    """Axis of the image that becomes axis 0, 1 and 2."""
    transpose_backward: tuple[int, int, int]
    intensities: tuple[Intensity, ...]
    """One a channel."""
    by_modality: Mapping[str, Normalisation] = field(default_factory=dict)
    """How each modality is normalised; empty for a model of one, which is normalised as nnU-Net does."""

    def normalisations(
        self, configuration: Configuration, modality: str | None = None
    ) -> tuple[Normalisation, ...]:
        """What is done to each channel of an image of that modality.

        Raises:
            ConfigError: The model learnt several modalities, and this is none of them or not told.
        """
        if modality == OTHER:
            return (BY_ITSELF,) * len(configuration.normalisations)
        if self.by_modality:
            return (way_for(self.by_modality, modality),)
        own = zip(configuration.normalisations, configuration.inside_mask_only, self.intensities, strict=True)
        return tuple(Normalisation(*values) for values in own)

    def configuration(self, name: str) -> Configuration:
        """The configuration of that name, with what it inherits.

        Raises:
            CheckpointError: There is none, it is 2D or part of a cascade, or it needs what is unknown here.
        """
        return _said_of(name, _configuration, self.content["configurations"])

    def outline(self, name: str) -> Outline:
        """What the plans say of a configuration, be it 2D or the second stage of a cascade.

        Raises:
            CheckpointError: There is none, or a key is missing or contradicts another.
        """
        outline = _said_of(name, _outline, self.content["configurations"])
        dimensions = len(outline.patch_size)
        if dimensions not in (2, 3) or len(outline.spacing_mm) != dimensions:
            sizes = f"patch {list(outline.patch_size)} and spacing {list(outline.spacing_mm)}"
            msg = f"{PLANS_FILE}: configuration {name} has {sizes}; both must have two numbers or three."
            raise CheckpointError(msg)
        if outline.previous_stage and outline.previous_stage not in self.content["configurations"]:
            msg = f"{PLANS_FILE}: configuration {name} follows {outline.previous_stage}, which is not there."
            raise CheckpointError(msg)
        return outline


@dataclass(frozen=True)
class LabelTable:
    """What `dataset.json` says of channels and labels."""

    channels: tuple[str, ...]
    """What each input channel is, such as CT."""
    labels: Mapping[str, int]
    """Class name to class index, background 0 first; the indices are 0, 1, 2 and so on."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """By index, background first."""
        return tuple(sorted(self.labels, key=lambda name: self.labels[name]))


def read_plans(folder: Path) -> Plans:
    """The plans of a model folder.

    Raises:
        CheckpointError: There are none, or they are not of nnU-Net v2.
    """
    return parse_plans(_json(folder / PLANS_FILE))


def parse_plans(content: Mapping[str, Any]) -> Plans:
    """The plans from their JSON content.

    Raises:
        CheckpointError: A key is missing or of the wrong type.
    """
    try:
        forward = _axes(content["transpose_forward"])
        backward = _axes(content["transpose_backward"])
        channels = dict(content["foreground_intensity_properties_per_channel"])
        intensities = tuple(Intensity.of(channels[key]) for key in sorted(channels, key=int))
        named = str(content["dataset_name"])
        by_modality = ways_in(content)
        _ = {name: dict(table) for name, table in dict(content["configurations"]).items()}
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{PLANS_FILE} lacks {error}. Only the plans of nnU-Net v2 can be read."
        raise CheckpointError(msg) from error
    return Plans(content, named, forward, backward, intensities, by_modality)


def write_plans(folder: Path, plans: Plans) -> None:
    """Write `plans.json`."""
    write_json(folder / PLANS_FILE, dict(plans.content))


def read_labels(folder: Path) -> Labels:
    """Channels and labels of a model folder, regions and an ignore label included.

    Raises:
        CheckpointError: No `dataset.json`, or nnU-Net itself would refuse its labels.
    """
    return parse_labels(_json(folder / DATASET_FILE), str(folder / DATASET_FILE))


def read_label_table(folder: Path) -> LabelTable:
    """Channels and labels of a model folder.

    Raises:
        CheckpointError: No `dataset.json`, or its labels are regions or not 0, 1, 2 and so on.
    """
    content = _json(folder / DATASET_FILE)
    if uses_regions_or_ignore(content):
        msg = f"{folder / DATASET_FILE} has regions or an ignore label, which can't be used here yet."
        raise CheckpointError(msg)
    labels = parse_labels(content, str(folder / DATASET_FILE))
    return LabelTable(labels.channels, {name: values[0] for name, values in labels.values.items()})


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = (
            f"{path} can't be read ({error.strerror}). "
            f"A model folder has {PLANS_FILE}, {DATASET_FILE} and fold_0/."
        )
        raise CheckpointError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path} is not JSON. Get the model folder anew."
        raise CheckpointError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path} holds no JSON object. Get the model folder anew."
        raise CheckpointError(msg)
    return content


def _inherited(configurations: Mapping[str, Any], name: str) -> dict[str, Any]:
    chain: list[str] = []
    merged: dict[str, Any] = {}
    following: str | None = name
    while following is not None:
        if following not in configurations:
            near = near_names(following, configurations)
            msg = f"{PLANS_FILE} has no configuration {following!r}. {near}"
            raise CheckpointError(msg)
        if following in chain:
            msg = f"{PLANS_FILE}: the configurations {', '.join(chain)} inherit from one another in a circle."
            raise CheckpointError(msg)
        chain.append(following)
        own = dict(configurations[following])
        following = own.pop("inherits_from", None)
        merged = own | merged
    return merged


def _configuration(name: str, table: dict[str, Any]) -> Configuration:
    reasons = _obstacles(table)
    if reasons:
        msg = f"The configuration {name} {' and '.join(reasons)}, which can't be used here. Choose another."
        raise CheckpointError(msg)
    spacing, patch = _sizes(table["spacing"], float), _sizes(table["patch_size"], int)
    return Configuration(
        name=name,
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
        patch_size=(patch[0], patch[1], patch[2]),
        batch_size=int(table["batch_size"]),
        normalisations=tuple(table["normalization_schemes"]),
        inside_mask_only=tuple(bool(value) for value in table["use_mask_for_norm"]),
        image_resampling=_resampling(table["resampling_fn_data_kwargs"]),
        label_resampling=_resampling(table["resampling_fn_seg_kwargs"]),
        logit_resampling=_resampling(table["resampling_fn_probabilities_kwargs"]),
        architecture=_architecture(table["architecture"]),
        data_identifier=str(table["data_identifier"]),
    )


def _outline(name: str, table: dict[str, Any]) -> Outline:
    previous = table.get("previous_stage")
    return Outline(
        name=name,
        patch_size=_sizes(table["patch_size"], int),
        spacing_mm=_sizes(table["spacing"], float),
        normalisations=tuple(map(str, table["normalization_schemes"])),
        architecture=_architecture(table["architecture"]),
        previous_stage=str(previous) if previous else None,
        obstacles=tuple(_obstacles(table)),
    )


def _architecture(table: Mapping[str, Any]) -> Architecture:
    return Architecture(
        str(table["network_class_name"]), dict(table["arch_kwargs"]), tuple(table["_kw_requires_import"])
    )


def _obstacles(table: Mapping[str, Any]) -> list[str]:
    """What can't be run here, said plainly rather than run wrongly."""
    reasons = []
    if len(table["patch_size"]) != 3:
        reasons.append("is two-dimensional")
    if table.get("previous_stage"):
        reasons.append("is the second stage of a cascade")
    kinds = {table[f"resampling_fn_{kind}"] for kind in ("data", "seg", "probabilities")}
    if kinds != {_RESAMPLING}:
        reasons.append(f"resamples by {', '.join(sorted(kinds - {_RESAMPLING}))}")
    unknown = set(table["normalization_schemes"]) - set(_NORMALISATIONS)
    if unknown:
        reasons.append(f"normalises by {', '.join(sorted(unknown))}")
    return reasons


def _resampling(arguments: Mapping[str, Any]) -> Resampling:
    order = arguments["order"]
    if order not in (0, 1, 3) or arguments.get("order_z", 0) != 0:
        what = f"order {order} and order_z {arguments.get('order_z')}"
        msg = f"{PLANS_FILE} resamples with {what}; known are the orders 0, 1 and 3, and order_z 0."
        raise CheckpointError(msg)
    return Resampling(order, arguments.get("force_separate_z"))


def _axes(values: Any) -> tuple[int, int, int]:  # noqa: ANN401 - whatever JSON holds
    first, second, third = (int(value) for value in values)
    if sorted((first, second, third)) != [0, 1, 2]:
        msg = f"an order of the axes 0, 1 and 2, but has {list(values)}"
        raise ValueError(msg)
    return first, second, third


def _said_of(name: str, reader: Callable[[str, dict[str, Any]], R], configurations: Mapping[str, Any]) -> R:
    """What a reader makes of a configuration; whatever is not as it should be is one error."""
    try:
        return reader(name, modernised(_inherited(configurations, name)))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        msg = f"{PLANS_FILE}: configuration {name} lacks {error}. Get the whole model folder anew."
        raise CheckpointError(msg) from error


def _sizes(values: Any, kind: type[N]) -> tuple[N, ...]:  # noqa: ANN401 - whatever JSON holds
    """Numbers above 0."""
    made = tuple(kind(value) for value in values)
    if not all(0 < value < math.inf for value in made):
        msg = f"sizes above 0, but has {list(values)}"
        raise ValueError(msg)
    return made
