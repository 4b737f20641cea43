"""From an image to what the network sees, for training and inference alike.

The order is nnU-Net's: transpose, crop to the nonzero region, normalise, resample.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from wirsung.errors import CheckpointError, ImageError, counted
from wirsung.models.device_resampling import resample_channel_on
from wirsung.models.image_resampling import Target, resample_channel
from wirsung.models.label_resampling import resample_labels
from wirsung.models.nonzero import Box, box_of, nonzero_region
from wirsung.models.normalisation import Normalisation
from wirsung.models.plans import Configuration, Plans, Shape, Spacing
from wirsung.models.resampling import coarse_axis, resampled_shape
from wirsung.models.scaling import scaling_of

OUTSIDE = -1
"""The label outside the nonzero region."""


@dataclass(frozen=True)
class Placement:
    """Where a preprocessed image came from; axes after `transpose_forward`."""

    spacing_mm: Spacing
    """Of the image before resampling."""
    full_shape: Shape
    """Before cropping."""
    box: Box
    """The crop: first voxel, and one past the last, along each axis."""

    @property
    def cropped_shape(self) -> Shape:
        """After cropping, before resampling."""
        (z0, z1), (y0, y1), (x0, x1) = self.box
        return z1 - z0, y1 - y0, x1 - x0

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box as an index."""
        first, second, third = (slice(start, stop) for start, stop in self.box)
        return first, second, third


@dataclass(frozen=True)
class Preprocessed:
    """One case as the network sees it."""

    image: NDArray[np.float32]
    """(channel, z, y, x)."""
    labels: NDArray[np.int16] | None
    """(z, y, x); -1 outside the nonzero region."""
    placement: Placement


def preprocess(  # noqa: PLR0913 - a case, a model, and where
    image: NDArray[np.generic],
    spacing_mm: Spacing,
    plans: Plans,
    configuration: Configuration,
    labels: NDArray[np.integer] | None = None,
    *,
    modality: str | None = None,
    device: torch.device | None = None,
) -> Preprocessed:
    """One case as the network sees it.

    Args:
        image: (channel, z, y, x), in the image's own unit; not changed.
        spacing_mm: Along z, y and x.
        plans: Of the model.
        configuration: One of the plans'.
        labels: (z, y, x), of class indices.
        modality: Of the image, which a model of several must be told; or `other`, to z-score it by itself.
        device: Where the image is normalised and resampled; None for the CPU.

    Raises:
        CheckpointError: The image has another number of channels than the plans.
        ConfigError: The model learnt several modalities, and the image's is none of them or not told.
        ImageError: A voxel is NaN or infinite.

    Source:
        `DefaultPreprocessor.run_case_npy` of nnU-Net 2.8.
    """
    _check(image, configuration)
    ways = plans.normalisations(configuration, modality)
    forward = plans.transpose_forward
    voxels = image.transpose(0, *(axis + 1 for axis in forward))
    inside, placement = _placed(
        voxels, (spacing_mm[forward[0]], spacing_mm[forward[1]], spacing_mm[forward[2]])
    )
    cropped = None
    if labels is not None:
        cropped = np.array(labels.transpose(forward)[placement.slices], np.int16, order="C")
        if inside is not None:
            cropped[(cropped == 0) & ~inside] = OUTSIDE
            # What was drawn counts as inside, be the image 0 there or not.
            inside = cropped != OUTSIDE
    shape = resampled_shape(placement.cropped_shape, placement.spacing_mm, configuration.spacing_mm)
    made = _resampled(voxels[:, *placement.slices], shape, placement, configuration, (ways, inside, device))
    if cropped is None:
        return Preprocessed(made, None, placement)
    how = configuration.label_resampling
    coarse = coarse_axis(placement.spacing_mm, configuration.spacing_mm, how)
    return Preprocessed(made, resample_labels(cropped, shape, order=how.order, coarse=coarse), placement)


def nonzero_box(image: NDArray[np.generic]) -> tuple[NDArray[np.bool_], Placement]:
    """The nonzero region of (channel, z, y, x) without its holes, and its box; spacing is left at 1 mm.

    Example:
        >>> mask, placement = nonzero_box(np.pad(np.ones((1, 1, 2, 3)), ((0, 0), (1, 0), (0, 0), (2, 1))))
        >>> placement.box, int(mask.sum())
        (((1, 2), (0, 2), (2, 5)), 6)
    """
    region = nonzero_region(image)
    shape = (image.shape[1], image.shape[2], image.shape[3])
    mask = np.ones(shape, bool) if region is None else region
    return mask, Placement((1.0, 1.0, 1.0), shape, box_of(mask))


def _check(image: NDArray[np.generic], configuration: Configuration) -> None:
    """Refuse another number of channels, and what is no number."""
    wanted = len(configuration.normalisations)
    if len(image) != wanted:
        taken = counted(wanted, "channel", "channels")
        msg = f"The model takes {taken}, but the image has {len(image)}. Choose another model."
        raise CheckpointError(msg)
    if image.dtype.kind != "f":
        return
    bad = sum(plane.size - int(np.isfinite(plane).sum()) for channel in image for plane in channel)
    if bad:
        msg = (
            f"{counted(bad, 'voxel of the image is', 'voxels of the image are')} NaN or infinite, "
            "which resampling would spread. Find out what they stand for, and give them a value."
        )
        raise ImageError(msg)


def _placed(voxels: NDArray[np.generic], spacing_mm: Spacing) -> tuple[NDArray[np.bool_] | None, Placement]:
    """The nonzero region within its box, None where it is all of it; and the box."""
    shape = (voxels.shape[1], voxels.shape[2], voxels.shape[3])
    region = nonzero_region(voxels)
    if region is None:
        return None, Placement(spacing_mm, shape, ((0, shape[0]), (0, shape[1]), (0, shape[2])))
    placement = Placement(spacing_mm, shape, box_of(region))
    return region[placement.slices], placement


def _resampled(
    voxels: NDArray[np.generic],
    shape: Shape,
    placement: Placement,
    configuration: Configuration,
    how: tuple[tuple[Normalisation, ...], NDArray[np.bool_] | None, torch.device | None],
) -> NDArray[np.float32]:
    """Every channel normalised, in its own way and over the region, and resampled."""
    ways, inside, device = how
    resampling = configuration.image_resampling
    coarse = coarse_axis(placement.spacing_mm, configuration.spacing_mm, resampling)
    target = Target(shape, resampling.order, coarse)
    made = np.empty((len(voxels), *shape), np.float32)
    for index, (channel, way) in enumerate(zip(voxels, ways, strict=True)):
        mask = inside if way.inside_mask_only else None
        scaling = scaling_of(channel, way, mask)
        if device is None or device.type == "cpu":
            resample_channel(channel, target, scaling, mask, made[index])
        else:
            made[index] = resample_channel_on(device, channel, target, scaling, mask).cpu().numpy()
    return made
