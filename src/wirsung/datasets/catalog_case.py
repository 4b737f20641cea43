"""What the catalog finds out of one case: read once, measured, and put down beside the tables."""

from dataclasses import dataclass, replace
from pathlib import Path

from wirsung.anatomy.structures import structures
from wirsung.datasets.catalog_found import Facts, Found, write_found
from wirsung.datasets.catalog_tables import FingerprintRow, LesionRow
from wirsung.datasets.fingerprint import fingerprint, rps_sha256, values_sha256
from wirsung.datasets.layout import Case
from wirsung.datasets.measure import measure_codes, sha256_of_voxels
from wirsung.datasets.near_duplicates import stored_levels
from wirsung.imaging.code_volume import CodeVolume
from wirsung.imaging.components import components
from wirsung.imaging.geometry import same_grid_as
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume

_LESION = "pancreatic_lesion"


@dataclass(frozen=True)
class CatalogTask:
    """One case, and where what is found of it is put down."""

    case: Case
    files_sha256: str
    folder: Path


def catalog_case(task: CatalogTask) -> None:
    """Measure one case and write `<case>.json`.

    Raises:
        ImageError: The image is missing or damaged.
        LabelError: A mask is damaged.
        GeometryError: A mask does not lie on the image's grid.
        StorageError: The file can't be written.
    """
    case = task.case
    image = case.image()
    codes = _codes(case, image)
    rows = measure_codes(case.id, codes, image) if codes else ()
    lesions = _lesions(case.id, codes, image) if codes else ()
    flags = [row.volume_ml > 0 for row in rows if row.structure == _LESION]
    facts = Facts(
        image.shape,
        image.spacing_mm,
        sha256_of_voxels(image.voxels),
        tuple(sorted(codes.structures)) if codes else (),
        flags[0] if flags else None,
    )
    write_found(task.folder, Found(facts, rows, lesions, _fingerprint(task, image)))


def _codes(case: Case, image: Volume) -> CodeVolume | None:
    if not case.structure_names():
        return None
    codes = case.codes()
    names = (case.image_path.name, "the masks")
    return replace(codes, volume=same_grid_as(codes.volume, image, case=case.id, names=names))


def _lesions(case: str, codes: CodeVolume, image: Volume) -> tuple[LesionRow, ...]:
    known = structures()
    rows: list[LesionRow] = []
    turned: Volume | None = None
    for structure in codes.structures:
        if (
            structure not in known
            or known[structure].group != "lesion"
            or not codes.voxel_counts()[structure]
        ):
            continue
        turned = turned or reorient(image, "RPS")
        rows += _lesions_of(case, structure, reorient(codes.mask(structure), "RPS"), turned)
    return tuple(rows)


def _lesions_of(case: str, structure: str, mask: Volume, image: Volume) -> list[LesionRow]:
    """Largest first; both volumes in RPS order."""
    found = components(mask.voxels)
    means, sds = found.moments(image.voxels)
    columns = zip(
        (found.sizes_voxels * mask.voxel_volume_mm3 / 1000).tolist(),
        found.diameters_mm(mask.spacing_mm).tolist(),
        found.slice_diameters_mm(mask.spacing_mm).tolist(),
        means.tolist(),
        sds.tolist(),
        strict=True,
    )
    largest_first = sorted(columns, key=lambda row: -row[0])
    return [LesionRow(case, structure, number, *row) for number, row in enumerate(largest_first, 1)]


def _fingerprint(task: CatalogTask, image: Volume) -> FingerprintRow:
    is_ct = task.case.modality == "ct"
    found = fingerprint(image, is_ct=is_ct)
    return FingerprintRow(
        task.case.id,
        task.files_sha256,
        is_ct,
        rps_sha256(image, is_ct=is_ct),
        values_sha256(image, is_ct=is_ct),
        stored_levels(found).tobytes() if found else None,
    )
