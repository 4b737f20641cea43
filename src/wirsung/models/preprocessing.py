"""From an image to what the network sees, for training and inference alike.

The order is nnU-Net's: transpose, crop to the nonzero region, normalise, resample.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from wirsung.errors import CheckpointError
from wirsung.models.normalisation import Intensity
from wirsung.models.plans import Configuration, Plans, Shape, Spacing
from wirsung.models.resampling import coarse_axis, resample, resample_labels, resampled_shape

OUTSIDE = -1
"""The label outside the nonzero region."""

_SMALLEST_STD = 1e-8


@dataclass(frozen=True)
class Placement:
    """Where a preprocessed image came from; axes after `transpose_forward`."""

    spacing_mm: Spacing
    """Of the image before resampling."""
    full_shape: Shape
    """Before cropping."""
    box: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
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


def preprocess(
    image: NDArray[np.generic],
    spacing_mm: Spacing,
    plans: Plans,
    configuration: Configuration,
    labels: NDArray[np.integer] | None = None,
    *,
    modality: str | None = None,
) -> Preprocessed:
    """One case as the network sees it.

    Args:
        image: (channel, z, y, x), in the image's own unit; not changed.
        spacing_mm: Along z, y and x.
        plans: Of the model.
        configuration: One of the plans'.
        labels: (z, y, x), of class indices.
        modality: Of the image, which a model of several must be told; or `other`, to z-score it by itself.

    Raises:
        CheckpointError: The image has another number of channels than the plans.
        ConfigError: The model learnt several modalities, and the image's is none of them or not told.

    Source:
        `DefaultPreprocessor.run_case_npy` of nnU-Net 2.8.
    """
    if len(image) != len(configuration.normalisations):
        wanted = len(configuration.normalisations)
        msg = f"The model takes {wanted} channels, but the image has {len(image)}. Choose another model."
        raise CheckpointError(msg)
    forward = plans.transpose_forward
    voxels = image.transpose(0, *(axis + 1 for axis in forward)).astype(np.float32)
    spacing = (spacing_mm[forward[0]], spacing_mm[forward[1]], spacing_mm[forward[2]])
    voxels, inside, placement = _cropped(voxels, spacing)
    for channel, way in zip(voxels, plans.normalisations(configuration, modality), strict=True):
        normalise(channel, way.scheme, way.intensity, inside if way.inside_mask_only else None)
    shape = resampled_shape(placement.cropped_shape, spacing, configuration.spacing_mm)
    how = configuration.image_resampling
    coarse = coarse_axis(spacing, configuration.spacing_mm, how)
    resampled = resample(torch.from_numpy(voxels), shape, order=how.order, coarse=coarse).numpy()
    if labels is None:
        return Preprocessed(resampled, None, placement)
    cropped = labels.transpose(forward)[placement.slices].astype(np.int16)
    cropped[(cropped == 0) & ~inside] = OUTSIDE
    how = configuration.label_resampling
    coarse = coarse_axis(spacing, configuration.spacing_mm, how)
    small = resample_labels(cropped, shape, order=how.order, coarse=coarse)
    return Preprocessed(resampled, small.astype(np.int16, copy=False), placement)


def nonzero_box(image: NDArray[np.generic]) -> tuple[NDArray[np.bool_], Placement]:
    """The nonzero region of (channel, z, y, x) without its holes, and its box; spacing is left at 1 mm.

    Example:
        >>> mask, placement = nonzero_box(np.pad(np.ones((1, 1, 2, 3)), ((0, 0), (1, 0), (0, 0), (2, 1))))
        >>> placement.box, int(mask.sum())
        (((1, 2), (0, 2), (2, 5)), 6)
    """
    shape = (image.shape[1], image.shape[2], image.shape[3])
    whole = Placement((1.0, 1.0, 1.0), shape, ((0, shape[0]), (0, shape[1]), (0, shape[2])))
    mask: NDArray[np.bool_] = (image != 0).any(axis=0)
    if mask.all() or not mask.any():
        # Filling holes of a full mask is the slowest way to learn that a CT's air is not 0.
        return np.ones(shape, bool) if mask.all() else mask, whole
    mask = np.asarray(ndimage.binary_fill_holes(mask))
    first, second, third = ndimage.find_objects(mask.astype(np.uint8))[0]
    box = (
        (int(first.start), int(first.stop)),
        (int(second.start), int(second.stop)),
        (int(third.start), int(third.stop)),
    )
    return mask, Placement((1.0, 1.0, 1.0), shape, box)


def normalise(
    channel: NDArray[np.float32], scheme: str, intensity: Intensity, mask: NDArray[np.bool_] | None
) -> None:
    """Normalise one channel in place, as nnU-Net's class of that name does.

    Args:
        channel: (z, y, x).
        scheme: nnU-Net's class name.
        intensity: Of the training cases; only CT uses it.
        mask: The region to normalise; elsewhere the values stay. None for everywhere.
    """
    if scheme == "CTNormalization":
        np.clip(channel, intensity.percentile_00_5, intensity.percentile_99_5, out=channel)
        channel -= np.float32(intensity.mean)
        channel /= np.float32(max(intensity.std, _SMALLEST_STD))
    elif scheme == "ZScoreNormalization":
        values = channel if mask is None else channel[mask]
        scaled = (values - values.mean()) / max(values.std(), _SMALLEST_STD)
        channel[... if mask is None else mask] = scaled
    elif scheme == "RescaleTo01Normalization":
        channel -= channel.min()
        channel /= max(channel.max(), _SMALLEST_STD)


def _cropped(
    voxels: NDArray[np.float32], spacing_mm: Spacing
) -> tuple[NDArray[np.float32], NDArray[np.bool_], Placement]:
    mask, found = nonzero_box(voxels)
    placement = Placement(spacing_mm, found.full_shape, found.box)
    return (
        np.ascontiguousarray(voxels[:, *placement.slices]),
        mask[placement.slices],
        placement,
    )


def class_locations(
    labels: NDArray[np.integer], classes: Sequence[int], *, seed: int = 1234
) -> dict[int, NDArray[np.int64]]:
    """Voxels of each class to centre training patches on: (0, z, y, x) a row, 10,000 or 1 % of them.

    Source:
        `_sample_foreground_locations` of nnU-Net 2.8, which draws the same ones.
    """
    random = np.random.RandomState(seed)
    found: dict[int, NDArray[np.int64]] = {}
    for value in classes:
        coordinates = np.argwhere(labels[None] == value)
        if len(coordinates):
            count = max(min(10_000, len(coordinates)), int(np.ceil(0.01 * len(coordinates))))
            coordinates = coordinates[random.choice(len(coordinates), count, replace=False)]
        found[int(value)] = coordinates
    return found
