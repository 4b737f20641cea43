"""Masks of a case's structures on its image's grid: from mask files, a label map, SEG or RTSTRUCT."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wirsung.anatomy.schemes import Scheme
from wirsung.anatomy.structures import structures
from wirsung.curation.drawn_labels import Repairs, drawn_mask, read_drawn, structures_of
from wirsung.curation.intake import Source, stem
from wirsung.datasets.layout import Case
from wirsung.datasets.painting import painting_order
from wirsung.errors import GeometryError, LabelError, near_names
from wirsung.imaging.arrays import Mask, Voxels
from wirsung.imaging.geometry import same_grid_as
from wirsung.imaging.nifti import read_label_map, read_mask
from wirsung.imaging.volume import Volume


@dataclass(frozen=True)
class Labels:
    """Which structures a case's labels tell, and which they name in vain."""

    structures: tuple[str, ...]
    """In painting order."""
    dropped: tuple[str, ...]
    """Classes of the scheme, present in the case, that none of the official structures stands for."""
    masks: Iterator[tuple[str, Mask]]
    """Each structure's mask on the image's grid, read when asked for; once."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Of each structure in painting order, where each is a mask file of its own; else empty."""
    repairs: Repairs = field(default_factory=Repairs)
    """What was done to the masks; complete when all were read."""


def read_labels(source: Source, scheme: Scheme, image: Volume, *, resample: bool = False) -> Labels:
    """The labels of a case on the image's grid, as the image was read.

    A label map gives a structure all voxels that lie in it, parts included: the pancreas of a map with
    pancreas 1 and lesion 2 is both. Mask files, and what SEG and RTSTRUCT draw, are taken as they are.

    Args:
        source: The case.
        scheme: What a label map's values, or masks' names, mean.
        image: Whose grid counts.
        resample: Whether a mask on another grid is put onto the image's by nearest voxels.

    Raises:
        LabelError: A value or a mask's name is not in the scheme, or a voxel holds no label.
        GeometryError: A mask lies on another grid, by more than the order of its axes.
        ImageError: A file is damaged.
    """
    repairs = Repairs(may_resample=resample)
    if source.imported is not None:
        return _from_imported(source, source.imported, image, repairs)
    if source.label_map is not None:
        return _from_label_map(source, source.label_map, scheme, image, repairs)
    if source.drawn:
        return _from_drawn(source, scheme, image, repairs)
    return _from_masks(source, scheme, image, repairs)


def _from_imported(source: Source, case: Case, image: Volume, repairs: Repairs) -> Labels:
    """As the dataset itself answers by our names; what it calls otherwise is dropped."""
    names = case.structure_names()
    told = painting_order(name for name in names if name in structures())

    def masks() -> Iterator[tuple[str, Mask]]:
        for name in told:
            yield name, _on_grid(case.mask(name), case.file_of(name), source, image, repairs)

    return Labels(told, tuple(sorted(set(names).difference(told))), masks(), repairs=repairs)


def _from_label_map(source: Source, path: Path, scheme: Scheme, image: Volume, repairs: Repairs) -> Labels:
    voxels = _on_grid(read_label_map(path), path, source, image, repairs)
    seen = np.zeros(max(*scheme.values, int(voxels.max())) + 1, dtype=bool)
    seen[voxels] = True
    unknown = sorted(set(np.flatnonzero(seen).tolist()).difference((0, *scheme.values)))
    if unknown:
        msg = (
            f"{path.name} of case {source.case} holds the values {', '.join(map(str, unknown[:10]))}, which "
            f"{scheme.name} does not have. Name the scheme of your labels with --label-scheme."
        )
        raise LabelError(msg)
    told = painting_order(scheme.structure_names())
    within = {name: scheme.values_within(name) for name in told}
    reached = {value for values in within.values() for value in values}
    dropped = [item.name for item in scheme.classes if item.value not in reached and seen[item.value]]

    def masks() -> Iterator[tuple[str, Mask]]:
        for name in told:
            is_inside = np.zeros(len(seen), dtype=bool)
            is_inside[list(within[name])] = True
            yield name, is_inside[voxels]

    return Labels(told, tuple(dropped), masks(), repairs=repairs)


def _from_drawn(source: Source, scheme: Scheme, image: Volume, repairs: Repairs) -> Labels:
    found, dropped = read_drawn(source.drawn, scheme, case=source.case)
    drawn = dict(structures_of(found))
    told = painting_order(drawn)
    masks = ((name, drawn_mask(drawn[name], name, image, repairs, case=source.case)) for name in told)
    return Labels(told, dropped, masks, repairs=repairs)


def _from_masks(source: Source, scheme: Scheme, image: Volume, repairs: Repairs) -> Labels:
    files: dict[str, list[Path]] = {}
    dropped: list[str] = []
    for path in source.masks:
        name = _structure_of(path, source.case, scheme)
        if name is None:
            dropped.append(stem(path.name))
        else:
            files.setdefault(name, []).append(path)

    def masks() -> Iterator[tuple[str, Mask]]:
        for name in told:
            found = [_on_grid(read_mask(path), path, source, image, repairs) for path in files[name]]
            yield name, found[0] if len(found) == 1 else np.logical_or.reduce(found)

    told = painting_order(files)
    is_plain = all(len(found) == 1 for found in files.values()) and not repairs.may_resample
    plain = {name: files[name][0] for name in told} if is_plain else {}
    return Labels(told, tuple(dropped), masks(), plain, repairs)


def _structure_of(path: Path, case: str, scheme: Scheme) -> str | None:
    """The official structure that the mask's name stands for; None for none, or several."""
    name = stem(path.name)
    for item in scheme.classes:
        if item.name == name:
            is_one = len(item.structures) == 1 and item.structures[0] in structures()
            return item.structures[0] if is_one else None
    near = near_names(name, [item.name for item in scheme.classes])
    msg = (
        f"Case {case} has a mask called {path.name}, which {scheme.name} has no class for. {near} "
        "Name the scheme of your masks with --label-scheme, or take the file away."
    )
    raise LabelError(msg)


def _on_grid(read: Volume, path: Path, source: Source, image: Volume, repairs: Repairs) -> Voxels:
    """The voxels of a label map or mask on the image's grid."""
    try:
        names = (source.image.name, path.name)
        return same_grid_as(read, image, case=source.case, names=names).voxels
    except GeometryError:
        if not repairs.may_resample:
            raise
    return repairs.resampled(read, image, path.name, source.case)
