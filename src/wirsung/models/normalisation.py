"""How a channel's intensities become what the network sees, where several modalities share one network.

A model of one modality is normalised as nnU-Net's plan says, and nothing here touches it. A model of several
learns each in its own way, since no one rule suits both HU, which mean something, and MRI, whose numbers
mean nothing beyond their own image. These ways are kept in `plans.json` beside nnU-Net's keys, which ignores
them: there they go wherever the plans go, into checkpoints and exports as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wirsung.errors import ConfigError

BY_MODALITY = "normalisation_by_modality"
"""The key in `plans.json`; only a model of several modalities has it."""
OTHER = "other"
"""In place of a modality: one that the model did not learn; each image is then z-scored by itself."""

CT_SCHEME = "CTNormalization"
IMAGE_SCHEME = "ZScoreNormalization"
_KEPT_WHOLE = 0.75


@dataclass(frozen=True)
class Intensity:
    """Statistics of one channel's foreground voxels over the training cases, in the image's unit."""

    mean: float
    std: float
    percentile_00_5: float
    percentile_99_5: float

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "Intensity":
        """From `plans.json`, whose other numbers are not needed."""
        names = ("mean", "std", "percentile_00_5", "percentile_99_5")
        return cls(*(float(table[name]) for name in names))


@dataclass(frozen=True)
class Normalisation:
    """What is done to one channel."""

    scheme: str
    """nnU-Net's class name."""
    inside_mask_only: bool
    """Whether over the nonzero region only; elsewhere the values stay."""
    intensity: Intensity
    """Of the training cases of that modality; only CT's way uses it."""

    def as_plan(self) -> dict[str, Any]:
        """As `plans.json` holds it."""
        return asdict(self)


BY_ITSELF = Normalisation(IMAGE_SCHEME, False, Intensity(0.0, 1.0, 0.0, 0.0))
"""What suits any image: its own mean and spread."""


def way_of(modality: str, intensity: Intensity, kept: float) -> Normalisation:
    """How a modality is normalised: CT by its clipped foreground, MRI by the mean and spread of each image.

    Args:
        modality: ct, t1, t2 or mr.
        intensity: Of the foreground of its training cases.
        kept: The median over them of the fraction of voxels that cropping to the nonzero region keeps; below
            0.75 the zeros would spoil the mean, and only the region counts.

    Source:
        nnU-Net 2.8, `determine_normalization_scheme_and_whether_mask_is_used_for_norm`, for each modality by
        itself rather than for the whole dataset.

    Example:
        >>> statistics = Intensity(80.0, 40.0, -20.0, 200.0)
        >>> way_of("ct", statistics, 0.5).scheme, way_of("t1", statistics, 0.5).inside_mask_only
        ('CTNormalization', True)
    """
    if modality == "ct":
        return Normalisation(CT_SCHEME, False, intensity)
    return Normalisation(IMAGE_SCHEME, kept < _KEPT_WHOLE, intensity)


def ways_in(content: Mapping[str, Any]) -> dict[str, Normalisation]:
    """Modality to its way, of the content of `plans.json`; empty for a model of one modality.

    Raises:
        KeyError: A number is missing.
        ValueError: It is no number, or the model has several channels.
        TypeError: It is no table.
    """
    table = dict(content.get(BY_MODALITY, {}))
    if table and len(content["foreground_intensity_properties_per_channel"]) != 1:
        msg = f"one channel, which {BY_MODALITY} is for"
        raise ValueError(msg)
    return {str(modality): _way(dict(own)) for modality, own in table.items()}


def with_ways(content: Mapping[str, Any], ways: Mapping[str, Any]) -> dict[str, Any]:
    """The content of `plans.json` of a model of several modalities.

    nnU-Net's augmentation blanks what lies outside the nonzero region where its plan normalises inside only.
    That is right where all modalities do: for any other, prediction would see what training never showed.

    Args:
        content: As nnU-Net planned it.
        ways: Modality to its way, as the plans hold it.
    """
    is_inside = all(way["inside_mask_only"] for way in ways.values())
    tables = {
        name: {**table, **({"use_mask_for_norm": [is_inside]} if "use_mask_for_norm" in table else {})}
        for name, table in content["configurations"].items()
    }
    return {**content, "configurations": tables, BY_MODALITY: dict(ways)}


def missed_by_nnunet(content: Mapping[str, Any]) -> tuple[str, ...]:
    """The modalities that nnU-Net, which has one way for all, would not normalise as they were learnt.

    Args:
        content: Of `plans.json`.
    """
    of_all = {
        (table["normalization_schemes"][0], bool(table["use_mask_for_norm"][0]))
        for table in content["configurations"].values()
        if "normalization_schemes" in table
    }
    ways = ways_in(content)
    return tuple(name for name, way in ways.items() if {(way.scheme, way.inside_mask_only)} != of_all)


def told_to_nnunet(content: Mapping[str, Any], modality: str) -> dict[str, Any]:
    """The content of `plans.json` by which nnU-Net normalises images of that modality as they were learnt.

    Raises:
        ConfigError: The model learnt no such modality beside others.
    """
    ways = ways_in(content)
    if not ways:
        msg = f"The model learnt one modality, which nnU-Net's own keys say all of. Leave out {modality}."
        raise ConfigError(msg)
    way = ways[known_modality(ways, modality)]
    own = {"normalization_schemes": [way.scheme], "use_mask_for_norm": [way.inside_mask_only]}
    tables = {
        name: {**table, **(own if "normalization_schemes" in table else {})}
        for name, table in content["configurations"].items()
    }
    return {**content, "configurations": tables}


def way_for(ways: Mapping[str, Normalisation], modality: str | None) -> Normalisation:
    """The way to normalise an image of that modality.

    Raises:
        ConfigError: The modality is not known, or the model did not learn it.

    Example:
        >>> ways = {"ct": way_of("ct", Intensity(80.0, 40.0, -20.0, 200.0), 1.0), "t1": BY_ITSELF}
        >>> way_for(ways, "ct").intensity.mean, way_for(ways, "t1").scheme
        (80.0, 'ZScoreNormalization')
    """
    return ways[known_modality(ways, modality)]


def known_modality(known: Iterable[str], wanted: str | None) -> str:
    """The modality to normalise an image as.

    Args:
        known: What the model learnt.
        wanted: Of the image; None where nobody knows, which a model of one modality need not be told.

    Raises:
        ConfigError: The model did not learn it, or nobody knows which of several it is.

    Example:
        >>> known_modality(["ct"], None), known_modality(["ct", "t1"], "t1"), known_modality(["mr"], "t2")
        ('ct', 't1', 'mr')
    """
    names = list(known)
    fitting = _fitting(names, wanted)
    if len(fitting) == 1:
        return fitting[0]
    learnt = listed(names)
    if fitting:
        which = "the image" if wanted is None else f"an image of modality {wanted}"
        msg = (
            f"The model learnt {learnt}, each normalised in its own way, and nobody told which of them "
            f"{which} is. Say it with --modality."
        )
        raise ConfigError(msg)
    msg = (
        f"The image is of modality {wanted}, but the model learnt {learnt}. Take another model; or say "
        f"--modality {names[0]} to prepare the image as that, or --modality {OTHER} to z-score it by itself."
    )
    raise ConfigError(msg)


def _fitting(names: Sequence[str], wanted: str | None) -> list[str]:
    """What the image may be taken for; mr, MRI of an untold sequence, stands for any sequence and back."""
    if wanted is None:
        return list(names)
    if wanted in names:
        return [wanted]
    if wanted == "mr":
        return [name for name in names if name != "ct"]
    return ["mr"] if wanted in ("t1", "t2") and "mr" in names else []


def listed(names: Iterable[str]) -> str:
    """Names as a sentence has them.

    Example:
        >>> listed(["ct"]), listed(["ct", "t1", "t2"])
        ('ct', 'ct, t1 and t2')
    """
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _way(table: Mapping[str, Any]) -> Normalisation:
    scheme = str(table["scheme"])
    if scheme not in (CT_SCHEME, IMAGE_SCHEME):
        msg = f"{CT_SCHEME} or {IMAGE_SCHEME}, but has {scheme!r}"
        raise ValueError(msg)
    return Normalisation(scheme, bool(table["inside_mask_only"]), Intensity.of(table["intensity"]))
