"""What `metadata.xlsx` of a release of PanTS says of each case, as a row of a manifest."""

from pathlib import Path

from wirsung.datasets.manifest import ManifestRow
from wirsung.datasets.release_metadata import ReleaseRow, read_release_metadata

RELEASE_TABLE = "metadata.xlsx"


def read_release_table(root: Path) -> dict[str, ManifestRow]:
    """The rows of the table beside the cases, by case; nothing where there is no table.

    Raises:
        ManifestError: The table is damaged.
    """
    path = root / RELEASE_TABLE
    return {row.case: _row(row) for row in read_release_metadata(path).rows} if path.is_file() else {}


def _row(row: ReleaseRow) -> ManifestRow:
    i, j, k = row.shape
    return ManifestRow(
        row.case,
        row.case,
        phase=row.phase,
        sex=row.sex,
        age_years=row.age_years,
        shape_i=i,
        shape_j=j,
        shape_k=k,
        tumour=row.tumour,
    )
