"""What the catalog finds out of one case: read once, measured, and put down beside the tables."""

import hashlib
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from wirsung.anatomy.structures import structures
from wirsung.compute.atomic import write_json
from wirsung.datasets.catalog_tables import FingerprintRow, LesionRow
from wirsung.datasets.description import Description
from wirsung.datasets.fingerprint import fingerprint, rps_sha256, values_sha256
from wirsung.datasets.layout import Case
from wirsung.datasets.manifest import StructureRow
from wirsung.datasets.measure import measure_codes, sha256_of_voxels
from wirsung.datasets.near_duplicates import stored_levels
from wirsung.imaging.code_volume import CodeVolume
from wirsung.imaging.components import components
from wirsung.imaging.geometry import same_grid_as
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume

_RECIPE = 1  # counted up whenever the same files give other rows
_SCHEMA = 1
_LESION = "pancreatic_lesion"


@dataclass(frozen=True)
class CatalogTask:
    """One case, and where what is found of it is put down."""

    case: Case
    files_sha256: str
    folder: Path


@dataclass(frozen=True)
class Facts:
    """What the image and its masks say of the case itself, for the manifest."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    image_sha256: str
    structures: tuple[str, ...]
    has_lesion: bool | None
    """Whether the lesion's mask holds a voxel; None without such a mask."""


@dataclass(frozen=True)
class Found:
    """All that is found of one case."""

    facts: Facts
    structures: tuple[StructureRow, ...]
    lesions: tuple[LesionRow, ...]
    fingerprint: FingerprintRow


def files_sha256(case: Case, description: Description) -> str:
    """A checksum that changes with the name, the size or the time of a file of the case.

    How the dataset says that labels are read is part of it. The voxels are not: to know that none changed,
    all would have to be read.
    """
    stats = {}
    for role, folder in (("image", case.image_folder), ("label", case.label_folder)):
        for path in _files(folder):
            stat = path.stat()
            stats[f"{role}/{path.relative_to(folder).as_posix()}"] = (stat.st_size, stat.st_mtime_ns)
    told = [_RECIPE, case.modality, description.label_scheme, description.label_grid]
    unions = sorted((name, list(members)) for name, members in description.unions.items())
    content = json.dumps([told, unions, sorted(stats.items())])
    return hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """Every file that is not hidden; links to nothing are left for the reader to complain of."""
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if name[0] != "."]
        paths = (Path(place) / name for name in files if name[0] != ".")
        yield from (path for path in paths if path.exists())


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


def write_found(folder: Path, found: Found) -> None:
    """Put down what was found of a case, whole or not at all."""
    table = asdict(found)
    levels = found.fingerprint.levels
    table["fingerprint"]["levels"] = b64encode(levels).decode() if levels is not None else None
    write_json(folder / f"{found.fingerprint.case}.json", {"schema": _SCHEMA, **table})


def read_found(folder: Path, case: str) -> Found | None:
    """What was found of a case; None where it was not put down, or is damaged."""
    try:
        table: dict[str, Any] = json.loads((folder / f"{case}.json").read_text(encoding="utf-8"))
        if table["schema"] != _SCHEMA:
            return None
        facts, marks = table["facts"], table["fingerprint"]
        levels = b64decode(marks["levels"]) if marks["levels"] is not None else None
        sides, spacing = tuple(facts["shape"]), tuple(facts["spacing_mm"])
        named = {"shape": sides, "spacing_mm": spacing, "structures": tuple(facts["structures"])}
        return Found(
            Facts(**{**facts, **named}),
            tuple(StructureRow(**row) for row in table["structures"]),
            tuple(LesionRow(**row) for row in table["lesions"]),
            FingerprintRow(**{**marks, "levels": levels}),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
