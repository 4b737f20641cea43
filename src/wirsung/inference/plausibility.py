"""Whether an image can be what a model was made for: what is impossible is refused, what is odd is said.

The numbers come from the model itself, which keeps the intensities of the structures that it learnt in
`plans.json`, and from what HU mean: air is near -1000, fat near -100, soft tissue near 50. All of it is told
by some tens of thousands of voxels, so it costs nothing beside a prediction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wirsung.errors import GeometryError
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.models.normalisation import (
    CT_SCHEME,
    IMAGE_SCHEME,
    OTHER,
    Intensity,
    Normalisation,
    known_modality,
)

if TYPE_CHECKING:
    from wirsung.inference.loading import Loaded

SMALLEST_SPACING_MM, LARGEST_SPACING_MM = 0.05, 20.0
"""Finer than any scan of a body, and coarser than any that shows an organ."""
LONGEST_MM = 4000.0
"""No body is longer, and resampling such a grid would take all memory there is."""
_SAMPLES = 60_000
"""Voxels looked at, at least, where the image has so many."""
_DARK_HU, _AIR_HU, _BRIGHT_HU = -30.0, -900.0, 300.0
_SOFT_HU = (-150.0, 250.0)
_LEAST_DARK, _LEAST_AIR, _LEAST_SOFT, _MOST_BRIGHT = 0.005, 0.05, 0.03, 0.3
"""Fractions of voxels; real CTs of the abdomen have 0.6 below -30 HU and less than 0.05 above 300 HU."""
_LEAST_LEARNT = 0.01
_SHORT, _COARSE = 0.1, 10.0
_MRI = ("t1", "t2", "mr")


@dataclass(frozen=True)
class Intensities:
    """Some of an image's voxels, in its own unit."""

    values: NDArray[np.float64]

    @classmethod
    def of(cls, volume: Volume) -> "Intensities":
        """Voxels spread evenly over the image.

        Example:
            >>> Intensities.of(Volume(np.full((2, 3, 4), 7), np.eye(4))).values.size
            24
        """
        step = max(1, int((volume.voxels.size / _SAMPLES) ** (1 / 3)))
        i, j, k = (min(step, size) for size in volume.shape)
        taken = volume.voxels[i // 2 :: i, j // 2 :: j, k // 2 :: k]
        return cls(np.asarray(taken, dtype=np.float64).ravel())

    def share(self, lowest: float, highest: float) -> float:
        """The fraction of voxels between two values.

        Example:
            >>> Intensities(np.array([-5.0, 0.0, 5.0, 50.0])).share(-1, 10)
            0.5
        """
        return float(np.mean((self.values >= lowest) & (self.values <= highest)))

    def told(self) -> str:
        """For messages."""
        low, middle, high = np.percentile(self.values, (0.5, 50, 99.5))
        dark = self.share(-np.inf, -200.0)
        whole = "whole numbers" if np.array_equal(self.values, np.rint(self.values)) else "fractions"
        return (
            f"{whole} from {self.values.min():.4g} to {self.values.max():.4g}, 99 % between {low:.4g} and "
            f"{high:.4g}, median {middle:.4g}, {dark * 100:.0f} % below -200"
        )


def check_place(volume: Volume, what: str = "The image") -> None:
    """Do nothing where the voxels are of a size that a scan of a body can have.

    Args:
        volume: As read.
        what: What the message calls it.

    Raises:
        GeometryError: A spacing or a length is impossible.

    Example:
        >>> check_place(Volume(np.zeros((2, 2, 2)), np.diag([0.8, 0.8, 2.5, 1.0])))
    """
    spacing, lengths = (
        volume.spacing_mm,
        [one * count for one, count in zip(volume.spacing_mm, volume.shape, strict=True)],
    )
    shown = " x ".join(f"{value:.4g}" for value in spacing)
    wanted = f"that of a scan lies between {SMALLEST_SPACING_MM:g} and {LARGEST_SPACING_MM:g} mm"
    remedy = "Find out its unit, and write the spacing in mm."
    if min(spacing) < SMALLEST_SPACING_MM:
        msg = f"{what} has a spacing of {shown} mm, but {wanted}. Are its lengths in metres? {remedy}"
        raise GeometryError(msg)
    if max(spacing) > LARGEST_SPACING_MM:
        doubt = "Are its lengths in micrometres, or is the unit in its header wrong?"
        msg = f"{what} has a spacing of {shown} mm, but {wanted}. {doubt} {remedy}"
        raise GeometryError(msg)
    if max(lengths) > LONGEST_MM:
        msg = (
            f"{what} is {max(lengths):.0f} mm long ({max(volume.shape)} voxels, spacing {shown} mm), but no "
            f"scan is longer than {LONGEST_MM:.0f} mm. {remedy}"
        )
        raise GeometryError(msg)


def warnings_of(volumes: Sequence[Volume], loaded: "Loaded", modality: str | None = None) -> tuple[str, ...]:
    """What speaks against giving the volumes to the model; a sentence or three each.

    Args:
        volumes: One a channel, as read.
        loaded: The model.
        modality: ct, t1, t2 or mr where it is known; other for what the model did not learn.
    """
    stage = loaded.stage
    ways = stage.plans.normalisations(stage.configuration, modality)
    tables = stage.plans.content["foreground_intensity_properties_per_channel"]
    if len(volumes) != len(ways):
        return ()  # preprocessing refuses that
    found: list[str] = []
    for number, (volume, way) in enumerate(zip(volumes, ways, strict=True)):
        learnt = _Learnt(way, stage.labels.channels[number], tables.get(str(number), {}))
        if (
            stage.plans.by_modality and modality != OTHER
        ):  # each has its own intensities, which those of all mean nothing for
            learnt = _Learnt(way, known_modality(stage.plans.by_modality, modality), {})
        which = f"Channel {number} ({learnt.channel})" if len(volumes) > 1 else "The image"
        values = Intensities.of(volume)
        first, last = float(values.values.min()), float(values.values.max())
        if first == last:
            found.append(f"{which} is {first + 0.0:g} everywhere, so there is nothing to find in it.")
        elif modality != OTHER and np.isfinite(values.values).all():
            found += [f"{which} {text}" for text in _odd(values, learnt, modality)]
    return (*found, *_odd_grid(volumes[0], loaded))


@dataclass(frozen=True)
class _Learnt:
    """What a channel was in training."""

    way: Normalisation
    channel: str
    table: dict[str, Any]
    """Of `plans.json`."""

    @property
    def intensity(self) -> Intensity:
        return self.way.intensity

    @property
    def is_ct(self) -> bool:
        return self.way.scheme == CT_SCHEME

    @property
    def is_in_hu(self) -> bool:
        """Whether the structures it learnt have values that a CT in HU gives them."""
        own = self.intensity
        return self.is_ct and own.percentile_99_5 - own.percentile_00_5 > 20 and -1000 < own.mean < 500

    @property
    def is_mri(self) -> bool:
        """Normalised image by image, not named after CT, and never dark as fat is in HU."""
        is_named_ct = "ct" in self.channel.casefold()
        dark = self.intensity.percentile_00_5 < _DARK_HU
        return self.way.scheme == IMAGE_SCHEME and not is_named_ct and not dark

    def told(self) -> str:
        own = self.intensity
        median = self.table.get("median")
        middle = f", median {float(median):.4g}" if isinstance(median, int | float) else ""
        return (
            f"what the model learnt lies between {own.percentile_00_5:.4g} and {own.percentile_99_5:.4g} "
            f"(99 % of voxels{middle})"
        )


def _odd(values: Intensities, learnt: _Learnt, modality: str | None) -> Iterator[str]:
    """What is odd about the intensities of a channel; ends of sentences."""
    numbers = f"It holds {values.told()}; {learnt.told()}."
    if learnt.is_ct and modality in _MRI:
        yield f"is MRI by its name or header, but the model learnt CT. {numbers} Take a model of MRI."
    elif learnt.is_in_hu and (reason := _not_in_hu(values)):
        yield f"does not look like CT in HU: {reason}. {numbers} Is it MRI, or CT that is not in HU?"
    elif learnt.is_ct and not learnt.is_in_hu and _share_learnt(values, learnt) < _LEAST_LEARNT:
        yield f"has hardly a value that the model learnt. {numbers} Bring it into the unit of its training."
    elif learnt.is_mri and (modality == "ct" or _is_ct(values)):
        yield f"looks like CT, but the model learnt {learnt.channel}. {numbers} Take a model of CT."


def _not_in_hu(values: Intensities) -> str | None:
    """Why the values can't be HU of a body, as the end of a sentence."""
    if values.share(-np.inf, _DARK_HU) < _LEAST_DARK:
        return f"fat and air would lie below {_DARK_HU:g}, but next to nothing does"
    if values.share(*_SOFT_HU) < _LEAST_SOFT:
        return f"next to nothing lies between {_SOFT_HU[0]:g} and {_SOFT_HU[1]:g}, where soft tissue would"
    body = values.values[values.values > -200]
    bright = float(np.mean(body > _BRIGHT_HU))
    if bright > _MOST_BRIGHT:
        share = f"{bright * 100:.0f} % of the body"
        return f"{share} lie above {_BRIGHT_HU:g}, where only bone and contrast medium would"
    return None


def _is_ct(values: Intensities) -> bool:
    """Whether there is air near -1000, and soft tissue."""
    has_air = values.share(-1100.0, _AIR_HU) >= _LEAST_AIR
    return has_air and values.share(*_SOFT_HU) >= _LEAST_SOFT


def _share_learnt(values: Intensities, learnt: _Learnt) -> float:
    return values.share(learnt.intensity.percentile_00_5, learnt.intensity.percentile_99_5)


def _odd_grid(volume: Volume, loaded: "Loaded") -> Iterator[str]:
    """A field of view far below what the network sees at once, and slices far thicker than it learnt."""
    turned = volume if loaded.orientation is None else reorient(volume, loaded.orientation)
    forward, configuration = loaded.stage.plans.transpose_forward, loaded.stage.configuration
    spacing = [turned.spacing_mm[::-1][axis] for axis in forward]
    shape = [turned.shape[::-1][axis] for axis in forward]
    axes = zip(spacing, shape, configuration.spacing_mm, configuration.patch_size, strict=True)
    for own_mm, count, wanted_mm, patch in axes:
        if patch == 1:
            continue  # a network of slices takes as many as there are, as thick as they are
        if count == 1 or own_mm * count < _SHORT * wanted_mm * patch:
            yield (
                f"The image is only {own_mm * count:.3g} mm long along one axis ({count} x {own_mm:.3g} mm), "
                f"but the network sees {wanted_mm * patch:.0f} mm at once. What it says of so little is "
                f"unsure."
            )
        if own_mm > _COARSE * wanted_mm:
            yield (
                f"The image has a spacing of {own_mm:.3g} mm along one axis, but the network works at "
                f"{wanted_mm:.3g} mm. What it says of so coarse an image is unsure."
            )
