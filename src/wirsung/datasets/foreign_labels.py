"""Labels that are not masks by our names: a label map that says its scheme, and masks that are one together.

An imported dataset keeps its labels as they came, by reference; what they mean is said in `dataset.toml`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wirsung.anatomy.schemes import LabelClass, Scheme, scheme
from wirsung.compute.atomic import write_json
from wirsung.errors import GeometryError, LabelError, ManifestError
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.nifti import read_header, read_label_map
from wirsung.imaging.volume import Volume

if TYPE_CHECKING:
    from wirsung.imaging.code_volume import CodeVolume

LABEL_MAP_FILE = "label_map.nii.gz"
DRAWN_FILE = "drawn.json"
"""Beside the labels of a case that lacks some of what its dataset annotates: what was drawn."""
_SCHEMA = 1


@dataclass(frozen=True)
class LabelStyle:
    """How a dataset's labels are to be read.

    Example:
        >>> LabelStyle("msd-pancreas").names
        ('pancreas', 'pancreatic_lesion')
    """

    scheme_name: str = ""
    """Of `label_map.nii.gz`: built in, or the path of a TOML; empty where labels are masks."""
    grid: str = "own"
    """own, or image: labels lie where the image does, whatever their own header says."""
    unions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Structures that are several masks together, such as a lung of its lobes."""

    @property
    def scheme(self) -> Scheme:
        """The scheme of the label maps.

        Raises:
            ConfigError: There is no such scheme, or none is named.
        """
        return _scheme(self.scheme_name)

    @property
    def names(self) -> tuple[str, ...]:
        """What the label maps can hold; empty where labels are masks."""
        return self.scheme.mask_names() if self.scheme_name else ()

    def lines_up(self, labels: Volume, image: Path) -> Volume:
        """The labels where they belong: by their own header, or by the image's where the dataset says so.

        Raises:
            GeometryError: The image's grid is to be taken, but has another shape.
            ImageError: The image is missing or damaged.
        """
        if self.grid != "image":
            return labels
        header = read_header(image)
        if header.shape != labels.shape:
            msg = (
                f"{image.parent.name}: the labels have shape {labels.shape}, but {image.name} has "
                f"{header.shape}. This dataset's labels take the place of their image, so they must be equal."
            )
            raise GeometryError(msg)
        return Volume(labels.voxels, header.affine)


@lru_cache(maxsize=32)
def _scheme(name: str) -> Scheme:
    return scheme(name)


def drawn_in(folder: Path, style: LabelStyle) -> tuple[str, ...]:
    """What the label map in that folder holds: of its scheme all, or what `drawn.json` says.

    Raises:
        ManifestError: `drawn.json` is damaged, or names what the scheme has not.
    """
    if not (folder / LABEL_MAP_FILE).is_file():
        return ()
    path = folder / DRAWN_FILE
    if not path.is_file():
        return style.names
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        drawn = set(table["drawn"]) if table["schema"] == _SCHEMA else None
    except (ValueError, KeyError, TypeError, OSError) as error:
        msg = f"{path} is damaged ({type(error).__name__}). Import the case again."
        raise ManifestError(msg) from error
    if drawn is None or not drawn <= set(style.names):
        msg = f"{path} names what {style.scheme_name} has not, or has another schema. Import the case again."
        raise ManifestError(msg)
    return tuple(name for name in style.names if name in drawn)


def write_drawn(folder: Path, names: Iterable[str]) -> None:
    """Say what was drawn in the case of that folder, where it is not all that its dataset annotates."""
    write_json(folder / DRAWN_FILE, {"schema": _SCHEMA, "drawn": sorted(names)})


def read_labels(folder: Path, style: LabelStyle, image: Path) -> Volume:
    """The label map in that folder, where it belongs, checked against its scheme.

    Raises:
        LabelError: It holds a value that its scheme has not; the message names the value.
        ImageError: Missing or damaged.
        GeometryError: See `LabelStyle.lines_up`.
    """
    path = folder / LABEL_MAP_FILE
    found = style.lines_up(read_label_map(path), image)
    present = np.flatnonzero(np.bincount(found.voxels.ravel(order="K")))
    unknown = [int(value) for value in present if value and value not in style.scheme.values]
    if unknown:
        msg = (
            f"{path}: it holds the values {unknown}, which {style.scheme_name} has not. "
            "Mend the label map, or name a scheme that has them as label_scheme in dataset.toml."
        )
        raise LabelError(msg)
    return found


def mask_in(labels: Volume, style: LabelStyle, name: str) -> Volume:
    """The mask of that name, of bool."""
    values = style.scheme.mask_values(name)
    return labels.with_voxels(
        labels.voxels == values[0] if len(values) == 1 else np.isin(labels.voxels, values)
    )


def translate(labels: Volume, source: Scheme, target: Scheme) -> Volume | None:
    """The label map in another scheme; None where that scheme has a class for nothing in it.

    A class that would have to be taken apart, such as both kidneys in one, becomes background: it is none of
    the target's classes, and `annotated` says so too.

    Raises:
        LabelError: The target divides a structure among several classes.
    """
    places = {item.value: _place(item, target) for item in source.classes}
    if not any(places.values()):
        return None
    table = np.zeros(max(source.values) + 1, dtype=np.uint8 if max(target.values) < 256 else np.uint16)
    for value, place in places.items():
        table[value] = place.value if place else 0
    return labels.with_voxels(table[labels.voxels])


def codes_in(labels: Volume, style: LabelStyle, names: tuple[str, ...]) -> "CodeVolume":
    """The masks of those names in one volume, see `imaging.code_volume`."""
    from wirsung.imaging.code_volume import CodeVolume  # its compiled loops take a while to import

    patterns: dict[int, int] = {}
    for bit, name in enumerate(names):
        for value in style.scheme.mask_values(name):
            patterns[value] = patterns.get(value, 0) | 1 << bit
    counts = np.bincount(labels.voxels.ravel(order="K"))
    used = sorted({patterns.get(int(value), 0) for value in np.flatnonzero(counts)} - {0})
    table: Voxels = np.zeros(len(counts), dtype=np.uint8 if len(used) < 256 else np.uint16)
    for value in range(1, len(counts)):
        pattern = patterns.get(value, 0)
        if counts[value] and pattern:
            table[value] = used.index(pattern) + 1
    return CodeVolume(labels.with_voxels(table[labels.voxels]), (0, *used), names)


def _place(item: LabelClass, target: Scheme) -> LabelClass | None:
    """The class that holds all of another scheme's class; None where there is none."""
    if item in target.classes:
        return item
    places = {target.class_of(name) for name in item.structures}
    return places.pop() if len(places) == 1 else None
