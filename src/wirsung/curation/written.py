"""What a case's files hold: written, then read back from the disk and compared, voxel by voxel."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wirsung.curation.outputs import Staging
from wirsung.datasets.layout import SUFFIX
from wirsung.errors import StorageError, WirsungError
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.code_files import read_codes, write_codes, write_masks
from wirsung.imaging.code_volume import CodeVolume
from wirsung.imaging.file_order import in_file_order
from wirsung.imaging.gzip_members import LONGEST_HEADER, inflate_start, inflates_to
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.nifti_content import read_header
from wirsung.imaging.run_reading import read_runs
from wirsung.imaging.volume import Volume

_HEADER_BYTES = 1 << 12
"""Stored bytes in which the beginning of a NIfTI file surely lies."""
_GRID_MM = 1e-4
"""By how much a header, which holds float32, may miss the affine."""


def write_image(path: Path, image: Volume) -> None:
    """Write the image, and read it back.

    Raises:
        StorageError: It can't be written, or what is read back is something else.
    """
    write_nifti(path, image)
    _compare(path, image)


def write_labels(staging: Staging, codes: CodeVolume, values: Mapping[str, int]) -> Voxels:
    """Write the masks, their codes and the label map painted from them, and read all of them back.

    Args:
        staging: Where to.
        codes: Contiguous in file order.
        values: Of the label map, in painting order.

    Returns:
        The label map's voxels.

    Raises:
        StorageError: A file can't be written, or what is read back is something else.
    """
    write_masks(staging.mask_folder, codes)
    _compare_masks(staging, codes)
    masks = {name: staging.mask_path(name) for name in codes.structures}
    write_codes(staging.label_folder, codes, values, masks)
    _compare_codes(staging.label_folder, codes)
    label_map = codes.label_map(values)
    write_image(staging.combined_path, label_map)
    return label_map.voxels


def _compare(path: Path, written: Volume) -> None:
    voxels = in_file_order(written.voxels)
    try:
        header = read_header(path)
        with path.open("rb") as file:
            before = inflate_start(file.read(LONGEST_HEADER + _HEADER_BYTES), header.offset, path)
        is_same = header.shape == written.shape and not header.is_scaled
        is_same = is_same and header.dtype == voxels.dtype.newbyteorder("<")
        is_same = is_same and np.allclose(header.affine, written.affine, rtol=0, atol=_GRID_MM)
        stored = voxels.astype(header.dtype, copy=False)
        is_same = is_same and inflates_to(path, (memoryview(before), stored.data.cast("B")))
    except (WirsungError, OSError) as error:
        raise _unlike(path) from error
    if not is_same:
        raise _unlike(path)


def _compare_masks(staging: Staging, codes: CodeVolume) -> None:
    for structure in codes.structures:
        path = staging.mask_path(structure)
        found = read_runs(path)
        if found is None or found.shape != codes.volume.shape:
            raise _unlike(path)
        is_there = np.allclose(found.affine, codes.volume.affine, rtol=0, atol=_GRID_MM)
        if not is_there or not np.array_equal(found.runs, codes.runs_of(structure)):
            raise _unlike(path)


def _compare_codes(folder: Path, codes: CodeVolume) -> None:
    try:
        found = read_codes(folder)
    except WirsungError as error:
        raise _unlike(folder) from error
    is_same = (found.patterns, found.structures) == (codes.patterns, codes.structures)
    if not is_same or not np.array_equal(found.volume.voxels, codes.volume.voxels):
        raise _unlike(folder)


def _unlike(path: Path) -> StorageError:
    name = path.name.removesuffix(SUFFIX)
    msg = f"{name} was written, but reads back as something else. Check the disk and the memory, run again."
    return StorageError(msg)
