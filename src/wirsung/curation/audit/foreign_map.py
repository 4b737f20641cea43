"""The label map that stands for a case's masks, of whatever scheme, as the audit reads it: once."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from wirsung.curation.findings import Findings
from wirsung.datasets.foreign_labels import LABEL_MAP_FILE
from wirsung.datasets.layout import Case
from wirsung.datasets.manifest import STRUCTURES_FILE
from wirsung.datasets.measure import sha256_of_runs
from wirsung.errors import GeometryError, ImageError, LabelError, StorageError
from wirsung.imaging.code_volume import CodeVolume
from wirsung.imaging.geometry import corner_distance_mm, same_grid_as
from wirsung.imaging.nifti import read_header
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume


def read_label_map_codes(
    case: Case, image: Volume | None, checksums: Mapping[str, str] | None, found: Findings
) -> tuple[CodeVolume | None, bool]:
    """Its masks in RPS order, and whether those are all.

    Args:
        case: Of an imported dataset.
        image: None where it can't be read; then the labels are judged where they lie.
        checksums: Of the tables, by structure; None without tables.
        found: Is added to.
    """
    try:
        header, codes = read_header(case.label_map_path), case.codes()
    except LabelError as error:
        found.add("mask_not_binary", LABEL_MAP_FILE, str(error))
        return None, False
    except (ImageError, GeometryError, StorageError, OSError) as error:
        found.add("mask_unreadable", LABEL_MAP_FILE, str(error))
        return None, False
    if header.is_scaled:
        why = f"its values are scaled by {header.slope:.6g} with {header.intercept:.6g} added."
        found.add("mask_scaled", LABEL_MAP_FILE, why)
    if image is not None:
        lying = _on_grid_of(image, codes, case, found)
        if lying is None:
            return None, False
        codes = lying
    for name in codes.structures if checksums is not None else ():
        if (checksums or {}).get(name) != sha256_of_runs(codes.runs_of(name), codes.volume.shape):
            why = f"its voxels are not those that {STRUCTURES_FILE} has."
            found.add("mask_changed", LABEL_MAP_FILE, why, structure=name)
    turned = reorient(codes.volume, "RPS")
    laid = turned.with_voxels(np.asfortranarray(turned.voxels))
    return replace(codes, volume=laid), True


def _on_grid_of(image: Volume, codes: CodeVolume, case: Case, found: Findings) -> CodeVolume | None:
    names = (case.image_path.name, LABEL_MAP_FILE)
    try:
        return replace(codes, volume=same_grid_as(codes.volume, image, case=case.id, names=names))
    except GeometryError as error:
        away_mm = corner_distance_mm(image, codes.volume)
        value = away_mm if np.isfinite(away_mm) else None
        found.add("mask_grid", LABEL_MAP_FILE, str(error), value=value)
        return None
