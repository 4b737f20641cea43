"""The audit of one case: every rule that it breaks is a finding."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from wirsung.anatomy.schemes import scheme
from wirsung.curation.combined import MAPS, compare_with_masks
from wirsung.curation.findings import Finding, Findings
from wirsung.curation.measure import sha256_of_voxels
from wirsung.datasets.description import Description
from wirsung.datasets.layout import COMBINED_FILE, MASK_FOLDER, SUFFIX, Case, is_case_id
from wirsung.datasets.manifest import MANIFEST_FILE, STRUCTURES_FILE, ManifestRow
from wirsung.datasets.painting import painting_order
from wirsung.errors import GeometryError, ImageError, LabelError, StorageError
from wirsung.imaging.arrays import LabelMap, Mask
from wirsung.imaging.geometry import corner_distance_mm, same_grid_as
from wirsung.imaging.nifti import read_label_map
from wirsung.imaging.orientation import axis_codes
from wirsung.imaging.volume import Volume

TINY_LESION_VOXELS = 50
_PARTS = ("pancreas_head", "pancreas_body", "pancreas_tail")
_WHOLE, _LESION = "pancreas", "pancreatic_lesion"
_KEPT = (_WHOLE, *_PARTS, _LESION)
_TOLERANCE_MM = 0.01
# Where no voxel is darker, the values are hardly HU: every abdomen has fat, and mostly air around it.
_DARKEST_HU = -50
_UNREADABLE = (ImageError, GeometryError, LabelError, StorageError, OSError)


@dataclass(frozen=True)
class CaseAudit:
    """One case and what the dataset says about it."""

    case: Case
    description: Description
    annotated: tuple[str, ...]
    """The structures that any case of the dataset has a mask file of."""
    has_manifest: bool
    row: ManifestRow | None
    checksums: dict[str, str] | None
    """Structure to the sha256 of its mask."""


@dataclass
class _Masks:
    """What is kept of the masks while they are read one by one."""

    kept: dict[str, Mask]
    painted: LabelMap | None
    """None as soon as a mask could not be painted."""


def audit_case(task: CaseAudit) -> tuple[Finding, ...]:
    """What is wrong with the case; nothing is changed."""
    found = Findings(task.case.id)
    image = _audit_image(task, found)
    names = task.case.structure_names()
    if names:
        for name in task.annotated:
            if name not in names:
                why = "there is no mask file, but other cases have one. Add it, or an empty one if absent."
                found.error(_mask_file(name), "mask_missing", why)
    elif task.annotated:
        found.warn(MASK_FOLDER, "no_labels", "there are no masks, but other cases have some.")
    masks = _audit_masks(task, image, found)
    _audit_pancreas(masks.kept, found)
    _audit_lesion(masks.kept.get(_LESION), task.row, found)
    _audit_combined(task, masks.painted, image, found)
    return tuple(found)


def _audit_image(task: CaseAudit, found: Findings) -> Volume | None:
    case, row = task.case, task.row
    if not is_case_id(case.id):
        found.error(case.id, "case_id", "a case is named with letters, digits and . _ - only.")
    if task.has_manifest and row is None:
        found.error(MANIFEST_FILE, "case_unlisted", "the manifest does not have this case. Curate again.")
    file = case.image_path.name
    try:
        image = case.image()
    except _UNREADABLE as error:
        found.error(file, "image_unreadable", str(error))
        return None
    if row is not None and row.image_sha256 not in (None, sha256_of_voxels(image.voxels)):
        found.error(file, "image_changed", "its voxels are not those that the manifest has the checksum of.")
    if task.description.created_by and axis_codes(image.affine) != "RPS":
        found.warn(file, "axis_order", f"it lies in {axis_codes(image.affine)}, curated images in RPS.")
    if case.modality == "ct":
        _audit_hu(image, task.description.clip_hu, file, found)
    return image


def _audit_hu(image: Volume, clip_hu: tuple[int, int] | None, file: str, found: Findings) -> None:
    low, high = int(image.voxels.min()), int(image.voxels.max())
    if low > _DARKEST_HU:
        found.warn(file, "not_hu", f"its darkest voxel is {low} HU; a CT holds air or fat. Is it rescaled?")
    if clip_hu is not None and (low < clip_hu[0] or high > clip_hu[1]):
        why = f"it holds {low} to {high} HU, but the dataset is clipped to {clip_hu[0]} to {clip_hu[1]}."
        found.error(file, "outside_clip", why)


def _audit_masks(task: CaseAudit, image: Volume | None, found: Findings) -> _Masks:
    official = scheme("pants-28")
    painted = None if image is None else np.zeros(image.shape, dtype=np.uint8, order="F")
    masks = _Masks({}, painted)
    for name in painting_order(task.case.structure_names()):
        mask = _audit_mask(task, name, image, found)
        if mask is None:
            masks.painted = None
            continue
        place = official.class_of(name)
        if masks.painted is not None and place is not None:
            np.copyto(masks.painted, place.value, where=mask.voxels)
        if name in _KEPT and (image is None or mask.shape == image.shape):
            masks.kept[name] = mask.voxels
    return masks


def _audit_mask(task: CaseAudit, name: str, image: Volume | None, found: Findings) -> Volume | None:
    """The mask on the image's grid; None where it is not one, or lies elsewhere."""
    file = _mask_file(name)
    try:
        mask = task.case.mask(name)
    except LabelError as error:
        found.error(file, "mask_not_binary", str(error))
        return None
    except _UNREADABLE as error:
        found.error(file, "mask_unreadable", str(error))
        return None
    if task.checksums is not None and task.checksums.get(name) != sha256_of_voxels(mask.voxels):
        found.error(file, "mask_changed", f"its voxels are not those that {STRUCTURES_FILE} has.")
    if image is None:
        return mask
    try:
        lying = same_grid_as(mask, image, case=task.case.id, names=(task.case.image_path.name, file))
    except GeometryError as error:
        found.error(file, "mask_grid", str(error))
        return None
    if corner_distance_mm(image, mask) > _TOLERANCE_MM:
        codes = f"{axis_codes(mask.affine)}, the image in {axis_codes(image.affine)}"
        found.warn(file, "mask_axis_order", f"it lies in {codes}. Curate the dataset to mend that.")
    return lying


def _audit_pancreas(kept: dict[str, Mask], found: Findings) -> None:
    parts = {name: kept[name] for name in _PARTS if name in kept}
    for (one, first), (other, second) in combinations(parts.items(), 2):
        shared = _overlap(first, second)
        if shared:
            found.error(_mask_file(other), "parts_overlap", f"{shared} voxels are in {one} too.")
    whole = kept.get(_WHOLE)
    if whole is None:
        return
    if not whole.any():
        found.warn(_mask_file(_WHOLE), "pancreas_empty", "the mask is empty. Is the pancreas in the image?")
    for name, part in parts.items():
        outside = _overlap(part, ~whole)
        if outside:
            why = f"{outside} of {np.count_nonzero(part)} voxels lie outside the pancreas."
            found.error(_mask_file(name), "part_outside_pancreas", why)


def _audit_lesion(lesion: Mask | None, row: ManifestRow | None, found: Findings) -> None:
    if lesion is None:
        return
    file, size = _mask_file(_LESION), int(np.count_nonzero(lesion))
    if 0 < size < TINY_LESION_VOXELS:
        found.warn(file, "lesion_tiny", f"it has {size} voxels in all. Is it a slip of the pen?")
    flag = None if row is None else row.tumour
    if flag is True and size == 0:
        found.error(file, "flag_without_lesion", "the manifest says tumour, but the mask is empty.")
    if flag is False and size > 0:
        found.error(
            file, "lesion_without_flag", f"the manifest says no tumour, but {size} voxels are lesion."
        )


def _audit_combined(task: CaseAudit, painted: LabelMap | None, image: Volume | None, found: Findings) -> None:
    path = task.case.combined_path
    if not path.is_file():
        if task.description.created_by and task.case.has_labels:
            found.error(COMBINED_FILE, "combined_missing", "there are masks but no label map of them.")
        return
    try:
        combined = read_label_map(path)
        if image is None or painted is None:
            return
        lying = same_grid_as(combined, image, case=task.case.id, names=(task.case.image_path.name, path.name))
    except GeometryError as error:
        found.error(COMBINED_FILE, "combined_grid", str(error))
        return
    except _UNREADABLE as error:
        found.error(COMBINED_FILE, "combined_unreadable", str(error))
        return
    followed, wrong = compare_with_masks(lying.voxels, painted)
    # In a release of PanTS both the map and the order of painting are unsettled: worth a look, no error.
    say = found.error if task.description.created_by else found.warn
    if followed != MAPS[0]:
        say(
            COMBINED_FILE,
            "combined_alphabetical",
            "its values follow the alphabetical map: 22 is the lesion.",
        )
    if wrong:
        say(
            COMBINED_FILE, "combined_differs", f"{wrong} voxels are not what the masks say, outer ones first."
        )


def _overlap(first: Mask, second: Mask) -> int:
    return int(np.count_nonzero(first & second))


def _mask_file(name: str) -> str:
    return f"{MASK_FOLDER}/{name}{SUFFIX}"
