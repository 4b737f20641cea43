"""What the catalog found out of one case, put down beside the tables, and of which files it speaks."""

import hashlib
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wirsung.compute.atomic import write_json
from wirsung.datasets.catalog_tables import FingerprintRow, LesionRow
from wirsung.datasets.description import Description
from wirsung.datasets.layout import Case
from wirsung.datasets.manifest import StructureRow

_RECIPE = 1  # counted up whenever the same files give other rows
_SCHEMA = 1


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
