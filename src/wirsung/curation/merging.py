"""The labels of a case as one volume of codes in the order of its files.

Mask files of one grid are merged as runs and turned once, as codes; all others voxel by voxel.
"""

import numpy as np

from wirsung.curation.labels import Labels
from wirsung.imaging.code_volume import CodeVolume, merge_masks
from wirsung.imaging.file_order import in_file_order
from wirsung.imaging.geometry import same_grid_as
from wirsung.imaging.orientation import reorient
from wirsung.imaging.run_reading import MaskRuns, read_runs
from wirsung.imaging.volume import Volume


def merged_codes(labels: Labels, image: Volume, *, case: str, name: str) -> CodeVolume:
    """The codes of all masks, on the image's grid.

    Args:
        labels: Of the case; the structures keep their order.
        image: As it was read, before it was turned.
        case: For messages.
        name: Of the image's file, for messages.

    Raises:
        LabelError: A file is no mask, or the masks overlap in too many ways.
        GeometryError: A mask lies on another grid, by more than the order of its axes.
        ImageError: A file is damaged.
    """
    found = _runs(labels)
    if not found:
        return merge_masks((structure, image.with_voxels(mask)) for structure, mask in labels.masks)
    codes = merge_masks(found.items())
    first = next(iter(labels.files.values())).name
    return _with_volume(codes, same_grid_as(codes.volume, image, case=case, names=(name, first)))


def turned_codes(codes: CodeVolume, target: Volume, axis_codes: str) -> CodeVolume:
    """The codes along other axes, contiguous in file order, on exactly the grid of `target`."""
    voxels = reorient(codes.volume, axis_codes).voxels
    return _with_volume(codes, target.with_voxels(in_file_order(voxels).transpose(2, 1, 0)))


def _runs(labels: Labels) -> dict[str, MaskRuns]:
    """All masks as runs on one grid; none where one of them has to be read in another way."""
    found: dict[str, MaskRuns] = {}
    for structure, path in labels.files.items():
        mask = read_runs(path)
        if mask is None or not _share_a_grid(mask, next(iter(found.values()), mask)):
            return {}
        found[structure] = mask
    return found


def _share_a_grid(mask: MaskRuns, first: MaskRuns) -> bool:
    return mask.shape == first.shape and np.array_equal(mask.affine, first.affine)


def _with_volume(codes: CodeVolume, volume: Volume) -> CodeVolume:
    return CodeVolume(volume, codes.patterns, codes.structures)
