"""The masks of a case on disk: `labels.nii.gz` with `labels.json`, and one .nii.gz file a structure.

`labels.nii.gz` alone is no label map: its values are codes, whose meaning lies in `labels.json`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from isal import isal_zlib

from wirsung.compute.atomic import write_bytes, write_json
from wirsung.errors import ConfigError, LabelError
from wirsung.imaging.code_volume import CodeVolume
from wirsung.imaging.file_order import in_file_order
from wirsung.imaging.gzip_members import stored_crc32
from wirsung.imaging.nifti_content import read_content
from wirsung.imaging.nifti_frame import check_voxels, header_bytes
from wirsung.imaging.nifti_header import orthogonal_affine
from wirsung.imaging.run_encoding import RunEncoder
from wirsung.imaging.slab_writing import write_slabs
from wirsung.imaging.volume import Volume

VOXELS = "labels.nii.gz"
TABLE = "labels.json"
_SCHEMA = 1
_KEYS = {"schema", "structures", "patterns", "crc32"}
_COMBINED = "combined"
"""Where the table says how the label map beside it was painted."""
_MASKS = "masks"
"""Where the table says of each mask file the CRC32 of what it inflates to, as the end of the file has it."""


def write_codes(
    folder: Path,
    codes: CodeVolume,
    values: Mapping[str, int] | None = None,
    masks: Mapping[str, Path] | None = None,
) -> None:
    """Write labels.nii.gz, of which slabs can be read, then labels.json.

    Args:
        folder: Where to.
        codes: What to write.
        values: Where a label map is painted from the codes, the value of each structure in painting order;
            the table then says the order, and how many voxels of each structure a later one covers.
        masks: Where the masks were written too, the file of each structure; the table then tells whether
            these are still the masks that the codes were made of, see `fit_masks`.

    Raises:
        GeometryError: The grid is sheared.
        StorageError: The disk is full, or the folder can't be written.
    """
    write_slabs(folder / VOXELS, codes.volume)
    bits = range(len(codes.structures))
    table: dict[str, Any] = {
        "schema": _SCHEMA,
        "structures": list(codes.structures),
        "patterns": [[bit for bit in bits if pattern >> bit & 1] for pattern in codes.patterns],
        "crc32": _checksum(codes.volume),
    }
    if values is not None:
        covered = codes.covered_voxels(values)
        table[_COMBINED] = [
            {"structure": name, "value": value, "covered_voxels": covered[name]}
            for name, value in values.items()
        ]
    if masks is not None:
        table[_MASKS] = {name: stored_crc32(path) for name, path in masks.items()}
    write_json(folder / TABLE, table)


def fit_masks(folder: Path, masks: Mapping[str, Path]) -> bool:
    """Whether there are codes in the folder, made of just these masks as they are now.

    It opens the table and the last bytes of each mask, so an edited mask shows, and no voxel is read.
    """
    try:
        table = _table(folder / TABLE)
        known = dict(table.get(_MASKS) or {})
        return known.keys() == masks.keys() and all(
            known[name] == stored_crc32(path) for name, path in masks.items()
        )
    except (LabelError, OSError, ValueError, TypeError):
        return False


def read_codes(folder: Path) -> CodeVolume:
    """The codes of labels.nii.gz and labels.json in that folder.

    Raises:
        ImageError: labels.nii.gz is missing or damaged.
        LabelError: labels.json is missing or damaged, or belongs to other codes.
    """
    header, row = read_content(folder / VOXELS)
    voxels = row.reshape(header.shape, order="F")
    volume = Volume(voxels.astype(voxels.dtype.newbyteorder("="), copy=False), header.affine)
    table = _table(folder / TABLE)
    if header.is_scaled or table["crc32"] != _checksum(volume):
        msg = f"{folder / TABLE} does not belong to the {VOXELS} beside it. Write both anew from the masks."
        raise LabelError(msg)
    patterns = tuple(sum(1 << bit for bit in set(pattern)) for pattern in table["patterns"])
    return CodeVolume(volume, patterns, tuple(table["structures"]))


def write_masks(folder: Path, codes: CodeVolume) -> tuple[Path, ...]:
    """Write `<structure>.nii.gz` for every structure, as `nifti_writing.write_nifti` would but faster.

    Raises:
        GeometryError: The grid is sheared.
        StorageError: The disk is full, or the folder can't be written.
    """
    encoder = RunEncoder(codes.runs, codes.volume.voxels.size, _header(codes.volume, folder))
    paths = {structure: folder / f"{structure}.nii.gz" for structure in codes.structures}
    for structure, path in paths.items():
        write_bytes(path, encoder.member(codes.members(structure)))
    return tuple(paths.values())


def write_mask(path: Path, mask: Volume) -> None:
    """Write one bool mask to a .nii.gz file, from its runs.

    Raises:
        ConfigError: The name does not end in .nii.gz.
        LabelError: The voxels are not bool.
        GeometryError: The grid is sheared.
        StorageError: The disk is full, or the folder can't be written.
    """
    if not path.name.endswith(".nii.gz"):
        msg = f"{path}: a compressed mask is named .nii.gz. Choose such a name."
        raise ConfigError(msg)
    if mask.voxels.dtype != np.bool_:
        msg = f"{path}: a mask has bool voxels, but these are {mask.voxels.dtype}. Compare them with a value."
        raise LabelError(msg)
    codes = mask.with_voxels(mask.voxels.view(np.uint8))
    encoder = RunEncoder.of(in_file_order(codes.voxels), _header(codes, path))
    write_bytes(path, encoder.member(np.array([False, True])))


def _header(codes: Volume, path: Path) -> bytes:
    check_voxels(codes.voxels, path)
    affine, _ = orthogonal_affine(codes.affine, codes.shape, path)
    return header_bytes(np.dtype(np.uint8), codes.shape, affine)


def _checksum(codes: Volume) -> int:
    return int(isal_zlib.crc32(in_file_order(codes.voxels).data.cast("B")))


def _table(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        names = [str(name) for name in table["structures"]]
        right = set(table) - {_COMBINED, _MASKS} == _KEYS and table["schema"] == _SCHEMA
        right = right and names == table["structures"]
        right = right and all(bit in range(len(names)) for pattern in table["patterns"] for bit in pattern)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path} is missing or is no table of codes ({type(error).__name__}). Write it anew."
        raise LabelError(msg) from error
    if not right:
        msg = f"{path} is no table of codes of schema {_SCHEMA}. Write it anew from the masks."
        raise LabelError(msg)
    return dict(table)
