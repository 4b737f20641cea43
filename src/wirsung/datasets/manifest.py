"""The manifest: one row a case (`manifest.parquet`), one row a case and structure (`structures.parquet`)."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wirsung.compute.atomic import atomic_path
from wirsung.datasets.layout import Dataset
from wirsung.errors import ManifestError

MANIFEST_FILE = "manifest.parquet"
STRUCTURES_FILE = "structures.parquet"
_VERSION = {b"wirsung_schema": b"1"}


@dataclass(frozen=True)
class ManifestRow:
    """What the manifest says of one case; None where nobody knows."""

    case: str
    patient: str
    """A code or a pseudonym; the case itself where nobody said."""
    centre: str | None = None
    modality: str = "ct"
    phase: str | None = None
    """Contrast phase: non-contrast, arterial, venous or delayed."""
    sex: str | None = None
    """F, M or O."""
    age_years: int | None = None
    """At the scan; 90 stands for 90 and more."""
    manufacturer: str | None = None
    """The vendor by its canonical name."""
    subset: str = "train"
    """train (ImageTr) or test (ImageTe)."""
    shape_i: int | None = None
    shape_j: int | None = None
    shape_k: int | None = None
    spacing_i_mm: float | None = None
    spacing_j_mm: float | None = None
    spacing_k_mm: float | None = None
    has_labels: bool = False
    tumour: bool | None = None
    """What the metadata says, else whether the lesion mask holds a voxel; None without either."""
    image_sha256: str | None = None
    """Of the voxels, see `datasets.measure.sha256_of_voxels`."""
    structures: tuple[str, ...] = ()
    """The structures with a mask file."""
    combined_sha256: str | None = None
    """Of the combined label map's voxels."""
    codes_sha256: str | None = None
    """Of the code volume's voxels; what the codes stand for, the checksums of the masks hold."""


@dataclass(frozen=True)
class StructureRow:
    """What is measured of one mask."""

    case: str
    structure: str
    volume_ml: float
    hu_mean: float | None
    """Of the image inside the mask: HU for CT, else arbitrary; None for an empty mask."""
    hu_sd: float | None
    """Population standard deviation; None for an empty mask."""
    box_i0: int | None
    """The bounding box holds the voxels i0 <= i < i1 and so on; None for an empty mask."""
    box_i1: int | None
    box_j0: int | None
    box_j1: int | None
    box_k0: int | None
    box_k1: int | None
    components: int
    """Pieces, where voxels that share a corner belong together (26-connected)."""
    touches_border: bool
    """Whether a voxel lies on a face of the image, so that the structure may be cut off."""
    runs_sha256: str
    """Of the mask's shape and its runs in file order, see `datasets.measure.sha256_of_runs`."""


_TEXT = pa.string()
_MANIFEST_SCHEMA = pa.schema(
    [
        pa.field("case", _TEXT, nullable=False),
        pa.field("patient", _TEXT, nullable=False),
        *(pa.field(name, _TEXT) for name in ("centre", "modality", "phase", "sex")),
        pa.field("age_years", pa.int16()),
        *(pa.field(name, _TEXT) for name in ("manufacturer", "subset")),
        *(pa.field(f"shape_{axis}", pa.int32()) for axis in "ijk"),
        *(pa.field(f"spacing_{axis}_mm", pa.float64()) for axis in "ijk"),
        pa.field("has_labels", pa.bool_(), nullable=False),
        pa.field("tumour", pa.bool_()),
        pa.field("image_sha256", _TEXT),
        pa.field("structures", pa.list_(_TEXT)),
        *(pa.field(name, _TEXT) for name in ("combined_sha256", "codes_sha256")),
    ],
    metadata=_VERSION,
)
STRUCTURES_SCHEMA = pa.schema(
    [
        pa.field("case", _TEXT, nullable=False),
        pa.field("structure", _TEXT, nullable=False),
        *(pa.field(name, pa.float64()) for name in ("volume_ml", "hu_mean", "hu_sd")),
        *(pa.field(f"box_{axis}{end}", pa.int32()) for axis in "ijk" for end in (0, 1)),
        pa.field("components", pa.int32()),
        pa.field("touches_border", pa.bool_()),
        pa.field("runs_sha256", _TEXT),
    ],
    metadata=_VERSION,
)


def write_manifest(root: Path, rows: Iterable[ManifestRow]) -> None:
    """Write `manifest.parquet`, sorted by case.

    Raises:
        ManifestError: A case is there twice.
    """
    sorted_rows = sorted(rows, key=lambda row: row.case)
    _check_unique([row.case for row in sorted_rows], root / MANIFEST_FILE)
    table = pa.Table.from_pylist([asdict(row) for row in sorted_rows], schema=_MANIFEST_SCHEMA)
    write_table(root / MANIFEST_FILE, table)


def read_manifest(root: Path) -> pa.Table:
    """The manifest as a table.

    Raises:
        ManifestError: It is missing, no Parquet, or columns are missing or of another type.
    """
    return read_table(root / MANIFEST_FILE, _MANIFEST_SCHEMA)


def write_structures(root: Path, rows: Iterable[StructureRow]) -> None:
    """Write `structures.parquet`, sorted by case; the rows of one case stay in their order."""
    write_table(root / STRUCTURES_FILE, structures_table(sorted(rows, key=lambda row: row.case)))


def read_structures(root: Path) -> pa.Table:
    """The measurements of the masks as a table.

    Raises:
        ManifestError: As in `read_manifest`.
    """
    return read_table(root / STRUCTURES_FILE, STRUCTURES_SCHEMA)


def manifest_rows(dataset: Dataset) -> tuple[ManifestRow, ...]:
    """One row for each case of the dataset, in its order.

    Without `manifest.parquet`, as in a release of PanTS, each case counts as a patient of its own, and the
    rest is unknown.

    Raises:
        ManifestError: The manifest is damaged, or it and the folders don't hold the same cases.
    """
    if not (dataset.root / MANIFEST_FILE).is_file():
        return tuple(
            ManifestRow(case.id, case.id, modality=case.modality, subset=case.subset)
            for case in dataset.cases
        )
    rows = rows_of_manifest(dataset.root)
    ids = {case.id for case in dataset.cases}
    odd = sorted(ids.symmetric_difference(rows))
    if odd:
        where = "the folders but not the manifest" if odd[0] in ids else "the manifest but not the folders"
        msg = (
            f"{dataset.root}: case {odd[0]} is in {where} ({len(odd)} such cases). "
            "Run wirsung curate again to mend it, or wirsung catalog where it was not curated."
        )
        raise ManifestError(msg)
    return tuple(rows[case.id] for case in dataset.cases)


def rows_of_manifest(root: Path) -> dict[str, ManifestRow]:
    """The rows of `manifest.parquet` by case, whatever the folders hold.

    Raises:
        ManifestError: As in `read_manifest`.
    """
    return {row["case"]: _manifest_row(row) for row in read_manifest(root).to_pylist()}


def mask_checksums(root: Path) -> dict[str, dict[str, str]]:
    """By case and structure, the checksum of each mask in `structures.parquet`.

    Raises:
        ManifestError: As in `read_structures`.
    """
    found: dict[str, dict[str, str]] = {}
    for row in read_structures(root).select(["case", "structure", "runs_sha256"]).to_pylist():
        found.setdefault(row["case"], {})[row["structure"]] = row["runs_sha256"]
    return found


def _manifest_row(row: dict[str, Any]) -> ManifestRow:
    return ManifestRow(**{**row, "structures": tuple(row["structures"] or ())})


def _check_unique(cases: Sequence[str], path: Path) -> None:
    for one, other in pairwise(cases):
        if one == other:
            msg = f"{path.name}: case {one} is there twice. Each case has one row."
            raise ManifestError(msg)


def structures_table(rows: Iterable[StructureRow]) -> pa.Table:
    """The rows as `structures.parquet` holds them, in their order."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=STRUCTURES_SCHEMA)


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table, whole or not at all.

    Raises:
        StorageError: It can't be written.
    """
    with atomic_path(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def read_table(path: Path, schema: pa.Schema, verb: str = "curate") -> pa.Table:
    """The columns of the schema, in its order.

    Raises:
        ManifestError: The file is missing, no Parquet, or columns are missing or of another type; the message
            names the verb that writes it.
    """
    if not path.is_file():
        call = "curate SRC OUT" if verb == "curate" else f"{verb} {path.parent}"
        msg = f"{path} is not there. Make {'the dataset' if verb == 'curate' else 'it'} with: wirsung {call}"
        raise ManifestError(msg)
    try:
        table = pq.ParquetFile(path).read()  # read_table would load pyarrow.dataset and pandas
    except (pa.ArrowException, OSError) as error:
        msg = f"{path} is damaged or not Parquet. Run wirsung {verb} again to write it anew."
        raise ManifestError(msg) from error
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        msg = f"{path} lacks the columns {', '.join(missing)}. Run wirsung {verb} again to write it anew."
        raise ManifestError(msg)
    try:
        return table.select(schema.names).cast(schema)
    except (pa.ArrowException, ValueError) as error:
        msg = f"{path} has a column of another type than {', '.join(schema.names)} need. Write it anew."
        raise ManifestError(msg) from error
