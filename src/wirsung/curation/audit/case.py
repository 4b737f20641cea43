"""The audit of one case: read it once, measure, and apply every rule."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from wirsung.anatomy.standard import rule
from wirsung.anatomy.structures import structures
from wirsung.curation.audit import (  # noqa: F401 - their rules register
    body_rules,
    extent_rules,
    metadata_rules,
    pancreas_rules,
    value_rules,
)
from wirsung.curation.audit.combined_rules import judge_combined
from wirsung.curation.audit.facts import gather
from wirsung.curation.audit.foreign_map import read_label_map_codes
from wirsung.curation.audit.judging import judge, mask_file
from wirsung.curation.findings import Finding, Findings
from wirsung.datasets.description import Description
from wirsung.datasets.fingerprint import Fingerprint, fingerprint, rps_sha256
from wirsung.datasets.foreign_labels import DRAWN_FILE
from wirsung.datasets.layout import COMBINED_FILE, MASK_FOLDER, Case, is_case_id
from wirsung.datasets.manifest import MANIFEST_FILE, STRUCTURES_FILE, ManifestRow
from wirsung.datasets.measure import sha256_of_mask, sha256_of_voxels
from wirsung.errors import GeometryError, ImageError, LabelError, StorageError
from wirsung.imaging.code_volume import CodeVolume, merge_masks
from wirsung.imaging.geometry import corner_distance_mm, same_grid_as
from wirsung.imaging.nifti import read_header, read_label_map
from wirsung.imaging.orientation import axis_codes, reorient
from wirsung.imaging.volume import Volume

_RPS = "RPS"
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
    """Structure to the checksum of its mask."""
    ignored: tuple[str, ...] = ()
    """Rules that are not applied."""

    @property
    def is_release(self) -> bool:
        """Whether it is as downloaded, or imported as such, and not curated by us."""
        return not self.description.is_curated


@dataclass(frozen=True)
class Audited:
    """What is wrong with a case, and what it is known again by."""

    findings: tuple[Finding, ...]
    sha256: str | None = None
    """Of the voxels in RPS order; None for an image that can't be read."""
    fingerprint: Fingerprint | None = None
    """None for an image too small to have one."""


def audit_case(task: CaseAudit) -> Audited:
    """What is wrong with the case; nothing is changed."""
    found = Findings(task.case.id)
    image = _read_image(task, found)
    _expect_masks(task, found)
    codes, is_whole = _read_masks(task, image, found)
    turned = None if image is None else reorient(image, _RPS)
    if codes is None and turned is not None:
        codes = CodeVolume(turned.with_voxels(np.zeros(turned.shape, np.uint8, order="F")), (0,), ())
    if codes is not None:
        facts = gather(codes, turned, task.row, is_ct=task.case.modality == "ct")
        judge(facts, task.case.image_path.name, found)
    _read_combined(task, image, codes if is_whole else None, found)
    kept = tuple(_placed(item, task.case) for item in found if item.rule not in task.ignored)
    if turned is None:
        return Audited(kept)
    is_ct = task.case.modality == "ct"
    return Audited(kept, rps_sha256(turned, is_ct=is_ct), fingerprint(turned, is_ct=is_ct))


def _placed(item: Finding, case: Case) -> Finding:
    """The finding with the file that its mask is really read from: a label map, or the first of several."""
    path = case.file_of(item.structure) if item.structure else case.label_folder
    if item.file != mask_file(item.structure) or not path.is_file():
        return item
    return replace(item, file=path.relative_to(case.label_folder).as_posix())


def _read_image(task: CaseAudit, found: Findings) -> Volume | None:
    case, row = task.case, task.row
    if not is_case_id(case.id):
        found.add("case_id", case.id, "a case is named with letters, digits and . _ - only.")
    if task.has_manifest and row is None:
        found.add("case_unlisted", MANIFEST_FILE, "the manifest does not have this case. Curate again.")
    file = case.image_path.name
    try:
        shift_mm = read_header(case.image_path).affine_shift_mm
        image = case.image()
    except _UNREADABLE as error:
        found.add("image_unreadable", file, str(error))
        return None
    if shift_mm:
        why = f"its axes are not at right angles; setting them right moves a corner by {shift_mm:.3g} mm."
        found.add("image_sheared", file, why, value=shift_mm, unit="mm")
    if row is not None and row.image_sha256 not in (None, sha256_of_voxels(image.voxels)):
        found.add("image_changed", file, "its voxels are not those that the manifest has the checksum of.")
    if not task.is_release and axis_codes(image.affine) != _RPS:
        found.add("axis_order", file, f"it lies in {axis_codes(image.affine)}, curated images in RPS.")
    if case.modality == "ct":
        _judge_hu(image, task.description.clip_hu, file, found)
    return image


def _judge_hu(image: Volume, clip_hu: tuple[int, int] | None, file: str, found: Findings) -> None:
    low, high = int(image.voxels.min()), int(image.voxels.max())
    if low > (rule("not_hu").threshold or 0):
        why = f"its darkest voxel is {low} HU; a CT holds air or fat. Is it rescaled?"
        found.add("not_hu", file, why, value=low)
    if clip_hu is not None and (low < clip_hu[0] or high > clip_hu[1]):
        why = f"it holds {low} to {high} HU, but the dataset is clipped to {clip_hu[0]} to {clip_hu[1]}."
        found.add("outside_clip", file, why)


def _expect_masks(task: CaseAudit, found: Findings) -> None:
    names = task.case.structure_names()
    if not names and task.annotated:
        found.add("no_labels", MASK_FOLDER, "there are no masks, but other cases have some.")
    # Where a case says itself what was drawn, what it lacks is no mistake.
    is_told = (task.case.label_folder / DRAWN_FILE).is_file()
    for name in task.annotated if names and not is_told else ():
        if name not in names:
            why = "there is no mask file, but other cases have one. Add it, or an empty one if absent."
            found.add("mask_missing", mask_file(name), why, structure=name)
    for name in names:
        if name not in structures() and name not in task.description.annotated:
            found.add("mask_unknown", mask_file(name), "no such structure is registered.", structure=name)


def _read_masks(task: CaseAudit, image: Volume | None, found: Findings) -> tuple[CodeVolume | None, bool]:
    """The masks that can be merged, and whether those are all."""
    if task.case.label_files == (task.case.label_map_path,):
        return read_label_map_codes(task.case, image, task.checksums, found)
    names = task.case.structure_names()
    read = 0

    def masks() -> Iterator[tuple[str, Volume]]:
        nonlocal read
        grid = image
        for name in names:
            mask = _read_mask(task, name, grid, found)
            if mask is not None:
                grid = mask if grid is None else grid
                read += 1
                yield name, mask

    try:
        codes = merge_masks(masks())
    except LabelError:  # not one mask
        return None, False
    # Turned once, merged: 28 masks would have to be copied each.
    turned = reorient(codes.volume, _RPS)
    laid = turned.with_voxels(np.asfortranarray(turned.voxels))
    return CodeVolume(laid, codes.patterns, codes.structures), read == len(names)


def _read_mask(task: CaseAudit, name: str, grid: Volume | None, found: Findings) -> Volume | None:
    """The mask on the image's grid; None where it is not one, or lies elsewhere."""
    file, about = mask_file(name), {"structure": name}
    try:
        header = read_header(task.case.file_of(name))
        mask = task.case.mask(name)
    except LabelError as error:
        found.add("mask_not_binary", file, str(error), **about)
        return None
    except _UNREADABLE as error:
        found.add("mask_unreadable", file, str(error), **about)
        return None
    if header.is_scaled:
        why = f"its values are scaled by {header.slope:.6g} with {header.intercept:.6g} added."
        found.add("mask_scaled", file, why, **about)
    lying = mask if grid is None else _aligned(task, mask, grid, file, name, found)
    # Curation hashes the mask as it is stored, the catalog as it lies on the image's grid.
    hashed = lying if task.is_release and lying is not None else mask
    if task.checksums is not None and task.checksums.get(name) != sha256_of_mask(hashed.voxels):
        found.add("mask_changed", file, f"its voxels are not those that {STRUCTURES_FILE} has.", **about)
    return lying


def _aligned(
    task: CaseAudit, mask: Volume, grid: Volume, file: str, name: str, found: Findings
) -> Volume | None:
    away_mm = corner_distance_mm(grid, mask)
    try:
        lying = same_grid_as(mask, grid, case=task.case.id, names=(task.case.image_path.name, file))
    except GeometryError as error:
        value = away_mm if np.isfinite(away_mm) else None
        found.add("mask_grid", file, str(error), structure=name, value=value)
        return None
    if away_mm > (rule("mask_axis_order").threshold or 0):
        order = f"{axis_codes(mask.affine)}, the image in {axis_codes(grid.affine)}"
        why = f"it lies in {order}. Curate the dataset to mend that."
        found.add("mask_axis_order", file, why, structure=name)
    return lying


def _read_combined(task: CaseAudit, image: Volume | None, codes: CodeVolume | None, found: Findings) -> None:
    path = task.case.combined_path
    if not path.is_file():
        if not task.is_release and task.case.has_labels:
            found.add("combined_missing", COMBINED_FILE, "there are masks but no label map of them.")
        return
    try:
        header = read_header(path)
        combined = read_label_map(path)
        if header.is_scaled:
            why = f"its values are scaled by {header.slope:.6g}: cut to whole numbers, they are one too low."
            found.add("combined_scaled", COMBINED_FILE, why)
        if image is None or codes is None:
            return
        names = (task.case.image_path.name, path.name)
        lying = same_grid_as(combined, image, case=task.case.id, names=names)
    except GeometryError as error:
        found.add("combined_grid", COMBINED_FILE, str(error))
        return
    except _UNREADABLE as error:
        found.add("combined_unreadable", COMBINED_FILE, str(error))
        return
    judge_combined(reorient(lying, _RPS).voxels, codes, found, is_release=task.is_release)
