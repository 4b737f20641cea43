"""Preprocessed cases on the disk, in nnU-Net's own format, so that its data loader reads them."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from nnunetv2.training.dataloading.nnunet_dataset import comp_blosc2_params, nnUNetDatasetBlosc2

from wirsung.compute.atomic import write_json
from wirsung.models.locations import class_locations
from wirsung.models.plans import Configuration
from wirsung.models.preprocessing import Preprocessed

KEYS = "keys"
"""The folder beside the cases that says what each was made from."""
_EFFORT = 1
"""Of the compression; nnU-Net's is 5, which takes four times as long for files a twentieth smaller."""


def write_case(
    folder: Path, case: str, made: Preprocessed, configuration: Configuration, classes: Sequence[int]
) -> None:
    """Write `CASE.b2nd`, `CASE_seg.b2nd` and `CASE.pkl`; a killed run leaves none or all that matter.

    Args:
        folder: `nnUNet_preprocessed/DATASET/IDENTIFIER`.
        case: Its id.
        made: With labels.
        configuration: Says the patch that the storage is cut for.
        classes: The foreground class indices.
    """
    if made.labels is None:
        msg = f"case {case}: only a case with labels can be stored for training"
        raise ValueError(msg)
    labels = made.labels[None]
    arguments: dict[str, Any] = {}
    for suffix, array in (("", made.image), ("_seg", labels)):
        blocks, chunks = comp_blosc2_params(array.shape, configuration.patch_size, array.itemsize)
        arguments |= {f"blocks{suffix}": blocks, f"chunks{suffix}": chunks}
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder.parent) as partial:
        image = np.ascontiguousarray(made.image)
        nnUNetDatasetBlosc2.save_case(
            image, labels, _properties(made, classes), f"{partial}/case", clevel=_EFFORT, **arguments
        )
        for suffix in (".b2nd", "_seg.b2nd", ".pkl"):
            (Path(partial) / f"case{suffix}").replace(folder / f"{case}{suffix}")


def write_key(folder: Path, case: str, key: str) -> None:
    """Remember what the stored case was made from, once it is whole."""
    # Not in the folder itself: nnU-Net refuses folders that hold other kinds of files.
    write_json(folder.parent / KEYS / folder.name / f"{case}.json", {"key": key})


def read_key(folder: Path, case: str) -> str | None:
    """What the stored case was made from; None where it is not stored."""
    path = folder.parent / KEYS / folder.name / f"{case}.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["key"])
    except (OSError, ValueError, KeyError):
        return None


def _properties(made: Preprocessed, classes: Sequence[int]) -> dict[str, Any]:
    labels = made.labels if made.labels is not None else np.zeros((0, 0, 0), np.int16)
    return {
        "spacing": list(made.placement.spacing_mm),
        "shape_before_cropping": made.placement.full_shape,
        "bbox_used_for_cropping": [list(bounds) for bounds in made.placement.box],
        "shape_after_cropping_and_before_resampling": made.placement.cropped_shape,
        "class_locations": class_locations(labels, classes),
    }
