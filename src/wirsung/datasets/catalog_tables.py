"""What the catalog adds to a dataset's tables: a row a lesion, and what each scan is known again by."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from wirsung.datasets.manifest import read_table

if TYPE_CHECKING:
    from wirsung.datasets.near_duplicates import Profiles

LESIONS_FILE = "lesions.parquet"
FINGERPRINTS_FILE = "fingerprints.parquet"
_VERSION = {b"wirsung_schema": b"1"}


@dataclass(frozen=True)
class LesionRow:
    """One lesion: a body of a lesion mask whose voxels share a corner at least (26-connected)."""

    case: str
    structure: str
    lesion: int
    """From 1, the largest first."""
    volume_ml: float
    diameter_mm: float
    """The longest in any direction, from surface to surface."""
    axial_diameter_mm: float
    """The longest within one axial slice, from surface to surface."""
    hu_mean: float
    """Of the image inside it: HU for CT, else arbitrary."""
    hu_sd: float
    """Population standard deviation."""


@dataclass(frozen=True)
class FingerprintRow:
    """What one scan is known again by, and of which files all tables of the case speak."""

    case: str
    files_sha256: str
    """Of names, sizes and times of the case's files, see `datasets.catalog_case`."""
    is_ct: bool
    rps_sha256: str
    """See `datasets.fingerprint.rps_sha256`."""
    values_sha256: str
    """See `datasets.fingerprint.values_sha256`."""
    levels: bytes | None = field(repr=False)
    """See `datasets.near_duplicates.stored_levels`; None for a scan too small to have any."""


_TEXT = pa.string()
LESIONS_SCHEMA = pa.schema(
    [
        pa.field("case", _TEXT, nullable=False),
        pa.field("structure", _TEXT, nullable=False),
        pa.field("lesion", pa.int32(), nullable=False),
        *(
            pa.field(name, pa.float64())
            for name in ("volume_ml", "diameter_mm", "axial_diameter_mm", "hu_mean", "hu_sd")
        ),
    ],
    metadata=_VERSION,
)
FINGERPRINTS_SCHEMA = pa.schema(
    [
        pa.field("case", _TEXT, nullable=False),
        pa.field("files_sha256", _TEXT, nullable=False),
        pa.field("is_ct", pa.bool_(), nullable=False),
        pa.field("rps_sha256", _TEXT),
        pa.field("values_sha256", _TEXT),
        pa.field("levels", pa.binary()),
    ],
    metadata=_VERSION,
)


def lesions_table(rows: Sequence[LesionRow]) -> pa.Table:
    """The rows as `lesions.parquet` holds them, in their order."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=LESIONS_SCHEMA)


def fingerprints_table(rows: Sequence[FingerprintRow]) -> pa.Table:
    """The rows as `fingerprints.parquet` holds them, in their order."""
    return pa.Table.from_pylist([asdict(row) for row in rows], schema=FINGERPRINTS_SCHEMA)


def read_lesions(root: Path) -> pa.Table:
    """The lesions of the dataset in `root`, a row each.

    Raises:
        ManifestError: The table is missing or damaged.
    """
    return read_table(root / LESIONS_FILE, LESIONS_SCHEMA, "catalog")


def read_fingerprints(root: Path) -> pa.Table:
    """What the scans of the dataset in `root` are known again by, a row each.

    Raises:
        ManifestError: The table is missing or damaged.
    """
    return read_table(root / FINGERPRINTS_FILE, FINGERPRINTS_SCHEMA, "catalog")


def profiles_of(table: pa.Table) -> "Profiles":
    """The profiles in the order of the table's rows; of none where a scan has none.

    Example:
        >>> row = FingerprintRow("a", "", True, "", "", bytes(range(64)) * 3)
        >>> profiles_of(fingerprints_table([row])).levels.shape
        (3, 64)
    """
    # Here and not above: its compiled loops cost a second, and most who read the tables compare no scans.
    from wirsung.datasets.fingerprint import BLOCKS
    from wirsung.datasets.near_duplicates import Profiles

    width = BLOCKS * BLOCKS
    stored = [item or b"" for item in table["levels"].to_pylist()]
    bounds = np.cumsum([0, *(len(item) // width for item in stored)], dtype=np.int64)
    levels = np.frombuffer(b"".join(stored), dtype=np.uint8).reshape(-1, width)
    return Profiles(levels, bounds, np.asarray(table["is_ct"].to_pylist(), dtype=np.bool_))
