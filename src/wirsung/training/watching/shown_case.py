"""The validation case that pictures show: one with the lesion, cut down to what surrounds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nnunetv2.training.dataloading.nnunet_dataset import infer_dataset_class
from numpy.typing import NDArray

from wirsung.anatomy.structures import containers
from wirsung.imaging.volume import Volume
from wirsung.models.plans import Plans, Shape
from wirsung.training.watching.best import lesion_class
from wirsung.training.workspace import CONFIGURATION

PATCHES_ACROSS = 1.5
"""The part that is predicted, in patches along each axis: eight tiles at most."""

_CASES_LOOKED_AT = 20
"""Of those that are validated on; among them the one with the largest lesion is shown."""


@dataclass(frozen=True)
class ShownCase:
    """A part of a preprocessed case; axes as the network sees them."""

    name: str
    image: NDArray[np.float32]
    """(channel, z, y, x), normalised."""
    labels: NDArray[np.int16]
    """(z, y, x), of class indices."""
    drawn: Mapping[str, tuple[int, ...]]
    """Outline to its class indices, the lesion last where the classes have one."""

    def volume(self, voxels: NDArray[np.generic], plans: Plans) -> Volume:
        """An array on the part's grid as a volume of directions right, posterior, superior."""
        back, spacing = plans.transpose_backward, plans.configuration(CONFIGURATION).spacing_mm
        z, y, x = (spacing[axis] for axis in back)
        return Volume(voxels.transpose(back).transpose(2, 1, 0), np.diag([x, -y, z, 1.0]))


def shown_case(
    folder: Path, cases: Sequence[str], table: Mapping[str, Any], patch: Shape
) -> ShownCase | None:
    """Of the first cases the one with the largest lesion, else with the largest pancreas; None without any.

    Args:
        folder: Of the preprocessed cases.
        cases: Those that are validated on.
        table: `dataset.json`.
        patch: The network's.
    """
    drawn = outlines_of(table)
    if not cases:
        return None
    looked_at = sorted(cases)[:_CASES_LOOKED_AT]
    dataset = infer_dataset_class(str(folder))(str(folder), looked_at)
    found = max(looked_at, key=lambda case: _sizes(dataset.load_case(case)[3], drawn))
    image, labels, _, properties = dataset.load_case(found)
    centre = _centre(properties["class_locations"], drawn, labels.shape[1:])
    place = tuple(
        _window(middle, int(PATCHES_ACROSS * size), length)
        for middle, size, length in zip(centre, patch, labels.shape[1:], strict=True)
    )
    part = (slice(None), *place)
    return ShownCase(found, np.asarray(image[part], np.float32), np.asarray(labels[part])[0], drawn)


def outlines_of(table: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """What is outlined, and by which class indices: the whole pancreas, then its lesion; else every class.

    Example:
        >>> outlines_of({"labels": {"background": 0, "liver": 1, "pancreas": 2, "pancreatic_lesion": 3}})
        {'pancreas': (2, 3), 'lesion': (3,)}
    """
    labels = {str(name): int(index) for name, index in table["labels"].items() if index}
    stands_for = {name: [name] for name in labels} | dict(table.get("structures", {}))
    pancreas = tuple(
        index
        for name, index in labels.items()
        if all("pancreas" in containers(structure) for structure in stands_for[name])
    )
    if not pancreas:
        return {"structures": tuple(labels.values())}
    lesion = lesion_class(table)
    return {"pancreas": pancreas} | ({"lesion": (labels[lesion],)} if lesion else {})


def _sizes(properties: Mapping[str, Any], drawn: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Voxels of what is outlined, the lesion first, as far as nnU-Net keeps them."""
    locations = properties["class_locations"]
    return tuple(
        sum(len(locations.get(index, ())) for index in indices) for indices in reversed(tuple(drawn.values()))
    )


def _centre(
    locations: Mapping[int, NDArray[np.integer]], drawn: Mapping[str, tuple[int, ...]], shape: Sequence[int]
) -> tuple[int, ...]:
    """The middle of the lesion, else of the pancreas, else of the image."""
    for indices in reversed(tuple(drawn.values())):
        voxels = [locations[index] for index in indices if len(locations.get(index, ()))]
        if voxels:
            return tuple(int(value) for value in np.median(np.concatenate(voxels)[:, 1:], axis=0))
    return tuple(length // 2 for length in shape)


def _window(middle: int, size: int, length: int) -> slice:
    """So many voxels around the middle, moved inside where that leaves the image."""
    start = max(0, min(middle - size // 2, length - size))
    return slice(start, min(start + size, length))
